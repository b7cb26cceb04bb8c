package bt

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Names that operating systems and programs leave behind, as globs over one component of a path.
var (
	junkFiles   = []string{"thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", "._*", "*.part", "*.crdownload", "*.aria2", "*.!ut", "*.!qb", "*~", "*.swp"}
	junkFolders = []string{"@eadir", "#recycle", "$recycle.bin", "__macosx", "system volume information", "lost+found", ".git", ".svn"}
)

// Piece lengths and counts beyond which programs in use have trouble.
const (
	commonPieceLength = 16 << 20
	commonPieces      = 1 << 17
)

// warn tells what may not be meant.
func (o *CreateOptions) warn(t *scannedTree) {
	if o.Warn == nil {
		return
	}
	say := func(format string, args ...any) { o.Warn(fmt.Sprintf(format, args...)) }
	n := o.PieceLength
	switch pieces := roundUp(t.size, n) / n; {
	case n&(n-1) != 0:
		say("a piece size of %d bytes is no power of two, which some clients refuse", n)
	case n > commonPieceLength:
		say("a piece size above %d MiB is more than some clients accept", commonPieceLength>>20)
	case pieces > commonPieces:
		say("%d pieces make a large .torrent: a larger piece size would do", pieces)
	}
	if o.Private && len(o.Trackers) == 0 {
		say("the torrent is private and has no tracker: nobody will find a peer")
	}
	if example, junk := t.junk(); junk > 0 {
		say("%s may be junk, such as %q: --exclude leaves it out", count(junk, "file"), example)
	}
	if t.links > 0 {
		say("%s left out: --follow-symlinks takes what they lead to", count(t.links, "symbolic link"))
	}
	if t.loop != "" {
		say("the symbolic link %q leads to a folder that it is in, and was not followed", t.loop)
	}
	if t.others > 0 {
		say("%s left out: neither a file nor a folder", count(t.others, "thing"))
	}
}

// junk counts the files that nobody means to share, and gives the first one.
func (t *scannedTree) junk() (example string, n int) {
	for _, f := range t.files {
		if !isJunk(f.parts) {
			continue
		}
		if n++; n == 1 {
			example = path.Join(f.parts...)
		}
	}
	return example, n
}

func isJunk(parts []string) bool {
	for i, part := range parts {
		globs := junkFolders
		if i == len(parts)-1 {
			globs = junkFiles
		}
		part = strings.ToLower(part)
		for _, g := range globs {
			if doublestar.MatchUnvalidated(g, part) {
				return true
			}
		}
	}
	return false
}
