package bencode

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON makes a tree of the one JSON value that b is, as an [Encoder] reads it. Depth and Count of the limits are of
// the tree, Size of b.
func ParseJSON(b []byte, lim Limits) (Value, error) {
	v, rest, err := ParseJSONPrefix(b, lim)
	if err == nil && len(rest) > 0 {
		err = wanted(b, len(b)-len(rest), endOfInput)
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// ParseJSONPrefix makes a tree of the JSON value that b begins with, and returns the bytes after it and the white space
// that follows.
func ParseJSONPrefix(b []byte, lim Limits) (v Value, rest []byte, err error) {
	p := NewEncoder(bytes.NewReader(b), lim.orDefault())
	p.out.all = true
	switch err := p.Next(); {
	case err == io.EOF:
		return Value{}, b, p.value() // says what was expected
	case err != nil:
		return Value{}, b, err
	}
	p.peek()
	return NewCursor(p.out.tail).Value(), b[p.offset():], nil
}

// stringValue reads a string and writes it to out.
func (p *Encoder) stringValue() error {
	at := p.offset()
	raw, special, err := p.quoted(longString)
	if err != nil {
		return err
	}
	if raw == nil {
		return p.longString(at)
	}
	if raw, err = p.resolve(raw, special, at+1); err != nil {
		return err
	}
	s, err := p.decode(raw, at)
	if err != nil {
		return err
	}
	p.out.tail = AppendString(p.out.tail, s)
	return nil
}

// rawString is the next JSON string, escapes resolved. It is valid until the next call.
func (p *Encoder) rawString() ([]byte, error) {
	at := p.offset()
	raw, special, err := p.quoted(p.lim.Size)
	if err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, p.tooLarge()
	}
	return p.resolve(raw, special, at+1)
}

// quoted steps over a string, which peek found, and returns what is between its quotes; when it is longer than most, it
// stays where it is and returns nil. Special means that there is more in it than plain ASCII.
func (p *Encoder) quoted(most int) (raw []byte, special bool, err error) {
	if p.pos == len(p.buf) || p.buf[p.pos] != '"' {
		return nil, false, p.want("a string")
	}
	p.forget()
	seen := byte(0)
	for i := 1; ; {
		b := p.buf[p.start:]
		for ; i < len(b); i++ {
			c := b[i]
			if plain[c] {
				seen |= c
				continue
			}
			switch {
			case c == '"':
				p.pos = p.start + i + 1
				return b[1:i:i], seen >= utf8.RuneSelf, nil
			case c == '\\':
				seen = 0xff
				i++
			case c < ' ':
				p.pos = p.start + i
				return nil, false, p.want(noControl)
			}
		}
		if i > most {
			return nil, false, nil
		}
		if p.fill() != nil {
			p.pos = len(p.buf)
			return nil, false, p.want(endOfString)
		}
	}
}

const (
	noControl   = "no control character in a string"
	endOfString = "the end of the string"
	wantEscape  = `an escape of JSON; \u of surrogates in pairs`
)

// resolve is what raw, which begins at a byte of the stream, stands for once its escapes are resolved.
func (p *Encoder) resolve(raw []byte, special bool, at int64) ([]byte, error) {
	if !special {
		return raw, nil
	}
	if !utf8.Valid(raw) {
		i := invalidAt(raw)
		return nil, &SyntaxError{at + int64(i), "UTF-8", strconv.Quote(string(raw[i : i+1]))}
	}
	out := p.text[:0]
	for i := 0; i < len(raw); {
		if n := bytes.IndexByte(raw[i:], '\\'); n != 0 {
			if n < 0 {
				n = len(raw) - i
			}
			out = append(out, raw[i:i+n]...)
			i += n
			continue
		}
		r, n, ok := escape(raw[i:])
		if i += n; !ok {
			got := raw[i:min(i+1, len(raw))]
			if len(got) == 0 {
				got = []byte{'"'}
			}
			return nil, &SyntaxError{at + int64(i), wantEscape, strconv.Quote(string(got))}
		}
		out = utf8.AppendRune(out, r)
	}
	p.text = out
	return out, nil
}

// invalidAt is where s stops to be UTF-8.
func invalidAt(s []byte) int {
	i := 0
	for i < len(s) {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return i
}

// escape is what b stands for, which begins with a backslash, and how many bytes that takes; when it is no escape, how
// many were right.
func escape(b []byte) (r rune, n int, ok bool) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(b) > 1 {
		if k := strings.IndexByte(letters, b[1]); k >= 0 {
			return rune(meanings[k]), 2, true
		}
	}
	high, ok := unicodeEscape(b)
	switch {
	case !ok:
		return 0, 1, false
	case !utf16.IsSurrogate(high):
		return high, 6, true
	case len(b) == 6 || b[6] != '\\':
		return 0, 6, false
	}
	low, ok := unicodeEscape(b[6:])
	if !ok {
		return 0, 7, false
	}
	r = utf16.DecodeRune(high, low)
	return r, 12, r != utf8.RuneError
}

// unicodeEscape reads a backslash, u and four digits.
func unicodeEscape(b []byte) (rune, bool) {
	if len(b) < 6 || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

// decode is the bytes that a JSON string at that byte stands for. They are valid until the next call.
func (p *Encoder) decode(s []byte, at int64) (b []byte, err error) {
	if len(s) < len(textPrefix) || s[0] != 'h' && s[0] != 'b' && s[0] != 's' {
		return s, nil
	}
	if rest, ok := bytes.CutPrefix(s, []byte(hexPrefix)); ok {
		b, err = hex.AppendDecode(p.bytes[:0], rest)
		if err != nil {
			return nil, notHex(rest, at)
		}
		p.bytes = b
		return b, nil
	}
	if rest, ok := bytes.CutPrefix(s, []byte(base64Prefix)); ok {
		b, err = base64.StdEncoding.Strict().AppendDecode(p.bytes[:0], rest)
		if err != nil {
			return nil, notBase64(rest, at)
		}
		p.bytes = b
		return b, nil
	}
	if rest, ok := bytes.CutPrefix(s, []byte(textPrefix)); ok {
		if bytes.HasPrefix(rest, []byte(summaryMark)) {
			return nil, isSummary(at)
		}
		return rest, nil
	}
	return s, nil
}

func isSummary(at int64) error {
	return &SyntaxError{Offset: at, Want: "the string itself, for this is but a summary of it"}
}

func notHex(digits []byte, at int64) error {
	if bytes.HasPrefix(digits, []byte(summaryMark)) {
		return isSummary(at)
	}
	return &SyntaxError{Offset: at, Want: `hexadecimal digits after "hex:"; a text has "str:" in front`}
}

func notBase64(digits []byte, at int64) error {
	if bytes.HasPrefix(digits, []byte(summaryMark)) {
		return isSummary(at)
	}
	return &SyntaxError{Offset: at, Want: `base64 after "base64:"; a text has "str:" in front`}
}
