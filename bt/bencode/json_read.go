package bencode

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseJSON makes a tree of the one JSON value that b is, in the form that [WriteJSON] writes, whatever the white space
// and the order of keys: those of plain objects are sorted. Depth and Count of the limits are of the tree, Size of b.
// What has no bencode (true, null, fractions, one half of a surrogate pair) is a *SyntaxError.
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
	p := jsonParser{b: b, lim: lim.orDefault()}
	v, serr := p.value()
	if serr == nil && p.i > p.lim.Size {
		serr = tooLarge(0, p.lim)
	}
	if serr != nil {
		return Value{}, b, serr
	}
	p.space()
	return v, b[p.i:], nil
}

type jsonParser struct {
	b     []byte
	i     int
	lim   Limits
	count int
	depth int
}

// want is an error at the current byte.
func (p *jsonParser) want(what string) *SyntaxError {
	if p.i >= len(p.b) {
		return &SyntaxError{int64(p.i), what, endOfInput}
	}
	return wanted(p.b, p.i, what)
}

func (p *jsonParser) space() {
	for p.i < len(p.b) && strings.IndexByte(" \t\r\n", p.b[p.i]) >= 0 {
		p.i++
	}
}

// peek is the next byte that is no white space, 0 at the end.
func (p *jsonParser) peek() byte {
	p.space()
	if p.i >= len(p.b) {
		return 0
	}
	return p.b[p.i]
}

// skip steps over c.
func (p *jsonParser) skip(c byte) *SyntaxError {
	if p.peek() != c || p.i >= len(p.b) {
		return p.want(strconv.Quote(string(c)))
	}
	p.i++
	return nil
}

func (p *jsonParser) value() (v Value, e *SyntaxError) {
	c := p.peek()
	if p.count++; p.count > p.lim.Count {
		return v, &SyntaxError{Offset: int64(p.i), Want: fmt.Sprintf("at most %d values", p.lim.Count)}
	}
	switch {
	case c == '"':
		s, e := p.text()
		return Value{kind: String, text: s}, e
	case c == '-' || isDigit(c):
		return p.number()
	case c != '[' && c != '{':
		return v, p.want("an object, an array, a string or an integer")
	case p.depth == p.lim.Depth:
		return v, &SyntaxError{Offset: int64(p.i), Want: fmt.Sprintf("at most %d levels", p.lim.Depth)}
	}
	p.depth++
	defer func() { p.depth-- }()
	if c == '{' {
		return p.object()
	}
	v.kind = List
	e = p.sequence('[', ']', func(int) *SyntaxError {
		item, e := p.value()
		v.kids = append(v.kids, item)
		return e
	})
	return v, e
}

// sequence reads items between brackets, with commas between them.
func (p *jsonParser) sequence(begin, end byte, item func(n int) *SyntaxError) *SyntaxError {
	if e := p.skip(begin); e != nil {
		return e
	}
	if p.peek() == end {
		p.i++
		return nil
	}
	for n := 0; ; n++ {
		if e := item(n); e != nil {
			return e
		}
		switch p.peek() {
		case end:
			p.i++
			return nil
		case ',':
			p.i++
		default:
			return p.want(fmt.Sprintf("a comma or %q", string(end)))
		}
	}
}

func (p *jsonParser) number() (Value, *SyntaxError) {
	start := p.i
	for p.i < len(p.b) && strings.IndexByte("+-.eE0123456789", p.b[p.i]) >= 0 {
		p.i++
	}
	text := p.b[start:p.i]
	if !isIntText(string(text)) || oddInt(text) {
		p.i = start
		return Value{}, p.want(`an integer, or {"$int":"digits"}`)
	}
	return Value{kind: Int, text: text}, nil
}

// object reads a dictionary, or one of the forms with $.
func (p *jsonParser) object() (v Value, e *SyntaxError) {
	start := p.i
	v.kind = Dict
	special := false
	e = p.sequence('{', '}', func(n int) *SyntaxError {
		if special {
			return p.want(`"}"`)
		}
		p.space()
		at := p.i
		raw, e := p.rawString()
		if e != nil {
			return e
		}
		if strings.HasPrefix(raw, "$") {
			special = true
			if e := p.skip(':'); e != nil {
				return e
			}
			v, e = p.special(raw, at, n)
			return e
		}
		key, e := p.decode(raw, at)
		if e != nil {
			return e
		}
		return p.entry(&v, key, ':')
	})
	if e == nil && !special && !sortEntries(v.kids) {
		e = &SyntaxError{Offset: int64(start), Want: `keys that differ, or {"$dict":[[key,value],…]}`}
	}
	return v, e
}

