package bencode

import (
	"bytes"
	"fmt"
	"iter"
)

// A Problem is a place where a value is not canonical.
type Problem struct {
	Offset int    // bytes from the start of the value
	What   string // such as: key "b" comes after "c"
}

func (p Problem) String() string { return fmt.Sprintf("byte %d: %s", p.Offset, p.What) }

// Problems are the places where b is not canonical, in the order of the input. b must have passed [Check].
func Problems(b []byte) iter.Seq[Problem] {
	return func(yield func(Problem) bool) { NewCursor(b).problems(yield) }
}

// IsCanonical reports whether b, which must have passed [Check], is the canonical form of its value.
func IsCanonical(b []byte) bool {
	for range Problems(b) {
		return false
	}
	return true
}

// problems yields what is wrong with the next value; false when yield wants no more.
func (c *Cursor) problems(yield func(Problem) bool) bool {
	start := c.i
	switch kind := c.Kind(); kind {
	case Int:
		t := c.lex()
		if digits := c.b[t.start:t.end]; oddInt(digits) {
			return yield(Problem{start, fmt.Sprintf("integer %s has a zero too many", excerpt(digits))})
		}
	case List:
		for c.Enter(List); c.More(); {
			if !c.problems(yield) {
				return false
			}
		}
	case Dict:
		return c.dictProblems(yield)
	default:
		c.Skip()
	}
	return true
}

func (c *Cursor) dictProblems(yield func(Problem) bool) bool {
	var last []byte
	c.Enter(Dict)
	for first := true; c.More(); first = false {
		at := c.i
		key, _ := c.Bytes()
		what := ""
		switch order := bytes.Compare(last, key); {
		case first, order < 0:
		case order == 0:
			what = fmt.Sprintf("key %q is there twice", excerpt(key))
		default:
			what = fmt.Sprintf("key %q comes after %q", excerpt(key), excerpt(last))
		}
		if what != "" && !yield(Problem{at, what}) || !c.problems(yield) {
			return false
		}
		last = key
	}
	return true
}

// oddInt reports whether digits have a zero in front, or are minus zero.
func oddInt(digits []byte) bool {
	if len(digits) > 0 && digits[0] == '-' {
		return len(digits) > 1 && digits[1] == '0'
	}
	return len(digits) > 1 && digits[0] == '0'
}

// excerpt keeps messages short.
func excerpt(b []byte) []byte {
	if len(b) > 40 {
		return append(b[:40:40], "…"...)
	}
	return b
}
