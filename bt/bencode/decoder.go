package bencode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// A Decoder takes values of any size from a stream and writes them as JSON, in memory that does not depend on their
// size: a key is held, a string that is a value is not. It reads each value twice, first to check all of it and to find
// out what is not canonical, then to write it. What cannot be read again is kept in a temporary file once it is larger
// than some megabytes.
type Decoder struct {
	r      *Reader
	again  io.ReaderAt // reads the stream again; nil = kept does
	once   bool
	kept   spool
	begin  int64 // of the last value in the stream
	length int64 // of the last value
	found  findings
	levels []level

	problem func(Problem) bool // nil = nobody wants more
}

// DecoderOptions are limits, and wishes. The zero value wants JSON, within the default limits but Count: no tree is
// made, so that many values cost nothing.
type DecoderOptions struct {
	Limits
	Once bool // WriteJSON will not be called: what was read need not be kept
}

// unlimited is for bytes that passed a check.
var unlimited = Limits{Depth: math.MaxInt, Size: math.MaxInt, Count: math.MaxInt}

// findings are what the first reading of a value found out, in as few bits as the second needs.
type findings struct {
	odd    bits // which of its dictionaries have unsorted or repeated keys; they count in the order of their beginnings
	binary bits // which of its long strings are not UTF-8
	dicts  int
	longs  int

	problems int
}

// A level is a list or dictionary that is open in the first reading.
type level struct {
	nth  int    // dictionary, -1 for a list
	any  bool   // a key was there
	last []byte // key
}

// NewDecoder is a Decoder of r. It reads what it needs twice from r itself when that is an io.ReaderAt which knows its
// Size, as an io.SectionReader does, and had not been read from.
func NewDecoder(r io.Reader, opts DecoderOptions) *Decoder {
	if opts.Count == 0 {
		opts.Count = math.MaxInt
	}
	d := &Decoder{r: NewReader(r, opts.Limits), once: opts.Once}
	d.r.split = true
	d.r.least = 32 << 10
	if at, ok := r.(interface {
		io.ReaderAt
		Size() int64
	}); ok {
		d.again = at
	}
	return d
}

// Next reads and checks the next value, and calls problem, which may be nil, for each place where it is not canonical,
// until it returns false. The error is io.EOF when the stream ends before the value, a *SyntaxError when it ends within it or is not bencode,
// and otherwise that of the stream or of the temporary file.
func (d *Decoder) Next(problem func(Problem) (more bool)) error {
	d.problem = problem
	d.r.forget()
	d.begin, d.found, d.levels = d.r.Offset(), findings{}, d.levels[:0]
	if d.again == nil && !d.once {
		d.kept.reset()
		d.r.copyTo(&d.kept)
	}
	for done := false; !done; {
		var err error
		d.fast()
		if done, err = d.survey(); err != nil {
			return err
		}
		if d.r.Offset()-d.begin > int64(d.r.g.lim.Size) {
			e := tooLarge(0, d.r.g.lim)
			e.Offset = d.begin
			return e
		}
	}
	d.r.copied()
	d.length = d.r.Offset() - d.begin
	return d.kept.err
}

// survey takes a token in the first reading.
func (d *Decoder) survey() (done bool, err error) {
	d.r.forget()
	key := d.r.g.wantsKey()
	t, done, err := d.r.next()
	if err != nil {
		return false, err
	}
	text := d.r.buf[t.start:t.end]
	at := d.r.off + int64(d.r.start)
	switch {
	case t.kind == Int && oddInt(text):
		d.found.problems++
		if d.problem != nil {
			d.tell(at, fmt.Sprintf("integer %s has a zero too many", excerpt(text)))
		}
	case t.kind == String && key:
		d.key(text, at)
	case t.kind == String && d.r.left > 0:
		return done, d.long()
	case t.kind == Dict:
		d.open(d.found.dicts)
		d.found.dicts++
	case t.kind == List:
		d.open(-1)
	case t.kind == End:
		d.levels = d.levels[:len(d.levels)-1]
	}
	return done, nil
}

// open begins a level in the memory of an earlier one.
func (d *Decoder) open(nth int) {
	if n := len(d.levels); n < cap(d.levels) {
		d.levels = d.levels[:n+1]
		d.levels[n].nth, d.levels[n].any = nth, false
		return
	}
	d.levels = append(d.levels, level{nth: nth})
}

func (d *Decoder) key(key []byte, at int64) {
	l := &d.levels[len(d.levels)-1]
	if l.any && bytes.Compare(l.last, key) >= 0 {
		d.found.odd.set(l.nth)
		d.found.problems++
		d.badKey(key, l.last, at)
	}
	l.any, l.last = true, append(l.last[:0], key...)
}

func (d *Decoder) badKey(key, last []byte, at int64) {
	if d.problem == nil {
		return
	}
	if bytes.Equal(key, last) {
		d.tell(at, fmt.Sprintf("key %q is there twice", excerpt(key)))
		return
	}
	d.tell(at, fmt.Sprintf("key %q comes after %q", excerpt(key), excerpt(last)))
}

// tell reports a problem, if more of them are wanted.
func (d *Decoder) tell(at int64, what string) {
	if !d.problem(Problem{at, what}) {
		d.problem = nil
	}
}

// long steps over a string that comes in pieces.
func (d *Decoder) long() error {
	valid := true
	for {
		b, err := d.r.piece()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		valid = valid && utf8.Valid(b)
	}
	if !valid {
		d.found.binary.set(d.found.longs)
	}
	d.found.longs++
	return nil
}

// WriteJSON writes the value that Next read as JSON, without a newline at the end. The errors are those of w, and of
// reading what was read before.
func (d *Decoder) WriteJSON(w io.Writer, opts JSONOptions) error {
	again := io.Reader(nil)
	if d.again != nil {
		again = io.NewSectionReader(d.again, d.begin, d.length)
	} else {
		again = d.kept.reader(0)
	}
	r := NewReader(again, unlimited)
	r.g.lim.Depth = d.r.g.lim.Depth
	r.split, r.least = true, d.r.least
	j := jsonWriter{w: w, r: r, opts: opts, found: &d.found}
	err := j.value()
	if err == io.EOF || IsSyntax(err) {
		return changed(err)
	}
	return errors.Join(err, j.flush())
}

// ProblemCount is in how many places the value that Next read is not canonical.
func (d *Decoder) ProblemCount() int { return d.found.problems }

// Offset is where in the stream the next value begins.
func (d *Decoder) Offset() int64 { return d.r.Offset() }

// End is nil when nothing follows in the stream, else a *SyntaxError with the offset of what does, or the stream's
// error.
func (d *Decoder) End() error { return d.r.End() }

// Close removes the temporary file, if there is one. The stream stays open.
func (d *Decoder) Close() error { return d.kept.close() }

// bits is a set of small numbers.
type bits []uint64

func (b *bits) set(n int) {
	for len(*b) <= n/64 {
		*b = append(*b, 0)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bits) has(n int) bool { return n/64 < len(b) && b[n/64]>>(n%64)&1 == 1 }
