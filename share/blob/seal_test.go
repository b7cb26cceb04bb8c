package blob

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

// refsOf draws references that a blob of kind k may have.
func refsOf(k Kind) *rapid.Generator[[]ID] {
	id := func(kinds ...Kind) *rapid.Generator[ID] {
		return rapid.Custom(func(t *rapid.T) (id ID) {
			copy(id[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id"))
			id[0] = byte(rapid.SampledFrom(kinds).Draw(t, "kind"))
			return id
		})
	}
	switch k {
	case Node:
		return rapid.SliceOfN(id(Node, Data, Recipe, 7, 255), 0, 40)
	case Recipe:
		return rapid.SliceOfN(id(Info), 1, 1)
	case Head:
		return rapid.SliceOfN(id(Node), 1, 1)
	}
	return rapid.Just[[]ID](nil)
}

func drawConv(t *rapid.T) (k [32]byte) {
	copy(k[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "conv"))
	return k
}

func TestSealOpens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{Node, Data, Recipe}).Draw(t, "kind")
		refs := refsOf(kind).Draw(t, "refs")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "plain")
		conv := drawConv(t)
		c, b := Seal(conv, kind, refs, plain)
		if c.ID.Kind() != kind {
			t.Fatalf("kind of the id: %d", c.ID.Kind())
		}
		gotRefs, got, err := Open(c, b)
		if err != nil {
			t.Fatal(err)
		}
		want := append(bytes.Clone(plain), make([]byte, Padme(int64(len(plain)))-int64(len(plain)))...)
		if fmt.Sprint(gotRefs) != fmt.Sprint(refs) || !bytes.Equal(got, want) {
			t.Fatal("opened to something else")
		}
		if c2, b2 := Seal(conv, kind, refs, plain); c2 != c || !bytes.Equal(b, b2) {
			t.Fatal("equal content, other blob")
		}
		for _, p := range [][]byte{plain, got} { // a node may have either
			if again, err := Reseal(c, refs, p); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("made again: %v", err)
			}
		}
	})
}

// Whatever goes into a blob goes into its key: two blobs under one key would give both away.
func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		refs := refsOf(Node).Filter(func(r []ID) bool { return len(r) > 0 }).Draw(t, "refs")
		plain := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "plain")
		conv := drawConv(t)
		other := conv
		other[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		seen := map[Key]string{}
		for what, key := range map[string]Key{
			"itself":        sealKey(conv, Node, refs, plain),
			"other secret":  sealKey(other, Node, refs, plain),
			"other refs":    sealKey(conv, Node, append([]ID{{1, 9}}, refs...), plain),
			"no refs":       sealKey(conv, Node, nil, plain),
			"other kind":    sealKey(conv, Data, nil, plain),
			"one zero more": sealKey(conv, Node, refs, append(bytes.Clone(plain), 0)),
		} {
			if first, twice := seen[key]; twice {
				t.Fatalf("%s and %s have one key", first, what)
			}
			seen[key] = what
		}
	})
}

func sealKey(conv [32]byte, kind Kind, refs []ID, plain []byte) Key {
	c, _ := Seal(conv, kind, refs, plain)
	return c.Key
}

