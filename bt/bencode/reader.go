package bencode

import (
	"errors"
	"io"
)

// A Reader takes values, or tokens, from a stream. It reads ahead, and holds the one it gives plus some kilobytes: a
// length prefix alone allocates nothing.
type Reader struct {
	r     io.Reader
	buf   []byte
	start int   // in buf, of what is being given
	pos   int   // in buf, of the next token
	off   int64 // of buf[0] in the stream
	g     grammar
	err   error // of r, given once buf is used up
	fail  error // of an earlier call: the stream is out of step for good
}

// NewReader is a Reader of r. The limits hold for each value at the outermost level, but Size holds for each token when
// tokens are read.
func NewReader(r io.Reader, lim Limits) *Reader {
	return &Reader{r: r, g: grammar{lim: lim.orDefault()}}
}

// A Token is an integer, a string, or the begin or end of a list or dictionary.
type Token struct {
	Kind   Kind
	Text   []byte // digits of an integer, bytes of a string; valid until the next call
	Offset int64  // of its first byte in the stream
	Depth  int    // lists and dictionaries around it
	Key    bool   // it is the key of a dictionary
}

// Offset is where in the stream the next token begins.
func (r *Reader) Offset() int64 { return r.off + int64(r.pos) }

// Token is the next token; io.EOF when the stream ends between two values, a *SyntaxError when it ends elsewhere or is
// not bencode, and otherwise the error of the stream.
func (r *Reader) Token() (Token, error) {
	r.forget()
	tok, _, err := r.next()
	return tok, err
}

// Raw is the next value at the outermost level as it stands, checked as by [Check]; it is valid until the next call.
// Offsets in errors count from the start of the stream. It must not be called between the tokens of a value.
func (r *Reader) Raw() ([]byte, error) {
	r.forget()
	for {
		_, done, err := r.next()
		if err != nil {
			return nil, err
		}
		if done {
			return r.buf[r.start:r.pos:r.pos], nil
		}
	}
}

// End is nil when nothing follows in the stream, else a *SyntaxError with the offset of what does, or the stream's
// error.
func (r *Reader) End() error {
	r.forget()
	if r.pos == len(r.buf) {
		if err := r.fill(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	e := wanted(r.buf, r.pos, endOfInput)
	e.Offset += r.off
	return e
}

// forget drops what was given.
func (r *Reader) forget() { r.start = r.pos }

// next takes a token; done when it completes a value at the outermost level. No error is forgotten.
func (r *Reader) next() (tok Token, done bool, err error) {
	if r.fail != nil {
		return tok, false, r.fail
	}
	t, err := r.lex()
	if err != nil {
		r.fail = err
		return tok, false, err
	}
	tok = Token{Kind: t.kind, Text: r.buf[t.start:t.end:t.end], Offset: r.Offset(), Depth: len(r.g.open)}
	tok.Key = t.kind == String && tok.Depth > 0 && r.g.open[tok.Depth-1] == 'd'
	if t.kind == End {
		tok.Depth--
	}
	done, serr := r.g.step(t.kind, tok.Offset)
	if serr != nil {
		r.fail = serr
		return tok, false, serr
	}
	if done {
		r.g.count = 0
	}
	r.pos = t.next
	return tok, done, nil
}

// lex reads until a whole token is in buf.
func (r *Reader) lex() (token, error) {
	for {
		t, short, serr := lex(r.buf, r.pos)
		room := r.g.lim.Size - (len(r.buf) - r.start)
		switch {
		case serr == nil && t.next-r.start <= r.g.lim.Size:
			return t, nil
		case serr == nil, short > 0 && short > room:
			serr = tooLarge(r.pos, r.g.lim)
			short = 0
		}
		serr.Offset += r.off
		if short == 0 {
			return t, serr
		}
		switch err := r.fill(); {
		case err == nil:
		case err != io.EOF:
			return t, err
		case r.pos == len(r.buf) && len(r.g.open) == 0:
			return t, io.EOF
		default:
			return t, serr
		}
	}
}

// fill reads at least one more byte. It never more than doubles what is held, however many bytes a length prefix
// promises.
func (r *Reader) fill() error {
	const least = 4 << 10
	if r.err != nil {
		return r.err
	}
	if cap(r.buf)-len(r.buf) < least {
		r.makeRoom(least)
	}
	for range 100 {
		n, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	r.err = io.ErrNoProgress
	return r.err
}

// makeRoom moves what is held to the front, of a buffer of a fitting size.
func (r *Reader) makeRoom(least int) {
	held := r.buf[r.start:]
	next := r.buf[:0]
	if size := 2*len(held) + 2*least; cap(r.buf)-len(held) < least || cap(r.buf) > 4*size {
		next = make([]byte, 0, size)
	}
	r.buf = append(next, held...)
	r.off += int64(r.start)
	r.pos -= r.start
	r.start = 0
}

// IsSyntax reports whether err says that the input is not bencode, or exceeds a limit, rather than that it could not be
// read.
func IsSyntax(err error) bool {
	var e *SyntaxError
	return errors.As(err, &e)
}
