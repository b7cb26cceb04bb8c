package bencode_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"shoal/bt/bencode"
)

// odd inputs are valid bencode, mostly not canonical.
var odd = []string{
	"i0e", "i-0e", "i007e", "i-007e", "i123456789012345678901234567890e", "0:", "3:a:b", "le", "de",
	"d1:b0:1:a0:e", "d1:a0:1:ai1ee", "d0:d0:lee1:xl1:yi-1eee", "l" + strings.Repeat("i1e", 50) + "e",
}

func TestWhatWasParsedEncodesTheSame(t *testing.T) {
	for _, in := range odd {
		v, err := bencode.Parse([]byte(in), bencode.Limits{})
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
			continue
		}
		if got := string(v.Encode()); got != in {
			t.Errorf("Parse(%q) encodes to %q", in, got)
		}
	}
}

var broken = []struct{ in, want string }{
	{"", "byte 0: want a value, got the end of the input"},
	{"x", `byte 0: want a value, got "x"`},
	{"e", `byte 0: want a value, got "e"`},
	{"i", "byte 1: want a digit or e, got the end of the input"},
	{"ie", `byte 1: want a digit, got "e"`},
	{"i-e", `byte 2: want a digit, got "e"`},
	{"i+1e", `byte 1: want a digit, got "+"`},
	{"i1.e", `byte 2: want a digit or e, got "."`},
	{"03:abc", `byte 1: want a colon, for a length has no leading zero, got "3"`},
	{"-1:a", `byte 0: want a value, got "-"`},
	{"3:ab", "byte 2: want 3 bytes of string, got only 2"},
	{"2147483648:ab", "byte 11: want 2147483648 bytes of string, got only 2"},
	{"99999999999999999999:", "byte 0: want a length that fits in memory"},
	{"l", "byte 1: want a value, got the end of the input"},
	{"di1e0:e", "byte 1: want a string as key, or e, got a value of kind integer"},
	{"d1:ae", `byte 4: want a value, got "e"`},
	{"i1ei2e", `byte 3: want the end of the input, got "i"`},
	{"llllleeeee", "byte 4: want at most 4 levels"},
	{"l" + strings.Repeat("le", 20) + "e", "byte 39: want at most 20 values"},
	{"200:" + strings.Repeat("x", 200), "byte 0: want a value of at most 100 bytes"},
}

var tight = bencode.Limits{Depth: 4, Size: 100, Count: 20}

func TestSyntaxErrorsNameTheByte(t *testing.T) {
	for _, tt := range broken {
		_, err := bencode.Parse([]byte(tt.in), tight)
		var serr *bencode.SyntaxError
		if !errors.As(err, &serr) || err.Error() != tt.want {
			t.Errorf("Parse(%q): %v, want %s", tt.in, err, tt.want)
		}
	}
}

// readAll is the values of a stream.
func readAll(r io.Reader, lim bencode.Limits) (vals []string, err error) {
	br := bencode.NewReader(r, lim)
	for {
		raw, err := br.Raw()
		if err == io.EOF {
			return vals, nil
		}
		if err != nil {
			return vals, err
		}
		vals = append(vals, string(raw))
	}
}

