package bt

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"

	"shoal/bt/bencode"
)

// info is what an info dictionary says, before it is made sense of. Slices are of the input.
type info struct {
	name, nameUTF8  []byte
	attr            []byte // of a single file
	source          string
	pieces          []byte
	files, fileTree []byte // bencode
	pieceLength     int64
	length          int64
	hasLength       bool
	version         int64 // "meta version"
	private         int64
}

// parseInfo makes a Metainfo of an info dictionary, which it keeps. b passed bencode.Check.
func parseInfo(b []byte, rules pathRules) (*Metainfo, error) {
	if len(b) > maxInfoSize {
		return nil, fmt.Errorf("the info dictionary is larger than %d MiB", maxInfoSize>>20)
	}
	in, err := readInfo(bencode.NewCursor(b))
	if err != nil {
		return nil, err
	}
	hasV1 := in.pieces != nil
	hasV2 := in.version == 2 && in.fileTree != nil
	m := &Metainfo{InfoBytes: b, PieceLength: in.pieceLength, Private: in.private == 1, Source: in.source}
	if err := in.checkVersion(hasV1, hasV2); err != nil {
		return nil, err
	}
	if hasV1 {
		m.InfoHash = sha1.Sum(b)
	}
	if hasV2 {
		m.InfoHashV2 = sha256.Sum256(b)
	}
	if m.Name, err = in.torrentName(rules); err != nil {
		return nil, err
	}
	if m.Name == "" {
		m.Name = m.Short().String() // as libtorrent does
	}
	if hasV1 {
		if err := m.readV1(&in, rules); err != nil {
			return nil, err
		}
	}
	if hasV2 {
		if err := m.readV2(&in, rules); err != nil {
			return nil, err
		}
	}
	for i := range m.Files {
		m.Length += m.Files[i].Length
	}
	return m, nil
}

func (in *info) checkVersion(hasV1, hasV2 bool) error {
	switch {
	case in.version != 0 && in.version != 1 && in.version != 2:
		return fmt.Errorf("meta version %d is not known", in.version)
	case in.version == 2 && !hasV2:
		return errors.New("it has no file tree")
	case !hasV1 && !hasV2:
		return errors.New("it has no pieces")
	case in.pieceLength <= 0 || in.pieceLength > maxPieceLength:
		return fmt.Errorf("piece length %d", in.pieceLength)
	case hasV2 && (in.pieceLength < blockSize || in.pieceLength&(in.pieceLength-1) != 0):
		return fmt.Errorf("piece length %d is not a power of two of at least 16 KiB", in.pieceLength)
	}
	return nil
}

// readInfo gathers the keys that are known. A repeated one is an error: programs differ in which they believe.
func readInfo(c *bencode.Cursor) (in info, err error) {
	if !c.Enter(bencode.Dict) {
		return in, errors.New("info is not a dictionary")
	}
	seen := map[string]bool{}
	for c.More() {
		key, _ := c.Bytes()
		known, ok := true, true
		switch string(key) {
		case "name":
			in.name, ok = c.Bytes()
		case "name.utf-8":
			in.nameUTF8, _ = c.Bytes()
		case "piece length":
			in.pieceLength, ok = c.Int64()
		case "pieces":
			in.pieces, ok = c.Bytes()
		case "length":
			in.length, ok = c.Int64()
			in.hasLength = true
		case "attr":
			in.attr, _ = c.Bytes()
		case "files":
			ok = c.Kind() == bencode.List
			in.files = c.Skip()
		case "file tree":
			ok = c.Kind() == bencode.Dict
			in.fileTree = c.Skip()
		case "meta version":
			in.version, ok = c.Int64()
		case "private":
			in.private, _ = c.Int64()
		case "source":
			in.source = readText(c)
		default:
			known = false
			c.Skip()
		}
		switch {
		case !ok:
			return in, fmt.Errorf("%q is of the wrong type", key)
		case known && seen[string(key)]:
			return in, fmt.Errorf("%q is there twice", key)
		case known:
			seen[string(key)] = true
		}
	}
	return in, nil
}

func (in *info) torrentName(rules pathRules) (string, error) {
	if s, err := rules.component(in.nameUTF8); err == nil && s != "" {
		return s, nil
	}
	return rules.component(in.name)
}