func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "plain")
		c, b := Seal(drawConv(t), Data, nil, plain)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := Verify(c.ID, b); !errors.Is(err, ErrID) {
			t.Fatalf("a flipped bit: %v", err)
		}
		if err := Verify(c.ID, b[:len(b)-1]); !errors.Is(err, ErrID) {
			t.Fatalf("a byte less: %v", err)
		}
		plain[0] ^= 1
		if _, err := Reseal(c, nil, plain); !errors.Is(err, ErrID) {
			t.Fatalf("made again of other content: %v", err)
		}
	})
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	plain := bytes.Repeat([]byte("seven! "), 100)[:699]
	sum := sha256.Sum256(plain)
	c, b := Seal([32]byte{1}, Data, nil, plain)
	if got, err := OpenFile(c, 699, sum, b); err != nil || !bytes.Equal(got, plain) {
		t.Fatal(err)
	}
	if _, err := OpenFile(c, 650, sum, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("other size: %v", err)
	}
	if _, err := OpenFile(c, 699, [32]byte{}, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("other hash: %v", err)
	}
	// What is in the padding is part of no file.
	dirty, b := Seal([32]byte{1}, Data, nil, append(bytes.Clone(plain), 1))
	if _, err := OpenFile(dirty, 699, sum, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("bytes in the padding: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	of := func(version, kind byte, body int, refs ...byte) []byte {
		b := []byte{'S', version, kind, byte(len(refs) >> 8), byte(len(refs))}
		for _, r := range refs {
			b = append(append(b, r), make([]byte, 31)...)
		}
		return append(b, make([]byte, body)...)
	}
	for name, tc := range map[string]struct {
		b  []byte
		ok bool
	}{
		"empty":                   {nil, false},
		"other letter":            {[]byte("T\x01\x02\x00\x00"), false},
		"version 0":               {of(0, 2, 0), false},
		"kind 0":                  {of(1, 0, 0), false},
		"data":                    {of(1, 2, 16), true},
		"data not padded":         {of(1, 2, 17), false},
		"data with a reference":   {of(1, 2, 16, 2), false},
		"node":                    {of(1, 1, 16, 1, 2, 3, 7, 255), true},
		"node with an info":       {of(1, 1, 16, 4), false},
		"node with a head":        {of(1, 1, 16, 5), false},
		"node with kind 0":        {of(1, 1, 16, 0), false},
		"recipe":                  {of(1, 3, 16, 4), true},
		"recipe without info":     {of(1, 3, 16), false},
		"recipe with two":         {of(1, 3, 16, 4, 4), false},
		"recipe with data":        {of(1, 3, 16, 2), false},
		"info":                    {of(1, 4, 17), true},
		"info with a reference":   {of(1, 4, 17, 1), false},
		"head":                    {of(1, 5, 17, 1), true},
		"head without root":       {of(1, 5, 17), false},
		"moved":                   {of(1, 6, 17), true},
		"moved with a reference":  {of(1, 6, 17, 1), false},
		"unknown kind":            {of(1, 9, 17, 1, 4, 5, 9), true},
		"unknown kind, no kind":   {of(1, 9, 17, 0), false},
		"unknown version of data": {of(2, 2, 17, 5), true},
		"cut":                     {of(1, 1, 0, 1)[:20], false},
		"4096 references":         {of(1, 1, 0, bytes.Repeat([]byte{2}, MaxRefs)...), true},
		"4097 references":         {of(1, 1, 0, bytes.Repeat([]byte{2}, MaxRefs+1)...), false},
		"1 MiB":                   {of(1, 4, MaxBlob-5), true},
		"1 MiB and one":           {of(1, 4, MaxBlob-4), false},
	} {
		_, err := Parse(tc.b)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A blob that is what its id says, but under another kind.
	id, b := Clear(Moved, nil, []byte("x"))
	id[0] = byte(Info)
	if err := Verify(id, b); !errors.Is(err, ErrID) {
		t.Errorf("an id of another kind: %v", err)
	}
	if _, _, err := Open(Cap{ID: idOf(b)}, b); !errors.Is(err, ErrInvalid) {
		t.Errorf("opening what is in the clear: %v", err)
	}
}

func TestCryptSeeks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := Key(drawConv(t))
		plain := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "plain")
		whole := make([]byte, len(plain))
		Crypt(key, 0, whole, plain)
		from := rapid.IntRange(0, len(plain)).Draw(t, "from")
		part := make([]byte, len(plain)-from)
		Crypt(key, int64(from), part, whole[from:])
		if !bytes.Equal(part, plain[from:]) {
			t.Fatal("a part decrypts to something else")
		}
	})
}

func TestPadme(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]int64{-1: 0, 0: 0, 1: 1, 2: 2, 3: 3, 8: 8, 9: 10, 200: 208, 1 << 18: 1 << 18, 1<<18 + 1: 1<<18 + 1<<13, 1024040: 1032192} {
		if got := Padme(n); got != want {
			t.Errorf("Padme(%d) = %d, want %d", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1<<62).Draw(t, "n")
		p := Padme(n)
		if p < n || float64(p-n) > 0.12*float64(n) || Padme(p) != p || Padme(n-1) > p {
			t.Fatalf("Padme(%d) = %d", n, p)
		}
		// What the length tells: an exponent, and the first bits after it.
		e := bits.Len64(uint64(p)) - 1
		if bits.TrailingZeros64(uint64(p)) < e-bits.Len(uint(e)) {
			t.Fatalf("Padme(%d) = %d tells more than it may", n, p)
		}
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	id, _ := Clear(Info, nil, []byte("x"))
	var back ID
	if err := back.UnmarshalText([]byte(id.String())); err != nil || back != id {
		t.Fatal(err)
	}
	for _, bad := range []string{"", id.String()[1:], id.String() + "00", "x" + id.String()[1:]} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	c := Cap{ID: id, Key: Key(bytes.Repeat([]byte{0xab}, 32))}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "cap", c, "key", c.Key)
	fmt.Fprintf(&log, "%v %+v %#v %x %s %d %q", c, c, c.Key, c.Key, c, c, struct{ K Key }{c.Key})
	for _, secret := range []string{"abab", "171", "ABAB", "\xab"} {
		if bytes.Contains(log.Bytes(), []byte(secret)) {
			t.Errorf("a key was printed: %s", log.Bytes())
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, k := range []Kind{Node, Data} {
		_, b := Seal([32]byte{}, k, nil, []byte("hello"))
		f.Add(b)
	}
	_, b := Seal([32]byte{}, Recipe, []ID{{4}}, []byte("hello"))
	f.Add(b)
	_, b = Clear(Head, []ID{{1}}, []byte("hello"))
	f.Add(b)
	f.Add([]byte("S\x02\x63\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		again := AppendHeader(nil, h.Kind, h.Refs)
		again[1] = h.Version
		if !bytes.Equal(append(again, h.Body...), b) {
			t.Fatal("written again it is another blob")
		}
		if Verify(idOf(b), b) != nil {
			t.Fatal("parses, and is not the blob of its own id")
		}
	})
}
