package bt

import (
	"cmp"
	"context"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"shoal/bt/bencode"
)

// A scanned file is to be hashed.
type scanned struct {
	name       string   // to open it by
	parts      []string // of its path in the torrent; empty for a torrent of one file
	size       int64
	mtime      time.Time
	executable bool
}

// A scannedTree is what a torrent is to be made of.
type scannedTree struct {
	files []scanned
	size  int64
	dir   bool // root is a folder
}

// scan lists the regular files under root, in the order of their paths or, byFolder, of the names in each folder: a-b
// comes before a/b in the former, after it in the latter.
func scan(ctx context.Context, root string, hidden, byFolder bool) (*scannedTree, error) {
	info, err := os.Stat(root)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, errorf(BadInput, "%w", err)
		}
		return nil, err
	}
	t := &scannedTree{dir: info.IsDir()}
	if !t.dir {
		if !info.Mode().IsRegular() {
			return nil, errorf(BadInput, "creating a metainfo of %s: it is neither a file nor a folder", root)
		}
		return t, t.add(root, "", info)
	}
	// A link given by name is meant; those further down are not followed.
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case name == root:
			return nil
		case !hidden && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return t.add(name, filepath.ToSlash(rel), info)
	})
	if err != nil {
		return nil, err
	}
	if len(t.files) == 0 {
		return nil, errorf(BadInput, "creating a metainfo of %s: there is no file in it", root)
	}
	slices.SortFunc(t.files, func(a, b scanned) int {
		if byFolder {
			return slices.Compare(a.parts, b.parts)
		}
		return cmp.Compare(path.Join(a.parts...), path.Join(b.parts...))
	})
	return t, nil
}

func (t *scannedTree) add(name, rel string, info fs.FileInfo) error {
	if !utf8.ValidString(rel) {
		return errorf(BadInput, "adding %q: its name is not UTF-8, which metainfo files need", name)
	}
	if info.Size() > math.MaxInt64/2-t.size {
		return errorf(BadInput, "adding %s: the files are too large together", name)
	}
	f := scanned{name: name, size: info.Size(), mtime: info.ModTime(), executable: info.Mode()&0o100 != 0}
	if rel != "" {
		f.parts = strings.Split(rel, "/")
	}
	t.files = append(t.files, f)
	t.size += f.size
	return nil
}

// appendFiles appends the list of files of BEP 3, with the pads of BEP 47 where files begin at pieces.
func appendFiles(b []byte, h *pieceHasher) []byte {
	b = append(b, 'l')
	for i, f := range h.tree.files {
		b = append(b, 'd')
		if f.executable {
			b = appendText(b, "attr", "x")
		}
		b = bencode.AppendInt(bencode.AppendString(b, "length"), f.size)
		b = appendTexts(bencode.AppendString(b, "path"), f.parts)
		b = append(b, 'e')
		next := h.space
		if i+1 < len(h.offsets) {
			next = h.offsets[i+1]
		}
		if pad := next - h.offsets[i] - f.size; pad > 0 {
			b = appendPad(b, pad)
		}
	}
	return append(b, 'e')
}

func appendPad(b []byte, n int64) []byte {
	b = append(b, 'd')
	b = appendText(b, "attr", "p")
	b = bencode.AppendInt(bencode.AppendString(b, "length"), n)
	digits := bencode.AppendInt(nil, n)
	b = appendTexts(bencode.AppendString(b, "path"), []string{".pad", string(digits[1 : len(digits)-1])})
	return append(b, 'e')
}

// appendFileTree appends the file tree of BEP 52. Files are sorted by their parts, so that each folder is one run.
func appendFileTree(b []byte, h *pieceHasher, name string) []byte {
	b = append(b, 'd')
	if !h.tree.dir {
		b = bencode.AppendString(b, name)
		return append(appendLeaf(b, h, 0), 'e')
	}
	var open []string
	for i, f := range h.tree.files {
		dirs := f.parts[:len(f.parts)-1]
		same := 0
		for same < min(len(open), len(dirs)) && open[same] == dirs[same] {
			same++
		}
		for range open[same:] {
			b = append(b, 'e')
		}
		for _, dir := range dirs[same:] {
			b = append(bencode.AppendString(b, dir), 'd')
		}
		open = dirs
		b = appendLeaf(bencode.AppendString(b, f.parts[len(dirs)]), h, i)
	}
	for range open {
		b = append(b, 'e')
	}
	return append(b, 'e')
}

func appendLeaf(b []byte, h *pieceHasher, i int) []byte {
	f := &h.tree.files[i]
	b = append(b, "d0:d"...)
	if f.executable {
		b = appendText(b, "attr", "x")
	}
	b = bencode.AppendInt(bencode.AppendString(b, "length"), f.size)
	if f.size > 0 {
		root := h.root(i)
		b = bencode.AppendString(bencode.AppendString(b, "pieces root"), root[:])
	}
	return append(b, "ee"...)
}
