package blob

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"strings"
	"testing"
)

// Of one file there is one info dictionary: whatever else gives the same torrent, or a like one, is refused.
func TestCheckInfoRefuses(t *testing.T) {
	t.Parallel()
	good := string(infoDict(1<<20, MinPiece, content(1, 80)))
	check := func(dict string) error {
		id, b := Clear(Info, nil, []byte(dict))
		tor, err := CheckInfo(id, b)
		if err == nil && (tor.InfoHash != sha1.Sum([]byte(dict)) || tor.Info != id || tor.Pieces() != 4) {
			t.Errorf("read as %+v", tor)
		}
		return err
	}
	if err := check(good); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string][2]string{
		"another key":        {"7:privatei1e", "7:privatei1e6:source1:x"},
		"not private":        {"7:privatei1e", "7:privatei0e"},
		"another name":       {"4:name1:s", "4:name1:t"},
		"no name":            {"4:name1:s", ""},
		"length with a zero": {"i1048576e", "i01048576e"},
		"length not padded":  {"i1048576e", "i1048577e"},
		"longer":             {"i1048576e", "i2097152e"},
		"one piece":          {"i1048576e", "i270336e"},
		"small":              {"i1048576e", "i262144e"},
		"negative":           {"i1048576e", "i-1048576e"},
		"length a string":    {"i1048576e", "7:1048576"},
		"huge":               {"i1048576e", "i4611686018427387904e"},
		"more than an int":   {"i1048576e", "i99999999999999999999e"},
		"other pieces":       {"i262144e", "i524288e"},
		"unsorted":           {"4:name1:s12:piece lengthi262144e", "12:piece lengthi262144e4:name1:s"},
		"twice":              {"4:name1:s", "4:name1:s4:name1:s"},
		"after the end":      {"i1ee", "i1eee"},
		"not at its end":     {"i1ee", "i1e"},
		"deep":               {"i1048576e", strings.Repeat("l", 5000) + strings.Repeat("e", 5000)},
	} {
		dict := strings.Replace(good, r[0], r[1], 1)
		if dict == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := check(dict); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	id, b := Clear(Moved, nil, []byte(good))
	if _, err := CheckInfo(id, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("another kind: %v", err)
	}
	if _, err := CheckInfo(ID{4}, b); !errors.Is(err, ErrID) {
		t.Errorf("another blob: %v", err)
	}
}

func TestOpenRecipeRefuses(t *testing.T) {
	t.Parallel()
	const size = 1<<20 - 5
	conv := [32]byte{1}
	c := ingest(t, conv, content(1, size))
	info, recipe := c.Blobs[0].Bytes, c.Blobs[1].Bytes
	_, plain, err := Open(c.Cap, recipe)
	if err != nil {
		t.Fatal(err)
	}
	plain = plain[:recipeHead+4*32]
	resealed := func(plain []byte) (Cap, []byte) { return Seal(conv, Recipe, []ID{c.Large.Info}, plain) }
	open := func(plain []byte, size int64) error {
		cp, b := resealed(plain)
		_, err := OpenRecipe(cp, size, c.Hash, b, info)
		return err
	}
	if err := open(plain, size); err != nil {
		t.Fatal(err)
	}
	changed := func(at int) []byte {
		p := bytes.Clone(plain)
		p[at] ^= 1
		return p
	}
	for name, err := range map[string]error{
		"other size in the recipe": open(changed(7), size),
		"other size in the entry":  open(plain, size-1),
		"both, but not the padded": open(append([]byte{0, 0, 0, 0, 0, 1, 0, 0}, plain[8:]...), 1<<16),
		"other hash":               open(changed(8), size),
		"a key less":               open(plain[:len(plain)-32], size),
		"a key more":               open(append(bytes.Clone(plain), plain[:32]...), size),
		"bytes in the padding":     open(append(bytes.Clone(plain), 1), size),
		"no bytes":                 open(nil, size),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	otherInfo := ingest(t, conv, content(2, size)).Blobs[0].Bytes
	if _, err := OpenRecipe(c.Cap, size, c.Hash, recipe, otherInfo); !errors.Is(err, ErrID) {
		t.Errorf("another info: %v", err)
	}
	data, b := Seal(conv, Data, nil, plain)
	if _, err := OpenRecipe(data, size, c.Hash, b, info); !errors.Is(err, ErrInvalid) {
		t.Errorf("a data blob: %v", err)
	}
	noKey := Cap{ID: c.Cap.ID}
	if _, err := OpenRecipe(noKey, size, c.Hash, recipe, info); !errors.Is(err, ErrInvalid) {
		t.Errorf("another key: %v", err)
	}
}

func FuzzCheckInfo(f *testing.F) {
	f.Add(infoDict(1<<20, MinPiece, make([]byte, 80)))
	f.Add(infoDict(270336, MinPiece, make([]byte, 40)))
	f.Add([]byte("d6:lengthi0e6:pieces0:e"))
	f.Fuzz(func(t *testing.T, dict []byte) {
		if len(dict) > MaxBlob-headLen {
			return
		}
		id, b := Clear(Info, nil, dict)
		tor, err := CheckInfo(id, b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		var sum int64
		for i := range tor.Pieces() {
			sum += tor.PieceLen(i)
		}
		if sum != tor.Length || tor.Pieces() > MaxPieces || !bytes.Equal(infoDict(tor.Length, tor.PieceLength, tor.Sums), dict) {
			t.Fatalf("%d bytes in %d pieces", tor.Length, tor.Pieces())
		}
	})
}

// What writers of the share seal may be anything.
func FuzzOpenRecipe(f *testing.F) {
	const size = Small + 1
	c, err := Ingest(f.Context(), [32]byte{}, bytes.NewReader(make([]byte, size)), size, 0)
	if err != nil {
		f.Fatal(err)
	}
	_, plain, err := Open(c.Cap, c.Blobs[1].Bytes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain, c.Large.Dict, int64(size))
	f.Add(plain[:40], c.Large.Dict, int64(size))
	f.Add(plain, []byte("de"), int64(-1))
	f.Fuzz(func(t *testing.T, plain, dict []byte, size int64) {
		if len(dict) > MaxBlob-headLen || !Fits(1, len(plain)) {
			return
		}
		id, info := Clear(Info, nil, dict)
		cp, recipe := Seal([32]byte{}, Recipe, []ID{id}, plain)
		var hash [32]byte
		if len(plain) >= recipeHead {
			copy(hash[:], plain[8:])
		}
		l, err := OpenRecipe(cp, size, hash, recipe, info)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		// It can be served and fetched: sizes, keys and pieces belong together.
		if len(l.Keys) != l.Pieces() || Padme(l.Size) != l.Length || l.Padding(0) {
			t.Fatalf("a recipe of %d bytes, %d keys, %d pieces", l.Size, len(l.Keys), l.Pieces())
		}
		buf := make([]byte, 2)
		l.Crypt(l.Length-2, buf, buf)
	})
}
