package bencode

import (
	"errors"
	"io"
	"unicode/utf8"
)

// A Reader takes values, or tokens, from a stream. It reads ahead, and holds the one it gives plus some kilobytes: a
// length prefix alone allocates nothing.
type Reader struct {
	window
	g     grammar
	split bool  // long strings are given in pieces
	left  int64 // bytes of a long string that are to come
	fail  error // of an earlier call: the stream is out of step for good
}

// longString is the length above which a string is given in pieces.
const longString = 32 << 10

// NewReader is a Reader of r. The limits hold for each value at the outermost level, but Size holds for each token when
// tokens are read.
func NewReader(r io.Reader, lim Limits) *Reader {
	return &Reader{window: window{r: r}, g: grammar{lim: lim.orDefault()}}
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
func (r *Reader) Offset() int64 { return r.offset() }

// Token is the next token; io.EOF when the stream ends between two values, a *SyntaxError when it ends elsewhere or is
// not bencode, and otherwise the error of the stream.
func (r *Reader) Token() (Token, error) {
	r.forget()
	at, depth := r.Offset(), len(r.g.open)
	key := r.g.wantsKey()
	t, _, err := r.next()
	if err != nil {
		return Token{}, err
	}
	if t.kind == End {
		depth--
	}
	return Token{t.kind, r.buf[t.start:t.end:t.end], at, depth, key && t.kind == String}, nil
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
func (r *Reader) End() error { return r.end() }

// next takes a token; done when it completes a value at the outermost level. No error is forgotten.
func (r *Reader) next() (t token, done bool, err error) {
	if r.fail != nil {
		return t, false, r.fail
	}
	if t, err = r.lex(); err != nil {
		r.fail = err
		return t, false, err
	}
	done, serr := r.g.step(t.kind, r.offset())
	if serr != nil {
		r.fail = serr
		return t, false, serr
	}
	if done {
		r.g.count = 0
	}
	r.pos = t.next
	return t, done, nil
}

// lex reads until a whole token is in buf, or the head of a string that is given in pieces.
func (r *Reader) lex() (token, error) {
	for {
		t, short, serr := lex(r.buf, r.pos)
		if serr == nil && t.next-r.start <= r.g.lim.Size {
			return t, nil
		}
		room := r.g.lim.Size - (len(r.buf) - r.start)
		switch {
		case serr == nil, short > 0 && short > room:
			serr = tooLarge(r.pos, r.g.lim)
			short = 0
		case r.split && t.kind == String && short > longString && !r.g.wantsKey():
			r.left = int64(short) + int64(len(r.buf)-t.start)
			t.end, t.next = t.start, t.start
			return t, nil
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

// piece is the next piece of a long string, of some length; UTF-8 is not cut within a character. It is valid until the
// next call, and nil after the last one.
func (r *Reader) piece() ([]byte, error) {
	const least = 512
	if r.fail != nil {
		return nil, r.fail
	}
	r.forget()
	for int64(len(r.buf)-r.pos) < min(least, r.left) {
		if err := r.fill(); err != nil {
			if err == io.EOF {
				err = &SyntaxError{r.offset(), countBytes(r.left), countOnly(len(r.buf) - r.pos)}
			}
			r.fail = err
			return nil, err
		}
	}
	b := r.buf[r.pos:]
	if int64(len(b)) > r.left {
		b = b[:r.left]
	} else if int64(len(b)) < r.left {
		b = b[:len(b)-cutRune(b)]
	}
	r.pos += len(b)
	r.left -= int64(len(b))
	if len(b) == 0 {
		return nil, nil
	}
	return b, nil
}

// cutRune is how many bytes at the end of b begin a character that is not whole.
func cutRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n < len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// IsSyntax reports whether err says that the input is not bencode, or exceeds a limit, rather than that it could not be
// read.
func IsSyntax(err error) bool {
	var e *SyntaxError
	return errors.As(err, &e)
}
