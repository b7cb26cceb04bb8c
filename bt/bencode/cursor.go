package bencode

import (
	"bytes"
	"slices"
)

// A Cursor walks a value in place, from left to right, without allocating. Its bytes must have passed [Check]; on
// others, and when a caller asks for what is not there, it may give nonsense, but it does not panic and it ends.
//
//	c := bencode.NewCursor(b)
//	if c.Enter(bencode.Dict) {
//		for c.More() {
//			switch key, _ := c.Bytes(); string(key) {
//			case "length":
//				n, ok = c.Int64()
//			default:
//				c.Skip()
//			}
//		}
//	}
//
// A method that finds another kind than it was asked for skips the value, so that the walk stays in step.
type Cursor struct {
	b []byte
	i int
}

// NewCursor is a cursor before the value that b holds.
func NewCursor(b []byte) *Cursor { return &Cursor{b: b} }

// Kind is the kind of the value that comes next, or End.
func (c *Cursor) Kind() Kind {
	if c.i >= len(c.b) {
		return End
	}
	switch k := c.b[c.i]; {
	case isDigit(k):
		return String
	case k == 'i', k == 'l', k == 'd':
		return Kind(k)
	}
	return End
}

// Enter steps into the list or dictionary that comes next, when it is of kind k.
func (c *Cursor) Enter(k Kind) bool {
	if c.Kind() != k || k != List && k != Dict {
		c.Skip()
		return false
	}
	c.i++
	return true
}

// More reports whether another value follows in the list or dictionary; when none does it steps out of it.
func (c *Cursor) More() bool {
	if c.Kind() != End {
		return true
	}
	c.i = min(c.i+1, len(c.b))
	return false
}

// Bytes steps over a string and returns its bytes, a slice of the input.
func (c *Cursor) Bytes() ([]byte, bool) {
	if c.Kind() != String {
		c.Skip()
		return nil, false
	}
	t := c.lex()
	return c.b[t.start:t.end:t.end], true
}

// Int64 steps over an integer; false when it is another kind, or does not fit.
func (c *Cursor) Int64() (int64, bool) {
	if c.Kind() != Int {
		c.Skip()
		return 0, false
	}
	t := c.lex()
	return parseInt64(c.b[t.start:t.end])
}

// Skip steps over the next value, whatever it is, and returns its bytes: bencode, a slice of the input.
func (c *Cursor) Skip() []byte {
	start := c.i
	if c.Kind() == End {
		return nil
	}
	for depth := 0; c.i < len(c.b); {
		switch c.lex().kind {
		case List, Dict:
			depth++
		case End:
			depth--
		}
		if depth <= 0 {
			break
		}
	}
	return c.b[start:c.i:c.i]
}

// lex steps over a token, to the end when it is none.
func (c *Cursor) lex() token {
	t, _, err := lex(c.b, c.i)
	if err != nil {
		t = token{kind: End, start: len(c.b), end: len(c.b), next: len(c.b)}
	}
	c.i = t.next
	return t
}

// parseInt64 reads digits as they stand in bencode, leading zeros allowed.
func parseInt64(digits []byte) (n int64, ok bool) {
	neg := len(digits) > 0 && digits[0] == '-'
	if neg {
		digits = digits[1:]
	}
	for _, d := range digits {
		// Count downwards: the smallest int64 has no positive twin.
		if n < (-1<<63+int64(d-'0'))/10 {
			return 0, false
		}
		n = n*10 - int64(d-'0')
	}
	if !neg {
		if n == -1<<63 {
			return 0, false
		}
		n = -n
	}
	return n, len(digits) > 0
}

// An entry is a key of a dictionary, and the bytes of its value.
type entry struct{ key, val []byte }

// entriesOf are the entries of the dictionary that b is, sorted by key; those of a repeated key stay in their order.
func entriesOf(b []byte) (all []entry) {
	c := NewCursor(b)
	for c.Enter(Dict); c.More(); {
		key, _ := c.Bytes()
		all = append(all, entry{key, c.Skip()})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return all
}