// entry reads the value of a key, after a separator.
func (p *jsonParser) entry(v *Value, key []byte, sep byte) *SyntaxError {
	if e := p.skip(sep); e != nil {
		return e
	}
	p.count++
	val, e := p.value()
	v.kids = append(v.kids, Value{kind: String, text: key}, val)
	return e
}

// special reads the value of the key $int or $dict, which is entry n of its object.
func (p *jsonParser) special(name string, at, n int) (v Value, e *SyntaxError) {
	switch {
	case n > 0 || name != "$int" && name != "$dict":
		return v, &SyntaxError{int64(at), `a key without "$", which is written "str:$…"`, strconv.Quote(clipString(name))}
	case name == "$int":
		p.space()
		at := p.i
		digits, e := p.rawString()
		if e == nil && !isIntText(digits) {
			e = &SyntaxError{int64(at), "decimal digits", strconv.Quote(clipString(digits))}
		}
		return Value{kind: Int, text: []byte(digits)}, e
	}
	v.kind = Dict
	e = p.sequence('[', ']', func(int) *SyntaxError {
		// Not a sequence of its own: a pair has no more and no fewer than two items.
		if e := p.skip('['); e != nil {
			return e
		}
		p.space()
		key, e := p.text()
		if e == nil {
			e = p.entry(&v, key, ',')
		}
		if e == nil {
			e = p.skip(']')
		}
		return e
	})
	return v, e
}

// text is the bytes that the next string stands for.
func (p *jsonParser) text() ([]byte, *SyntaxError) {
	at := p.i
	raw, e := p.rawString()
	if e != nil {
		return nil, e
	}
	return p.decode(raw, at)
}

// decode is what a JSON string at that byte stands for.
func (p *jsonParser) decode(s string, at int) (b []byte, e *SyntaxError) {
	var err error
	if digits, ok := strings.CutPrefix(s, hexPrefix); ok {
		if b, err = hex.DecodeString(digits); err != nil {
			e = &SyntaxError{Offset: int64(at), Want: `hexadecimal digits after "hex:"; a text has "str:" in front`}
		}
		return b, e
	}
	if digits, ok := strings.CutPrefix(s, base64Prefix); ok {
		if b, err = base64.StdEncoding.Strict().DecodeString(digits); err != nil {
			e = &SyntaxError{Offset: int64(at), Want: `base64 after "base64:"; a text has "str:" in front`}
		}
		return b, e
	}
	return []byte(strings.TrimPrefix(s, textPrefix)), nil
}

// rawString is the next JSON string, escapes resolved.
func (p *jsonParser) rawString() (string, *SyntaxError) {
	if p.i >= len(p.b) || p.b[p.i] != '"' {
		return "", p.want("a string")
	}
	var out []byte
	for p.i++; p.i < len(p.b); {
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			return string(out), nil
		case c < ' ':
			return "", p.want("no control character in a string")
		case c == '\\':
			r, e := p.escape()
			if e != nil {
				return "", e
			}
			out = utf8.AppendRune(out, r)
		case c < utf8.RuneSelf:
			out = append(out, c)
			p.i++
		default:
			r, n := utf8.DecodeRune(p.b[p.i:])
			if r == utf8.RuneError && n == 1 {
				return "", p.want("UTF-8")
			}
			out = append(out, p.b[p.i:p.i+n]...)
			p.i += n
		}
	}
	return "", p.want("the end of the string")
}

// escape reads what begins with a backslash.
func (p *jsonParser) escape() (rune, *SyntaxError) {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if p.i++; p.i < len(p.b) {
		if k := strings.IndexByte(letters, p.b[p.i]); k >= 0 {
			p.i++
			return rune(meanings[k]), nil
		}
	}
	r, ok := p.unicode()
	if ok && utf16.IsSurrogate(r) {
		high := r
		if ok = p.i < len(p.b) && p.b[p.i] == '\\'; ok {
			p.i++
			r, ok = p.unicode()
			r = utf16.DecodeRune(high, r)
			ok = ok && r != utf8.RuneError
		}
	}
	if !ok {
		return 0, p.want(`an escape of JSON; \u of surrogates in pairs`)
	}
	return r, nil
}

// unicode reads u and four digits.
func (p *jsonParser) unicode() (rune, bool) {
	if p.i+5 > len(p.b) || p.b[p.i] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.b[p.i+1:p.i+5]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += 5
	return rune(n), true
}

func clipString(s string) string { return string(excerpt([]byte(s))) }