func TestReaderGivesOneValueAfterTheOther(t *testing.T) {
	all := strings.Join(odd, "")
	for name, r := range map[string]io.Reader{
		"whole":        strings.NewReader(all),
		"byte by byte": iotest.OneByteReader(strings.NewReader(all)),
		"data and EOF": iotest.DataErrReader(strings.NewReader(all)),
	} {
		if got, err := readAll(r, bencode.Limits{}); err != nil || !slices.Equal(got, odd) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestReaderAndParseAgreeOnErrors(t *testing.T) {
	for _, tt := range broken {
		br := bencode.NewReader(iotest.OneByteReader(strings.NewReader(tt.in)), tight)
		_, err := br.Raw()
		if err == nil {
			err = br.End()
		} else if _, again := br.Raw(); again == nil {
			t.Errorf("%q: an error was forgotten", tt.in)
		}
		want := tt.want
		switch {
		case tt.in == "":
			want = "EOF"
		case strings.HasPrefix(tt.in, "2147483648:"):
			want = "byte 0: want a value of at most 100 bytes" // refused before its bytes are waited for
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", tt.in, err, want)
		}
	}
}

func TestReaderErrorsOfTheStreamComeThrough(t *testing.T) {
	boom := errors.New("boom")
	_, err := readAll(io.MultiReader(strings.NewReader("i1el"), iotest.ErrReader(boom)), bencode.Limits{})
	if !errors.Is(err, boom) || bencode.IsSyntax(err) {
		t.Fatalf("got %v", err)
	}
}

func TestTokens(t *testing.T) {
	br := bencode.NewReader(strings.NewReader("d1:ali7eee0:"), bencode.Limits{})
	var got []string
	for {
		tok, err := br.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s := strings.Repeat(" ", tok.Depth) + tok.Kind.String() + " " + string(tok.Text)
		if tok.Key {
			s += " key"
		}
		got = append(got, s)
	}
	want := []string{"dictionary ", " string a key", " list ", "  integer 7", " end ", "end ", "string "}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestHugeLengthAllocatesNothing(t *testing.T) {
	in := []byte("2147483647:" + strings.Repeat("x", 1000))
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			br := bencode.NewReader(bytes.NewReader(in), bencode.Limits{Size: 3 << 30})
			if _, err := br.Raw(); err == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 64<<10 {
		t.Fatalf("%d bytes allocated for a length prefix", allocated)
	}
}

func TestReaderIsLinear(t *testing.T) {
	// A megabyte string, which leaves a large buffer, then many small tokens, then one large list.
	in := "1000000:" + strings.Repeat("x", 1000000) + strings.Repeat("i1e", 100000) + "l" + strings.Repeat("i1e", 1000000) + "e"
	vals, err := readAll(strings.NewReader(in), bencode.Limits{})
	if err != nil || len(vals) != 100002 || strings.Join(vals, "") != in {
		t.Fatalf("%d values, %v", len(vals), err)
	}
}

func TestProblems(t *testing.T) {
	in := "d1:bi007e1:ad1:xi-0e1:x0:e1:a0:e"
	var got []string
	for p := range bencode.Problems([]byte(in)) {
		got = append(got, p.String())
	}
	want := []string{
		"byte 4: integer 007 has a zero too many",
		`byte 9: key "a" comes after "b"`,
		"byte 16: integer -0 has a zero too many",
		`byte 20: key "x" is there twice`,
		`byte 26: key "a" is there twice`,
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q", got)
	}
	if bencode.IsCanonical([]byte(in)) || !bencode.IsCanonical([]byte("d0:i-1e1:a0:e")) {
		t.Error("IsCanonical is wrong")
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"d1:bi007e1:ad2:zzi-0e1:zi-01eee": "d1:ad1:zi-1e2:zzi0ee1:bi7ee",
		"ld1:b0:1:a0:ee":                  "ld1:a0:1:b0:ee",
		"d1:a0:1:a0:e":                    "",
	} {
		v, err := bencode.Parse([]byte(in), bencode.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := v.Canonical(); ok != (want != "") || string(c.Encode()) != want {
			t.Errorf("canonical form of %q: %q", in, c.Encode())
		}
		if string(v.Encode()) != in {
			t.Errorf("%q was changed to %q", in, v.Encode())
		}
	}
}

func TestEditing(t *testing.T) {
	v, err := bencode.Parse([]byte("d1:ai1e1:ci3ee"), bencode.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w := v.With("b", bencode.NewList(bencode.NewString("x"))).With("a", bencode.NewInt(-9)).Without("c")
	if got := string(w.Encode()); got != "d1:ai-9e1:bl1:xee" {
		t.Errorf("got %q", got)
	}
	if got := string(v.Encode()); got != "d1:ai1e1:ci3ee" {
		t.Errorf("the original became %q", got)
	}
	if n, ok := w.Get("a").Int64(); n != -9 || !ok || w.Get("c").Kind() != bencode.End || w.Len() != 2 {
		t.Errorf("Get is wrong: %d %v", n, ok)
	}
	for _, s := range []string{"", "-", "1e", "e", "0x1", "+1", " 1"} {
		if _, ok := bencode.NewIntText(s); ok {
			t.Errorf("NewIntText(%q) accepted", s)
		}
	}
}

func TestInt64(t *testing.T) {
	for in, want := range map[string]struct {
		n  int64
		ok bool
	}{
		"i0e": {0, true}, "i-0e": {0, true}, "i007e": {7, true},
		"i9223372036854775807e":  {1<<63 - 1, true},
		"i9223372036854775808e":  {0, false},
		"i-9223372036854775808e": {-1 << 63, true},
		"i-9223372036854775809e": {0, false},
		"i99999999999999999999e": {0, false},
		"1:1":                    {0, false},
	} {
		if n, ok := bencode.NewCursor([]byte(in)).Int64(); ok != want.ok || ok && n != want.n {
			t.Errorf("%s: %d %v", in, n, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, in := range odd {
		f.Add([]byte(in))
	}
	for _, tt := range broken {
		f.Add([]byte(tt.in))
	}
	lim := bencode.Limits{Depth: 60, Size: 1 << 16, Count: 1000}
	f.Fuzz(func(t *testing.T, b []byte) {
		walk(bencode.NewCursor(b)) // on what was not checked: no panic, and an end
		br := bencode.NewReader(iotest.HalfReader(bytes.NewReader(b)), lim)
		raw, rerr := br.Raw()
		raw = bytes.Clone(raw)
		v, rest, err := bencode.ParsePrefix(b, lim)
		if (err == nil) != (rerr == nil) {
			t.Fatalf("ParsePrefix: %v, Reader: %v", err, rerr)
		}
		if err != nil {
			return
		}
		enc := v.Encode()
		if !bytes.Equal(enc, raw) || !bytes.Equal(append(enc, rest...), b) {
			t.Fatalf("%q encodes to %q", raw, enc)
		}
		c, ok := v.Canonical()
		if ok && !bencode.IsCanonical(c.Encode()) {
			t.Fatalf("canonical form %q is not", c.Encode())
		}
		if bencode.IsCanonical(raw) && !bytes.Equal(c.Encode(), raw) {
			t.Fatalf("canonical %q became %q", raw, c.Encode())
		}
	})
}

func walk(c *bencode.Cursor) {
	switch k := c.Kind(); k {
	case bencode.List, bencode.Dict:
		for c.Enter(k); c.More(); {
			walk(c)
		}
	default:
		c.Int64()
		c.Bytes()
		c.Skip()
	}
}
