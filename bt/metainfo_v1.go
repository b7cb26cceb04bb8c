package bt

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"math"
	"strings"

	"shoal/bt/bencode"
)

// readV1 reads the files and pieces of BEP 3.
func (m *Metainfo) readV1(in *info, rules pathRules) error {
	m.hashes = in.pieces
	m.NumPieces = len(in.pieces) / sha1.Size
	switch {
	case len(in.pieces)%sha1.Size != 0:
		return fmt.Errorf("pieces is %d bytes long, no multiple of 20", len(in.pieces))
	case m.NumPieces > maxPieces:
		return fmt.Errorf("it has %d pieces, more than %d", m.NumPieces, maxPieces)
	}
	var err error
	switch {
	case in.files != nil:
		m.Dir = true
		err = m.readV1Files(in.files, rules)
	case in.hasLength:
		err = m.addV1(&v1File{number: 1, length: in.length, attr: in.attr}, nil)
	default:
		err = errors.New("it has neither files nor a length")
	}
	if err != nil {
		return err
	}
	// Not rounded up by adding: the sum may be close to the largest there is.
	need := m.space / m.PieceLength
	if m.space%m.PieceLength != 0 {
		need++
	}
	if need != int64(m.NumPieces) {
		return fmt.Errorf("%d bytes make %d pieces of %d, but it has hashes of %d", m.space, need, m.PieceLength, m.NumPieces)
	}
	return nil
}

// bytesPerFile is what an entry of an info dictionary takes, roughly: to make room once.
const bytesPerFile = 60

// A v1File is an entry of the list of files. Slices are of the input.
type v1File struct {
	number     int // in the list, from 1
	length     int64
	path, utf8 []byte // lists, in bencode
	attr       []byte
}

func (m *Metainfo) readV1Files(list []byte, rules pathRules) error {
	guess := len(list) / bytesPerFile
	tree := newPathTree(rules, guess)
	m.Files = make([]File, 0, guess)
	c, n := bencode.NewCursor(list), 1
	for c.Enter(bencode.List); c.More(); n++ {
		f, err := readV1File(c)
		if err == nil {
			f.number = n
			err = m.addV1(&f, tree)
		}
		if err != nil {
			return fmt.Errorf("file %d: %w", n, err)
		}
	}
	return nil
}

// addV1 appends a file to the piece space, and to Files when it is one. Without a tree it is the torrent's only one.
func (m *Metainfo) addV1(f *v1File, tree *pathTree) error {
	switch {
	case f.length < 0:
		return fmt.Errorf("length %d", f.length)
	case f.length > math.MaxInt64-m.space:
		return errors.New("the files are too large together")
	case len(m.Files) == maxFiles:
		return fmt.Errorf("it has more than %d files", maxFiles)
	}
	offset := m.space
	m.space += f.length
	if bytes.ContainsAny(f.attr, "pl") { // pad or symbolic link (BEP 47)
		return nil
	}
	p := m.Name
	if tree != nil {
		var err error
		if p, err = f.place(tree); err != nil {
			return err
		}
	}
	// BitComet's pads, which are older than BEP 47.
	if strings.HasPrefix(p[strings.LastIndexByte(p, '/')+1:], "_____padding_file_") {
		return nil
	}
	m.Files = append(m.Files, File{Path: p, Number: f.number, Length: f.length, Offset: offset,
		Executable: bytes.Contains(f.attr, []byte("x"))})
	return nil
}

func readV1File(c *bencode.Cursor) (f v1File, err error) {
	if !c.Enter(bencode.Dict) {
		return f, errors.New("it is not a dictionary")
	}
	ok, hasLength := true, false
	for c.More() {
		switch key, _ := c.Bytes(); string(key) {
		case "length":
			if hasLength {
				return f, errors.New("it has two lengths")
			}
			f.length, ok = c.Int64()
			hasLength = true
		case "path":
			if f.path != nil {
				return f, errors.New("it has two paths")
			}
			f.path = c.Skip()
		case "path.utf-8":
			f.utf8 = c.Skip()
		case "attr":
			f.attr, _ = c.Bytes()
		default:
			c.Skip()
		}
		if !ok {
			return f, errors.New("its length is no integer of 64 bits")
		}
	}
	if !hasLength {
		return f, errors.New("it has no length")
	}
	return f, nil
}

// place gives the file its path in the tree.
func (f *v1File) place(tree *pathTree) (string, error) {
	list := f.utf8
	if !isPath(list) {
		list = f.path
	}
	if !isPath(list) {
		return "", errors.New("it has no path")
	}
	var dir folder
	var name string
	c := bencode.NewCursor(list)
	for c.Enter(bencode.List); c.More(); {
		b, ok := c.Bytes()
		if !ok {
			return "", errors.New("its path is not a list of strings")
		}
		part, err := tree.rules.component(b)
		if err != nil {
			return "", err
		}
		if part == "" {
			continue
		}
		if name != "" {
			if dir, err = tree.dir(dir, name); err != nil {
				return "", err
			}
		}
		name = part
	}
	if name == "" {
		return "", errors.New("its path is empty")
	}
	return tree.file(dir, name)
}

// isPath reports whether b is a list that has items.
func isPath(b []byte) bool { return len(b) > 2 && b[0] == 'l' }
