package bencode

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
)

// An Encoder takes JSON values of any size from a stream, in the form that [Decoder.WriteJSON] writes, whatever the
// white space and the order of keys, and writes them as bencode, the keys of plain objects sorted. Nothing is written of
// a value before all of it is read and right: until then it is kept, in a temporary file once it is larger than some
// megabytes. In memory it holds keys, and objects whose keys come unsorted.
type Encoder struct {
	window
	lim   Limits
	out   spool
	begin int64 // of the value in the stream
	count int
	depth int
	text  []byte   // the last string whose escapes had to be resolved
	bytes []byte   // the last string that stood for other bytes
	last  [][]byte // for each level the key before
}

// NewEncoder is an Encoder of r. Depth and Count of the limits are of the bencode, and Size is of the JSON; a Count of
// 0 is no limit, for no tree is made. What has no bencode (true, null, fractions, one half of a surrogate pair) is a
// *SyntaxError.
func NewEncoder(r io.Reader, lim Limits) *Encoder {
	if lim.Count == 0 {
		lim.Count = math.MaxInt
	}
	return &Encoder{window: window{r: r, least: longString}, lim: lim.orDefault()}
}

// Next reads the next value. The error is io.EOF when nothing but white space is left, a *SyntaxError when it is not
// JSON or has no bencode, and otherwise that of the stream or of the temporary file.
func (p *Encoder) Next() error {
	p.out.reset()
	p.count, p.depth = 0, 0
	if p.peek(); p.pos == len(p.buf) && p.err == io.EOF {
		return io.EOF
	}
	p.begin = p.offset()
	if err := p.value(); err != nil {
		return err
	}
	return p.sizeError()
}

// WriteTo writes what Next read.
func (p *Encoder) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, p.out.reader(0)) }

// End is nil when nothing but white space follows in the stream, else a *SyntaxError with the offset of what does, or
// the stream's error.
func (p *Encoder) End() error {
	p.peek()
	return p.end()
}

// Offset is where in the stream reading goes on.
func (p *Encoder) Offset() int64 { return p.offset() }

// Close removes the temporary file, if there is one. The stream stays open.
func (p *Encoder) Close() error { return p.out.close() }

func (p *Encoder) tooLarge() error {
	return &SyntaxError{Offset: p.begin, Want: fmt.Sprintf("a value of at most %d bytes", p.lim.Size)}
}

// want is an error at the next byte: that the stream could not be read, or that something else was expected.
func (p *Encoder) want(what string) error {
	switch {
	case p.pos < len(p.buf):
		e := wanted(p.buf, p.pos, what)
		e.Offset += p.off
		return e
	case p.err != nil && p.err != io.EOF:
		return p.err
	}
	return &SyntaxError{p.offset(), what, endOfInput}
}

// peek is the next byte that is no white space, 0 at the end.
func (p *Encoder) peek() byte {
	if p.pos < len(p.buf) && p.buf[p.pos] > ' ' {
		return p.buf[p.pos]
	}
	return p.skipSpace()
}

func (p *Encoder) skipSpace() byte {
	for {
		b := p.buf
		for i := p.pos; i < len(b); i++ {
			if c := b[i]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				p.pos = i
				return c
			}
		}
		p.pos = len(b)
		p.forget()
		if p.fill() != nil {
			return 0
		}
	}
}

// skip steps over c.
func (p *Encoder) skip(c byte) error {
	if p.peek() != c || p.pos == len(p.buf) {
		return p.want(strconv.Quote(string(c)))
	}
	p.pos++
	return nil
}

// value reads a value and writes its bencode to out.
func (p *Encoder) value() error {
	p.out.settle()
	c := p.peek()
	if p.count++; p.count > p.lim.Count {
		return &SyntaxError{Offset: p.offset(), Want: fmt.Sprintf("at most %d values", p.lim.Count)}
	}
	if p.offset()-p.begin > int64(p.lim.Size) || p.out.err != nil {
		return p.sizeError()
	}
	switch {
	case c == '"':
		return p.stringValue()
	case c == '-' || isDigit(c):
		return p.number()
	case c != '[' && c != '{':
		return p.want("an object, an array, a string or an integer")
	case p.depth == p.lim.Depth:
		return &SyntaxError{Offset: p.offset(), Want: fmt.Sprintf("at most %d levels", p.lim.Depth)}
	}
	p.depth++
	var err error
	if c == '{' {
		err = p.object()
	} else {
		err = p.list()
	}
	p.depth--
	return err
}

// next steps over what is between the items of a sequence; more is false when the sequence has ended.
func (p *Encoder) next(n int, end byte) (more bool, err error) {
	switch c := p.peek(); {
	case c == end:
		p.pos++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		p.pos++
		return true, nil
	}
	return false, p.want(fmt.Sprintf("a comma or %q", string(end)))
}

