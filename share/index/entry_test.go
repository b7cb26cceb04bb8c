package index

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// An entry has the encoding that the general encoder gives, and is read back from it.
func TestEntryRoundTrip(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(7, 7))
	var prev Entry
	for i := range 3000 {
		e := randomEntry(rnd, []string{"a", "é.txt", strings.Repeat("n", 255)}[i%3], dotOf(byte(i), rnd.Uint64()>>1|1))
		if err := e.Check(); err != nil {
			t.Fatal(err)
		}
		raw := e.Raw()
		if want := naiveEntry(e, nil).Encode(); !bytes.Equal(raw, want) {
			t.Fatalf("%q, want %q", raw, want)
		}
		got, err := ParseEntry(raw, e.IDs())
		if err != nil || !reflect.DeepEqual(got, e) || !got.Equal(&e) {
			t.Fatalf("%q gives %+v, %v; want %+v", raw, got, err, e)
		}
		if same := e.Compare(&prev) == 0; same != e.Equal(&prev) {
			t.Fatalf("%+v and %+v: one of Compare and Equal is wrong", e, prev)
		}
		prev = e
	}
}

func TestEntryRefused(t *testing.T) {
	t.Parallel()
	d := dotOf(1, 1)
	file := func(change func(*Entry)) Entry {
		e := fileOf("f", dotOf(1, 5))
		change(&e)
		return e
	}
	for name, e := range map[string]Entry{
		"no dot":                  {Name: "f", Type: Dir},
		"a counter beyond int64":  {Name: "f", Type: Dir, Dot: Dot{Writer{1}, 1 << 63}},
		"no type":                 {Name: "f", Dot: d},
		"a type that is a line":   {Name: "f", Type: '\n', Dot: d},
		"a directory with a cap":  {Name: "f", Type: Dir, Dot: d, Caps: []blob.Cap{capOf(blob.Node)}},
		"a directory with a time": {Name: "f", Type: Dir, Dot: d, MTime: 1},
		"a symlink to nothing":    {Name: "f", Type: Symlink, Dot: d},
		"a symlink with a mode":   {Name: "f", Type: Symlink, Dot: d, Value: []byte("x"), HasMode: true},
		"a link without token":    {Name: "f", Type: Link, Dot: d},
		"a pin without cap":       {Name: "f", Type: Pin, Dot: d},
		"a pin of a file":         {Name: "f", Type: Pin, Dot: d, Caps: []blob.Cap{capOf(blob.Data)}},
		"a tree with a dot":       {Name: "f", Type: Tree, Dot: d, Caps: []blob.Cap{capOf(blob.Node)}},
		"a tree without cap":      {Name: "f", Type: Tree},
		"setuid":                  file(func(e *Entry) { e.Mode = 0o4755 }),
		"a mode that is not":      file(func(e *Entry) { e.HasMode = false }),
		"no size, but a cap":      file(func(e *Entry) { e.Size, e.Hash = 0, [32]byte{} }),
		"no size, but a hash":     file(func(e *Entry) { e.Size, e.Caps = 0, nil }),
		"a size, and no hash":     file(func(e *Entry) { e.Hash = [32]byte{} }),
		"a size, and no cap":      file(func(e *Entry) { e.Caps = nil }),
		"two caps":                file(func(e *Entry) { e.Caps = append(e.Caps, e.Caps[0]) }),
		"a recipe of a small one": file(func(e *Entry) { e.Caps = []blob.Cap{capOf(blob.Recipe)} }),
		"data of a large one":     file(func(e *Entry) { e.Size = blob.Small + 1 }),
		"below nothing":           file(func(e *Entry) { e.Size = -1 }),
		"above everything":        file(func(e *Entry) { e.Size, e.Caps = blob.MaxFile+1, []blob.Cap{capOf(blob.Recipe)} }),
		"a file with a value":     file(func(e *Entry) { e.Value = []byte("x") }),
		"a cap of an info":        {Name: "f", Type: 'z', Dot: d, Caps: []blob.Cap{capOf(blob.Info)}},
		"earlier dots unsorted":   file(func(e *Entry) { e.Old = []Dot{dotOf(2, 1), dotOf(1, 1)} }),
		"extra of known keys":     file(func(e *Entry) { e.Extra = []byte("d1:si1ee") }),
		"extra unsorted":          file(func(e *Entry) { e.Extra = []byte("d1:bi1e1:ai1ee") }),
		"extra not canonical":     file(func(e *Entry) { e.Extra = []byte("d1:ai01ee") }),
		"extra that is none":      file(func(e *Entry) { e.Extra = []byte("de") }),
		"extra of nonsense":       file(func(e *Entry) { e.Extra = []byte("d1:ae") }),
		"a small value in a blob": {Name: "f", Type: Meta, Dot: d, Size: 5, Hash: [32]byte{1}, Caps: []blob.Cap{capOf(blob.Data)}},
		"a value in two places":   {Name: "f", Type: Meta, Dot: d, Size: 5000, Hash: [32]byte{1}, Caps: []blob.Cap{capOf(blob.Data)}, Value: []byte("x")},
	} {
		if err := e.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, e := range map[string]Entry{
		"a long value": {Name: "f", Type: Symlink, Dot: d, Value: make([]byte, MaxValue+1)},
		"many caps":    {Name: "f", Type: 'z', Dot: d, Caps: make([]blob.Cap, MaxCaps+1)},
		"much extra": file(func(e *Entry) {
			e.Extra = bencode.AppendString([]byte("d1:x"), make([]byte, 3000))
			e.Extra = append(e.Extra, 'e')
		}),
	} {
		if err := e.Check(); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, raw := range []string{
		"", "de", "d1:n1:fe",
		"d1:ci1e1:n1:f1:w8:aaaaaaaa1:y1:dee",
		"d1:ci01e1:n1:f1:w8:aaaaaaaa1:y1:de",
		"d1:ci1e1:n01:f1:w8:aaaaaaaa1:y1:de",
		"d1:ci1e1:n1:f1:ole1:w8:aaaaaaaa1:y1:de",
		"d1:ci1e1:n1:f1:ti0e1:w8:aaaaaaaa1:y1:de",
		"d1:ci1e1:n1:f1:v0:1:w8:aaaaaaaa1:y1:le",
		"d1:ci1e1:kle1:n1:f1:w8:aaaaaaaa1:y1:de",
		"d1:ci1e1:n1:f1:w7:aaaaaaa1:y1:de",
		"d1:ci1e1:n1:f1:y1:d1:w8:aaaaaaaae",
		"d1:ci1e1:ci1e1:n1:f1:w8:aaaaaaaa1:y1:de",
		"d1:ci1e1:n1:f1:rli0ee1:w8:aaaaaaaa1:y1:de",
		"d1:ci-1e1:n1:f1:w8:aaaaaaaa1:y1:de",
		"d1:ci18446744073709551617e1:n1:f1:w8:aaaaaaaa1:y1:de",
	} {
		if e, err := ParseEntry([]byte(raw), nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q gives %+v, %v", raw, e, err)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, n := range []string{
		"a", ".a", "...", " ", "-rf", "CON", "a.", "a\nb", "\x7f", "été", ".shoa", ".shoál", "shoal", "\u200bx",
		strings.Repeat("é", 127), ".ｓhoa", "a.shoal", ".shöal", "日本語",
	} {
		if err := CheckName(n); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
	for _, n := range []string{
		"", ".", "..", "a/b", "a\x00", "\xff", "e\u0301", strings.Repeat("a", 256),
		".shoal", ".shoal2", ".SHOAL", ".ShoalIgnore", ".\u200bshoal", "\u200d.shoal", ".sho\u00adal", ".ſhoal", "．shoal",
		".ｓｈｏａｌ", "․shoal", ".s\ufe0fhoal", ".shoal\u0301"[:6] + "é", "\U000e0041.shoal", ".𝐬hoal", ".ⓢhoal",
	} {
		if err := CheckName(n); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", n, err)
		}
	}
}

// An entry that is accepted is valid, and has one form.
func FuzzEntry(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		e := randomEntry(rnd, "name", dotOf(1, 9))
		f.Add(e.Raw(), bytes.Join(split(e.IDs()), nil))
	}
	f.Add([]byte("d1:f2:xx1:n1:f1:tle1:y1:ze"), []byte{})
	f.Fuzz(func(t *testing.T, raw, ids []byte) {
		e, err := ParseEntry(raw, idsOf(ids))
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(e.Raw(), raw) || !slices.Equal(e.IDs(), idsOf(ids)) || e.Check() != nil || len(raw) > MaxEntry {
			t.Fatalf("%q gives %+v, which is %q", raw, e, e.Raw())
		}
	})
}

func split(ids []blob.ID) (b [][]byte) {
	for i := range ids {
		b = append(b, ids[i][:])
	}
	return b
}

// idsOf cuts bytes into ids.
func idsOf(b []byte) (ids []blob.ID) {
	for ; len(b) >= 32; b = b[32:] {
		ids = append(ids, blob.ID(b))
	}
	return ids
}

// A node that is accepted has one form, padding included.
func FuzzNode(f *testing.F) {
	refs, plain := encodeLeaf([]NameSet{{Name: "s", Entries: manySiblings("s", 3), Below: capOf(blob.Node)}})
	f.Add(bytes.Join(split(refs), nil), plain)
	refs, plain = encodeInner(&[fan]blob.Cap{3: capOf(blob.Node, 1), 4: capOf(blob.Node, 2)})
	f.Add(bytes.Join(split(refs), nil), plain)
	r := Root{Files: capOf(blob.Node, 3)}
	refs, plain = r.encode()
	f.Add(bytes.Join(split(refs), nil), plain)
	f.Add([]byte{}, []byte("de"))
	f.Fuzz(func(t *testing.T, ids, plain []byte) {
		refs := idsOf(ids)
		padded := append(bytes.Clone(plain), make([]byte, blob.Padme(int64(len(plain)))-int64(len(plain)))...)
		again := func(gotRefs []blob.ID, got []byte) {
			if !slices.Equal(refs, gotRefs) || !bytes.HasPrefix(padded, got) || blob.Padme(int64(len(got))) != int64(len(padded)) {
				t.Fatalf("%q with %v is encoded as %q with %v", padded, refs, got, gotRefs)
			}
		}
		if n, err := decodeNode(refs, padded); err == nil {
			again(n.encode())
			for i := range n.names {
				if s := &n.names[i]; !filepath.IsLocal(s.Name) || len(s.Entries) > MaxSiblings || s.count() == 0 {
					t.Fatalf("accepted: %+v", s)
				}
			}
			_, _ = n.check(Position{})
		} else if !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
		if r, err := decodeRoot(refs, padded); err == nil {
			again(r.encode())
		} else if !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	})
}

// A name that is accepted leads nowhere else, is what file systems make of it, and is not ours in any spelling.
func FuzzName(f *testing.F) {
	for _, s := range []string{"a", ".shoal", "．ｓhoal", "e\u0301", "..", "a/b", "\xff", ".\u200bshoal"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, n string) {
		if CheckName(n) != nil {
			return
		}
		if !filepath.IsLocal(n) || filepath.Base(n) != n || len(n) > 255 || !utf8.ValidString(n) || norm.NFC.String(n) != n {
			t.Fatalf("accepted: %q", n)
		}
		for _, s := range []string{n, strings.ToUpper(n), norm.NFKC.String(n), strings.ToLower(norm.NFKD.String(n))} {
			if s = strings.ToLower(s); strings.HasPrefix(s, ".shoal") && !strings.HasPrefix(norm.NFD.String(s), ".shoal\u0301") && isASCII(s) {
				t.Fatalf("accepted: %q, of which %q (%s) can be made", n, s, hex.EncodeToString([]byte(n)))
			}
		}
	})
}
