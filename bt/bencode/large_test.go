package bencode_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"shoal/bt/bencode"
)

// A pattern is a value of any size that takes no memory: head, part again and again, tail.
type pattern struct {
	head, part, tail string
	parts            int64
}

// large are patterns of some size, in bencode.
func large(size int) map[string]pattern {
	times := func(head, part, tail string) pattern { return pattern{head, part, tail, int64(size / len(part))} }
	return map[string]pattern{
		"integers":   times("l", "i12345e", "e"),
		"strings":    times("l", "10:0123456789", "e"),
		"small":      times("l", "d1:ai1e1:b2:xye4:spamli1ei2eei-7e", "e"),
		"entries":    times("l", "d6:lengthi12345e4:name8:file0001e", "e"),
		"unsorted":   times("l", "d1:b2:xy1:ai1ee", "e"),
		"repeating":  times("d", "1:ai1e", "e"),
		"torrent":    times("d4:infod6:pieces"+itoa(size/20*20)+":", "\x80\x9f binary pieces\x00\x01\xff\xfe", "ee"),
		"text":       times(itoa(size/20*20)+":", "nothing: \"text\" äö", ""),
		"long keys":  times("l", "d100:"+strings.Repeat("k", 100)+"0:e", "e"),
		"no strings": times("l", "dele", "e"),
	}
}

func itoa(n int) string {
	return string(bencode.AppendInt(nil, int64(n))[1 : len(bencode.AppendInt(nil, int64(n)))-1])
}

func (p pattern) Size() int64 {
	return int64(len(p.head)) + p.parts*int64(len(p.part)) + int64(len(p.tail))
}

// ReadAt gives the pattern at any offset.
func (p pattern) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) && off < p.Size() {
		var from string
		switch body := off - int64(len(p.head)); {
		case body < 0:
			from = p.head[off:]
		case body < p.parts*int64(len(p.part)):
			from = p.part[body%int64(len(p.part)):]
		default:
			from = p.tail[body-p.parts*int64(len(p.part)):]
		}
		k := copy(b[n:], from)
		n, off = n+k, off+int64(k)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// once reads a pattern as a pipe would.
func (p pattern) once() io.Reader { return struct{ io.Reader }{io.NewSectionReader(p, 0, p.Size())} }

func (p pattern) twice() *io.SectionReader { return io.NewSectionReader(p, 0, p.Size()) }

// decode writes a value as JSON.
func decode(w io.Writer, r io.Reader, opts bencode.JSONOptions) error {
	d := bencode.NewDecoder(r, bencode.DecoderOptions{Limits: bencode.Limits{Size: 1 << 40}})
	err := d.Next(nil)
	if err == nil {
		err = d.WriteJSON(w, opts)
	}
	return errors.Join(err, d.End(), d.Close())
}

// encode writes a JSON value as bencode.
func encode(w io.Writer, r io.Reader) error {
	e := bencode.NewEncoder(r, bencode.Limits{Size: 1 << 40})
	err := e.Next()
	if err == nil {
		_, err = e.WriteTo(w)
	}
	return errors.Join(err, e.End(), e.Close())
}

// heap is how much memory the heap has taken from the system, ever.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapSys)
}

// Values larger than what is kept in memory come back as they were, from files and from pipes, and memory does not grow
// with them. No file stays behind.
func TestBigValues(t *testing.T) {
	size := 6 << 20
	if os.Getenv("SHOAL_BIG") != "" {
		size = 200 << 20
	}
	t.Setenv("TMPDIR", t.TempDir())
	for name, p := range large(size) {
		for _, opts := range []bencode.JSONOptions{{}, {Binary: bencode.Base64, Indent: "  "}} {
			before := heap()
			want, got := sha256.New(), sha256.New()
			if _, err := io.Copy(want, p.once()); err != nil {
				t.Fatal(err)
			}
			in, out := io.Reader(p.twice()), io.Pipe
			if opts.Indent != "" {
				in = p.once()
			}
			r, w := out()
			go func() { w.CloseWithError(decode(w, in, opts)) }()
			if err := encode(got, r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			r.Close()
			if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
				t.Errorf("%s: it came back changed", name)
			}
			if grew := heap() - before; grew > 64<<20 {
				t.Errorf("%s: %d MiB of memory for %d MiB", name, grew>>20, size>>20)
			}
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, p := range large(20 << 20) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(p.Size())
			b.ReportAllocs()
			data, _ := io.ReadAll(p.once())
			for b.Loop() {
				if err := decode(io.Discard, bytes.NewReader(data), bencode.JSONOptions{Indent: "  "}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Bytes a second are of the bencode.
func BenchmarkEncode(b *testing.B) {
	for name, p := range large(20 << 20) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(p.Size())
			b.ReportAllocs()
			var json bytes.Buffer
			if err := decode(&json, p.twice(), bencode.JSONOptions{Indent: "  "}); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := encode(io.Discard, bytes.NewReader(json.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Nodes of values larger than what is kept in memory are found and compared, and memory does not grow with them.
func TestBigDocuments(t *testing.T) {
	size := 6 << 20
	if os.Getenv("SHOAL_BIG") != "" {
		size = 200 << 20
	}
	t.Setenv("TMPDIR", t.TempDir())
	for name, p := range large(size) {
		if name == "repeating" && size > 6<<20 {
			continue // its keys are held
		}
		before := heap()
		other := p
		other.tail = "i1e" + p.tail // one item more, or an entry that is none
		if p.head != "l" {
			other = p
			other.parts--
		}
		a, err := bencode.NewDocument(p.twice(), bencode.Limits{Size: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := bencode.NewDocument(p.once(), bencode.Limits{Size: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		if same, err := bencode.SameBytes(a.Root(), kept.Root()); !same || err != nil {
			t.Errorf("%s: what was kept is not what was read: %v", name, err)
		}
		b, err := bencode.NewDocument(other.once(), bencode.Limits{Size: 1 << 40})
		if bencode.IsSyntax(err) && p.head != "l" {
			continue // the length of its string says otherwise
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var all []bencode.Difference
		err = bencode.Diff(kept.Root(), b.Root(), func(d bencode.Difference) error {
			all = append(all, d)
			return nil
		})
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %d differences, %v", name, len(all), err)
		}
		node, err := all[0].Path.Find(b.Root())
		if name == "repeating" {
			node = all[0].A // of a repeated key the first is found
		}
		if err != nil || node.Kind() != bencode.Int {
			t.Errorf("%s: %s is a %s, %v", name, all[0].Path, node.Kind(), err)
		}
		if err := errors.Join(a.Close(), kept.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		if grew := heap() - before; grew > 64<<20 && name != "repeating" {
			t.Errorf("%s: %d MiB of memory for %d MiB", name, grew>>20, size>>20)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
