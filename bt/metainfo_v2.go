package bt

import (
	"bytes"
	"errors"
	"fmt"

	"shoal/bt/bencode"
)

// A v2Reader lays out the files of a file tree (BEP 52): in the order of the tree, each at the begin of a piece.
type v2Reader struct {
	m      *Metainfo
	tree   *pathTree
	files  []File
	pieces int64
	inRoot int // entries of the outermost dictionary
	listed int // files, and links, so far
}

// readV2 reads the files of BEP 52, or compares them with those of the v1 part.
func (m *Metainfo) readV2(in *info, rules pathRules) error {
	guess := len(in.fileTree) / bytesPerFile
	r := v2Reader{m: m, tree: newPathTree(rules, guess), files: make([]File, 0, guess)}
	c := bencode.NewCursor(in.fileTree)
	for c.Enter(bencode.Dict); c.More(); {
		key, _ := c.Bytes()
		if err := r.entry(c, 0, key); err != nil {
			return fmt.Errorf("file tree: %w", err)
		}
		r.inRoot++
	}
	if m.HasV1() {
		return m.merge(r.files)
	}
	m.Files = r.files
	m.NumPieces = int(r.pieces)
	// A torrent of one file has it at the root, under the torrent's name.
	m.Dir = r.inRoot != 1 || len(m.Files) != 1 || m.Files[0].Path != m.Name
	return nil
}

// entry reads what stands under a name: a file, which is the value of the empty key, or a folder. Depth is bounded by
// bencode.Check.
func (r *v2Reader) entry(c *bencode.Cursor, parent folder, key []byte) error {
	name, err := r.tree.rules.component(key)
	switch {
	case err != nil:
		return err
	case name == "":
		return errors.New("there is a file without a name")
	case !c.Enter(bencode.Dict):
		return fmt.Errorf("%q is not a dictionary", clip(name))
	}
	dir, isFile := folder(-1), false
	for c.More() {
		key, _ := c.Bytes()
		if isFile || len(key) == 0 && dir >= 0 {
			return fmt.Errorf("%q is a file and a folder", clip(name))
		}
		if len(key) == 0 {
			isFile = true
			if err := r.file(c, parent, name); err != nil {
				return fmt.Errorf("%q: %w", clip(name), err)
			}
			continue
		}
		if dir < 0 {
			if dir, err = r.tree.dir(parent, name); err != nil {
				return err
			}
		}
		if err := r.entry(c, dir, key); err != nil {
			return err
		}
	}
	return nil
}

// file reads the properties of a file.
func (r *v2Reader) file(c *bencode.Cursor, parent folder, name string) error {
	f, attr, err := readV2File(c)
	if err != nil {
		return err
	}
	r.listed++
	f.Number = r.listed
	f.Offset = r.pieces * r.m.PieceLength // cannot overflow: both factors are bounded
	pieces := f.Length / r.m.PieceLength
	if f.Length%r.m.PieceLength != 0 {
		pieces++
	}
	if pieces > maxPieces-r.pieces {
		return fmt.Errorf("there are more than %d pieces", maxPieces)
	}
	r.pieces += pieces
	switch {
	case bytes.Contains(attr, []byte("l")): // a symbolic link, which is nowhere listed
		return nil
	case len(r.files) == maxFiles:
		return fmt.Errorf("there are more than %d files", maxFiles)
	}
	if f.Path, err = r.tree.file(parent, name); err != nil {
		return err
	}
	f.Executable = bytes.Contains(attr, []byte("x"))
	r.files = append(r.files, f)
	return nil
}

func readV2File(c *bencode.Cursor) (f File, attr []byte, err error) {
	if !c.Enter(bencode.Dict) {
		return f, nil, errors.New("its properties are not a dictionary")
	}
	var pieces []byte
	ok, seen := true, false
	for c.More() {
		switch key, _ := c.Bytes(); string(key) {
		case "length":
			if seen {
				return f, nil, errors.New("it has two lengths")
			}
			f.Length, ok = c.Int64()
			seen = true
		case "pieces root":
			if pieces != nil {
				return f, nil, errors.New("it has two roots")
			}
			pieces, ok = c.Bytes()
		case "attr":
			attr, _ = c.Bytes()
		default:
			c.Skip()
		}
		if !ok {
			return f, nil, errors.New("its length or root is of the wrong type")
		}
	}
	switch {
	case !seen && !bytes.Contains(attr, []byte("l")):
		return f, nil, errors.New("it has no length")
	case f.Length < 0:
		return f, nil, fmt.Errorf("length %d", f.Length)
	case f.Length > 0 && len(pieces) != len(f.Root):
		return f, nil, fmt.Errorf("its root has %d bytes, not 32", len(pieces))
	case f.Length > 0:
		copy(f.Root[:], pieces)
	}
	return f, attr, nil
}

// merge takes the roots of the v2 files into the v1 files of a hybrid, which must be the same at the same offsets.
func (m *Metainfo) merge(v2 []File) error {
	if len(v2) != len(m.Files) {
		return fmt.Errorf("its v1 part has %d files, its v2 part %d", len(m.Files), len(v2))
	}
	for i := range v2 {
		a, b := &m.Files[i], &v2[i]
		switch {
		case a.Path != b.Path:
			return fmt.Errorf("file %d is %q in its v1 part, %q in its v2 part", i+1, clip(a.Path), clip(b.Path))
		case a.Length != b.Length:
			return fmt.Errorf("%q has %d bytes in its v1 part, %d in its v2 part", clip(a.Path), a.Length, b.Length)
		case a.Length > 0 && a.Offset != b.Offset:
			return fmt.Errorf("%q does not begin at the same piece in its v1 and v2 parts", clip(a.Path))
		}
		a.Root = b.Root
		a.Executable = a.Executable || b.Executable
	}
	return nil
}
