package bencode_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"shoal/bt/bencode"
)

// FuzzDecoder checks that the readings of a Decoder agree with Check and with the tree, what it reads being in the
// middle of more, where it is fast.
func FuzzDecoder(f *testing.F) {
	for _, in := range odd {
		f.Add([]byte(in))
	}
	for _, tt := range broken {
		f.Add([]byte(tt.in))
	}
	for _, tt := range pairs {
		f.Add([]byte(tt.benc + tt.benc))
	}
	lim := bencode.Limits{Depth: 60, Size: math.MaxInt, Count: 1000}
	f.Fuzz(func(t *testing.T, part []byte) {
		b := []byte("l" + string(part) + "40:" + strings.Repeat("x", 40) + "e")
		for _, r := range []io.Reader{bytes.NewReader(b), iotest.HalfReader(strings.NewReader(string(b)))} {
			d := bencode.NewDecoder(r, bencode.DecoderOptions{Limits: lim})
			err := d.Next(nil)
			if err == nil {
				err = d.End()
			}
			if want := bencode.Check(b, lim); text(err) != text(want) {
				t.Fatalf("%q: %v, want %v", b, err, want)
			}
			if err != nil {
				continue
			}
			v, err := bencode.Parse(b, lim)
			c, ok := v.Canonical()
			if canonical := ok && bytes.Equal(c.Encode(), b); err != nil || canonical != (d.ProblemCount() == 0) {
				t.Fatalf("%q: %d problems, canonical %v, %v", b, d.ProblemCount(), canonical, err)
			}
			var json bytes.Buffer
			if err := d.WriteJSON(&json, bencode.JSONOptions{Graphic: true}); err != nil {
				t.Fatal(err)
			}
			e := bencode.NewEncoder(iotest.HalfReader(&json), bencode.Limits{})
			var back bytes.Buffer
			err = e.Next()
			if err == nil {
				_, err = e.WriteTo(&back)
			}
			if err != nil || !bytes.Equal(back.Bytes(), b) {
				t.Fatalf("%q: came back as %q, %v", b, &back, err)
			}
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestGraphicJSON(t *testing.T) {
	in := "18:\u202eevil\u0085\U000e0001 \u00e4ok"
	want := `"\u202eevil\u0085\udb40\udc01 äok"`
	if got := toJSON(t, in, bencode.JSONOptions{Graphic: true}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBinaryForms(t *testing.T) {
	long := "201:" + strings.Repeat("t", 201)
	bin := "2000:" + strings.Repeat("\xff", 2000)
	huge := "100000:" + strings.Repeat("\xff", 100000)
	for _, tt := range []struct {
		form     bencode.BinaryForm
		in, want string
	}{
		{bencode.Summary, "l" + long + bin + huge + "1:\xffe", `["str:…(201 bytes)","hex:…(2,000 bytes)","hex:…(100,000 bytes)","hex:ff"]`},
		{bencode.Summary, "d" + bin + "i1ee", `{"hex:` + strings.Repeat("ff", 2000) + `":1}`},
		{bencode.Omit, "d1:a1:\xff1:bl" + huge + "1:xe1:c" + huge + "1:di1ee", `{"b":[null,"x"],"d":1}`},
		{bencode.Omit, "d1:b1:\xff1:a1:\xff1:ai1ee", `{"$dict":[["a",1]]}`},
		{bencode.Omit, "1:\xff", "null"},
	} {
		got := toJSON(t, tt.in, bencode.JSONOptions{Binary: tt.form})
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.form, got, tt.want)
		}
		if tt.form == bencode.Summary && strings.Contains(got, "…") {
			if _, err := bencode.ParseJSON([]byte(got), bencode.Limits{}); err == nil || !strings.Contains(err.Error(), "summary") {
				t.Errorf("%s was taken back: %v", got, err)
			}
		}
	}
}

// A file that is cut or changed between the readings is an error, not nonsense.
func TestFileThatChanges(t *testing.T) {
	path := t.TempDir() + "/x"
	for _, now := range []string{"", "l", "lllllllllll", "d1:ai1ee", "l3:abci1", "100000:x"} {
		if err := os.WriteFile(path, []byte("l3:abci1ee"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		d := bencode.NewDecoder(io.NewSectionReader(f, 0, 10), bencode.DecoderOptions{})
		if err := d.Next(nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
		err = d.WriteJSON(io.Discard, bencode.JSONOptions{})
		if now != "d1:ai1ee" && (err == nil || !strings.Contains(err.Error(), "it has changed")) {
			t.Errorf("%q: %v", now, err)
		}
		f.Close()
	}
}

// Where no temporary file can be made, large values from a pipe are refused, and memory stays small.
func TestNoRoomForTemporaryFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/absent")
	p := large(6 << 20)["strings"]
	if err := decode(io.Discard, p.once(), bencode.JSONOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("decode: %v", err)
	}
	if err := decode(io.Discard, p.twice(), bencode.JSONOptions{}); err != nil {
		t.Errorf("a file needs no copy: %v", err)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(decode(w, p.twice(), bencode.JSONOptions{})) }()
	if err := encode(io.Discard, r); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("encode: %v", err)
	}
	r.Close()
}
