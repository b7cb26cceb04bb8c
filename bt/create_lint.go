package bt

import (
	"fmt"
	"path"
	"strings"
)

// Names that operating systems and programs leave behind, in lower case.
var (
	junkFiles   = map[string]bool{"thumbs.db": true, "ehthumbs.db": true, "desktop.ini": true, ".ds_store": true}
	junkEndings = map[string]bool{".part": true, ".crdownload": true, ".aria2": true, ".!ut": true, ".!qb": true, ".swp": true}
	junkFolders = map[string]bool{"@eadir": true, "#recycle": true, "$recycle.bin": true, "__macosx": true, "system volume information": true,
		"lost+found": true, ".git": true, ".svn": true}
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
			example = f.rel
		}
	}
	return example, n
}

func isJunk(parts []string) bool {
	if len(parts) == 0 {
		return false
	}
	last := len(parts) - 1
	for _, dir := range parts[:last] {
		if junkFolders[strings.ToLower(dir)] {
			return true
		}
	}
	name := strings.ToLower(parts[last])
	return junkFiles[name] || junkEndings[path.Ext(name)] || strings.HasPrefix(name, "._") || strings.HasSuffix(name, "~")
}
