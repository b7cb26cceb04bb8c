package blob

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"shoal/share/internal/golden"
)

// vectors is the format as numbers, for other implementations. Byte strings are hex; content is as the function content
// of these tests makes it: H(seed || u64 0) || H(seed || u64 1) || ..., cut to size.
type vectors struct {
	Conv        string       `json:"conv"`
	Padme       [][2]int64   `json:"padme"`        // length, Padmé length
	PieceLength [][2]int64   `json:"piece_length"` // L, P(L)
	Blobs       []blobVector `json:"blobs"`
	Files       []fileVector `json:"files"`
}

type blobVector struct {
	Kind  Kind   `json:"kind"`
	Refs  []ID   `json:"refs"`
	Plain string `json:"plain"`
	ID    ID     `json:"id"`
	Key   string `json:"key,omitempty"` // of the kinds that are sealed
	Blob  string `json:"blob"`
}

type fileVector struct {
	Seed     byte   `json:"seed"`
	Size     int64  `json:"size"`
	F        string `json:"f"`
	ID       ID     `json:"id"`
	Key      string `json:"key"`
	Info     *ID    `json:"info,omitempty"`
	InfoHash string `json:"infohash,omitempty"`
}

func makeVectors(t *testing.T) vectors {
	conv := [32]byte(content(0xc0, 32))
	v := vectors{Conv: hex.EncodeToString(conv[:])}
	for _, n := range []int64{0, 1, 2, 9, 100, 1000, 65537, Small + 1, 1024040, 8<<30 + 1, MaxFile - 1} {
		v.Padme = append(v.Padme, [2]int64{n, Padme(n)})
	}
	for _, n := range []int64{1, 32000 * MinPiece, 32000*MinPiece + 1, 8 << 30, 100 << 30, MaxFile} {
		p, err := PieceLength(n)
		if err != nil {
			t.Fatal(err)
		}
		v.PieceLength = append(v.PieceLength, [2]int64{n, p})
	}
	id := func(k Kind, seed byte) ID {
		id := ID(content(seed, 32))
		id[0] = byte(k)
		return id
	}
	for _, b := range []struct {
		kind  Kind
		refs  []ID
		plain string
	}{
		{Node, nil, "le"},
		{Node, []ID{id(Node, 1), id(Data, 2), id(Recipe, 3)}, "d1:n5:a.txte"},
		{Data, nil, "Hello, world!"},
		{Recipe, []ID{id(Info, 4)}, "the plain text of a recipe is not looked at here"},
		{Info, nil, "d6:lengthi0ee"},
		{Head, []ID{id(Node, 5)}, "de"},
		{Moved, nil, "de"},
	} {
		bv := blobVector{Kind: b.kind, Refs: b.refs, Plain: hex.EncodeToString([]byte(b.plain))}
		var raw []byte
		if b.kind.Sealed() {
			var c Cap
			c, raw = Seal(conv, b.kind, b.refs, []byte(b.plain))
			bv.ID, bv.Key = c.ID, hex.EncodeToString(c.Key[:])
		} else {
			bv.ID, raw = Clear(b.kind, b.refs, []byte(b.plain))
		}
		bv.Blob = hex.EncodeToString(raw)
		v.Blobs = append(v.Blobs, bv)
	}
	for i, size := range []int64{1, 1000, Small, Small + 1, 1<<20 + 1, 5_000_000} {
		c := ingest(t, conv, content(byte(i), size))
		f := fileVector{Seed: byte(i), Size: size, F: hex.EncodeToString(c.Hash[:]), ID: c.Cap.ID, Key: hex.EncodeToString(c.Cap.Key[:])}
		if c.Large != nil {
			f.Info, f.InfoHash = &c.Large.Info, hex.EncodeToString(c.Large.InfoHash[:])
		}
		v.Files = append(v.Files, f)
	}
	return v
}

func TestGolden(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(makeVectors(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "vectors.json", append(got, '\n'))
}
