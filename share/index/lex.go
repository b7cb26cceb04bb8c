package index

import (
	"math"

	"shoal/bt/bencode"
)

// A lexer takes canonical bencode from the front of b. After the first error all it gives is zero, and err stays.
type lexer struct {
	b   []byte
	err error
}

func (l *lexer) fail(format string, args ...any) {
	if l.err == nil {
		l.err = invalid(format, args...)
		l.b = nil
	}
}

// next is the first byte of what comes, 0 at the end.
func (l *lexer) next() byte {
	if len(l.b) == 0 {
		return 0
	}
	return l.b[0]
}

// take steps over the byte c, which must come.
func (l *lexer) take(c byte) {
	if l.next() != c {
		l.fail("want %q of bencode", c)
		return
	}
	l.b = l.b[1:]
}

// more reports whether another value comes in the list or dictionary, whose end it steps over.
func (l *lexer) more() bool {
	if l.err != nil {
		return false
	}
	if l.next() == 'e' {
		l.b = l.b[1:]
		return false
	}
	return true
}

// bytes takes a string, a slice of the input.
func (l *lexer) bytes() []byte {
	n, i := 0, 0
	for i < len(l.b) && i < 8 && '0' <= l.b[i] && l.b[i] <= '9' {
		n = n*10 + int(l.b[i]-'0')
		i++
	}
	if i == 0 || i == len(l.b) || l.b[i] != ':' || i > 1 && l.b[0] == '0' || n > len(l.b)-i-1 {
		l.fail("want a string of bencode")
		return nil
	}
	i++
	s := l.b[i : i+n : i+n]
	l.b = l.b[i+n:]
	return s
}

// fixed takes a string of len(dst) bytes.
func (l *lexer) fixed(dst []byte) {
	if s := l.bytes(); l.err == nil && copy(dst, s) != len(s) || len(s) != len(dst) {
		l.fail("want a string of %d bytes", len(dst))
	}
}

// int takes an integer that fits into 64 bits and has no form but this.
func (l *lexer) int() int64 {
	l.take('i')
	neg := l.next() == '-'
	if neg {
		l.b = l.b[1:]
	}
	n, i := uint64(0), 0
	for i < len(l.b) && i < 19 && '0' <= l.b[i] && l.b[i] <= '9' {
		n = n*10 + uint64(l.b[i]-'0') // 19 digits fit
		i++
	}
	switch {
	case i == 0 || i > 1 && l.b[0] == '0' || neg && l.b[0] == '0':
		l.fail("want an integer in its shortest form")
	case !neg && n > math.MaxInt64 || neg && n > 1<<63:
		l.fail("an integer does not fit into 64 bits")
	}
	if l.err != nil {
		return 0
	}
	l.b = l.b[i:]
	l.take('e')
	if neg {
		return -int64(n)
	}
	return int64(n)
}

// value takes whatever comes, and returns its bytes.
func (l *lexer) value(lim bencode.Limits) []byte {
	if l.err != nil {
		return nil
	}
	_, rest, err := bencode.ParsePrefix(l.b, lim)
	if err != nil {
		l.fail("%v", err)
		return nil
	}
	n := len(l.b) - len(rest)
	v := l.b[:n:n]
	l.b = rest
	return v
}
