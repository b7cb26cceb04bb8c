package wire

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A Torrent is what test peers need to know of a .torrent file.
type Torrent struct {
	Raw         []byte // the whole .torrent file
	Info        []byte // the info dictionary, byte for byte
	Name        string
	InfoHash    [20]byte // v1
	InfoHashV2  [32]byte // zero when the torrent has no v2 part
	PieceLength int64
	Length      int64 // of the piece space, pads included
	Files       []File
}

// A File lies at Offset in the piece space.
type File struct {
	Path   string // below the torrent's parent folder: Name alone or Name/...
	Length int64
	Offset int64
	Pad    bool
}

// LoadTorrent reads a .torrent file that is known to be good.
func LoadTorrent(path string) (*Torrent, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := ParseTorrent(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return t, nil
}

// ParseTorrent reads the bytes of a .torrent file.
func ParseTorrent(b []byte) (*Torrent, error) {
	raw, err := RawValue(b, "info")
	if err != nil {
		return nil, err
	}
	v, _, err := Bdecode(raw)
	if err != nil {
		return nil, err
	}
	info, ok := v.(Dict)
	if !ok {
		return nil, errBencode
	}
	t := &Torrent{Raw: b, Info: raw, InfoHash: sha1.Sum(raw)}
	t.Name, _ = info["name"].(string)
	t.PieceLength, _ = info["piece length"].(int64)
	if t.PieceLength <= 0 {
		return nil, fmt.Errorf("piece length %d", t.PieceLength)
	}
	if info["meta version"] == int64(2) {
		t.InfoHashV2 = sha256.Sum256(raw)
	}
	if _, v1 := info["pieces"]; v1 {
		t.addFilesV1(info)
	} else if tree, ok := info["file tree"].(Dict); ok {
		t.InfoHash = [20]byte(t.InfoHashV2[:20])
		t.addFilesV2(tree, "", len(tree) == 1)
	}
	return t, nil
}

func (t *Torrent) addFilesV1(info Dict) {
	files, many := info["files"].(List)
	if !many {
		n, _ := info["length"].(int64)
		t.add(File{Path: t.Name, Length: n})
		return
	}
	for _, f := range files {
		f, _ := f.(Dict)
		path := t.Name
		parts, _ := f["path"].(List)
		for _, p := range parts {
			s, _ := p.(string)
			path = filepath.Join(path, s)
		}
		n, _ := f["length"].(int64)
		attr, _ := f["attr"].(string)
		t.add(File{Path: path, Length: n, Pad: attr == "p"})
	}
}

// addFilesV2 walks a file tree; files begin at a piece (BEP 52). A tree of one file at the top is that file alone.
func (t *Torrent) addFilesV2(tree Dict, dir string, top bool) {
	for _, name := range sortedKeys(tree) {
		node, _ := tree[name].(Dict)
		leaf, isFile := node[""].(Dict)
		if !isFile {
			t.addFilesV2(node, filepath.Join(dir, name), false)
			continue
		}
		path := filepath.Join(t.Name, dir, name)
		if top && dir == "" {
			path = name
		}
		n, _ := leaf["length"].(int64)
		t.Length = (t.Length + t.PieceLength - 1) / t.PieceLength * t.PieceLength
		t.add(File{Path: path, Length: n})
	}
}

func (t *Torrent) add(f File) {
	f.Offset = t.Length
	t.Files = append(t.Files, f)
	t.Length += f.Length
}

// NumPieces is the number of pieces.
func (t *Torrent) NumPieces() int { return int((t.Length + t.PieceLength - 1) / t.PieceLength) }

// PieceLen is the length of one piece in bytes; the last may be short.
func (t *Torrent) PieceLen(piece int) int64 {
	return min(t.PieceLength, t.Length-int64(piece)*t.PieceLength)
}

// Has reports whether a block lies in the torrent and may be asked for.
func (t *Torrent) Has(b Block) bool {
	return int64(b.Piece) < int64(t.NumPieces()) && b.Length <= 128<<10 &&
		int64(b.Begin)+int64(b.Length) <= t.PieceLen(int(b.Piece))
}

// Offset is where a block begins in the piece space.
func (t *Torrent) Offset(b Block) int64 { return int64(b.Piece)*t.PieceLength + int64(b.Begin) }

func sortedKeys(d Dict) []string { return slices.Sorted(maps.Keys(d)) }