func (p *Encoder) list() error {
	p.pos++
	p.put('l')
	for n := 0; ; n++ {
		more, err := p.next(n, ']')
		if err != nil {
			return err
		}
		if !more {
			p.put('e')
			return nil
		}
		if err := p.value(); err != nil {
			return err
		}
	}
}

func (p *Encoder) number() error {
	p.forget()
	for {
		b, i := p.buf, p.pos
		for i < len(b) && numberByte[b[i]] {
			i++
		}
		if p.pos = i; i < len(b) || p.fill() != nil {
			break
		}
	}
	if text := p.buf[p.start:p.pos]; isIntText(text) && !oddInt(text) {
		p.putInt(text)
		return nil
	}
	p.pos = p.start
	return p.want(`an integer, or {"$int":"digits"}`)
}

var numberByte = func() (t [256]bool) {
	for _, c := range "+-.eE0123456789" {
		t[c] = true
	}
	return t
}()

// object reads a dictionary, or one of the forms with $.
func (p *Encoder) object() error {
	at, start := p.offset(), p.out.size()
	p.pos++
	p.put('d')
	sorted := true
	for n := 0; ; n++ {
		if more, err := p.next(n, '}'); err != nil {
			return err
		} else if !more {
			break
		}
		p.peek()
		keyAt := p.offset()
		raw, err := p.rawString()
		if err != nil {
			return err
		}
		if len(raw) > 0 && raw[0] == '$' {
			return p.special(raw, keyAt, n)
		}
		key, err := p.decode(raw, keyAt)
		if err != nil {
			return err
		}
		last := p.lastKey()
		sorted = sorted && (n == 0 || bytes.Compare(*last, key) < 0)
		*last = append((*last)[:0], key...)
		if err := p.entry(key, ':'); err != nil {
			return err
		}
	}
	p.put('e')
	if sorted {
		return nil
	}
	return p.sort(start, at)
}

// lastKey is the key before in the object that is open.
func (p *Encoder) lastKey() *[]byte {
	for len(p.last) <= p.depth {
		p.last = append(p.last, nil)
	}
	return &p.last[p.depth]
}

// entry writes a key, and reads its value after a separator.
func (p *Encoder) entry(key []byte, sep byte) error {
	p.out.tail = AppendString(p.out.tail, key)
	if err := p.skip(sep); err != nil {
		return err
	}
	p.count++
	return p.value()
}

// sort puts the entries of the dictionary at the end of out in order.
func (p *Encoder) sort(start, at int64) error {
	b, err := p.out.cut(start)
	if err != nil {
		return err
	}
	entries := entriesOf(b)
	p.put('d')
	for i, e := range entries {
		if i > 0 && bytes.Equal(entries[i-1].key, e.key) {
			return &SyntaxError{Offset: at, Want: `keys that differ, or {"$dict":[[key,value],…]}`}
		}
		p.out.tail = AppendString(p.out.tail, e.key)
		p.out.Write(e.val)
	}
	p.put('e')
	return nil
}

// special reads the value of the key $int or $dict, which is entry n of its object, and the end of the object.
func (p *Encoder) special(raw []byte, at int64, n int) error {
	name := string(raw)
	if n > 0 || name != "$int" && name != "$dict" {
		return &SyntaxError{at, `a key without "$", which is written "str:$…"`, strconv.Quote(clipString(name))}
	}
	if err := p.skip(':'); err != nil {
		return err
	}
	p.peek()
	var err error
	if name == "$int" {
		err = p.digits()
	} else {
		err = p.pairs()
	}
	if err != nil {
		return err
	}
	return p.skip('}')
}

// digits reads an integer that is written as a string, instead of the dictionary that was begun.
func (p *Encoder) digits() error {
	at := p.offset()
	digits, err := p.rawString()
	if err != nil {
		return err
	}
	if !isIntText(digits) {
		return &SyntaxError{at, "decimal digits", strconv.Quote(clipString(string(digits)))}
	}
	if _, err := p.out.cut(p.out.size() - 1); err != nil {
		return err
	}
	p.putInt(digits)
	return nil
}

// pairs reads the entries of a dictionary as an array of arrays.
func (p *Encoder) pairs() error {
	if err := p.skip('['); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if more, err := p.next(n, ']'); err != nil {
			return err
		} else if !more {
			p.put('e')
			return nil
		}
		if err := p.skip('['); err != nil {
			return err
		}
		p.peek()
		at := p.offset()
		raw, err := p.rawString()
		if err != nil {
			return err
		}
		key, err := p.decode(raw, at)
		if err != nil {
			return err
		}
		if err := p.entry(key, ','); err != nil {
			return err
		}
		if err := p.skip(']'); err != nil {
			return err
		}
	}
}

func (p *Encoder) put(c byte) { p.out.tail = append(p.out.tail, c) }

func (p *Encoder) putInt(digits []byte) {
	p.out.tail = append(p.out.tail, 'i')
	p.out.tail = append(p.out.tail, digits...)
	p.put('e')
}

func clipString(s string) string { return string(excerpt([]byte(s))) }
