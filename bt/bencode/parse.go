package bencode

// Parse makes a tree of the one value that b is. Its strings are slices of b. The error is a *SyntaxError.
func Parse(b []byte, lim Limits) (Value, error) {
	if err := Check(b, lim); err != nil {
		return Value{}, err
	}
	return NewCursor(b).Value(), nil
}

// ParsePrefix makes a tree of the value that b begins with, and returns the bytes after it.
func ParsePrefix(b []byte, lim Limits) (v Value, rest []byte, err error) {
	n, serr := checkPrefix(b, lim)
	if serr != nil {
		return Value{}, b, serr
	}
	return NewCursor(b[:n]).Value(), b[n:], nil
}

// Value steps over the next value and returns it as a tree, whose strings are slices of the input.
func (c *Cursor) Value() Value {
	v := Value{kind: c.Kind()}
	switch v.kind {
	case Int, String:
		t := c.lex()
		v.text = c.b[t.start:t.end:t.end]
	case List, Dict:
		for c.Enter(v.kind); c.More(); {
			v.kids = append(v.kids, c.Value())
		}
	default:
		return Value{}
	}
	return v
}
