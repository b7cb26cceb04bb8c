package bencode

import (
	"bytes"
	"fmt"
	"iter"
)

// A Problem is a place where a value is not canonical.
type Problem struct {
	Offset int64  // bytes from the start of the input
	What   string // such as: key "b" comes after "c"
}

func (p Problem) String() string { return fmt.Sprintf("byte %d: %s", p.Offset, p.What) }

// Problems are the places where b is not canonical, in the order of the input. b must have passed [Check].
func Problems(b []byte) iter.Seq[Problem] {
	return func(yield func(Problem) bool) {
		d := NewDecoder(bytes.NewReader(b), DecoderOptions{Limits: unlimited, Once: true})
		_ = d.Next(yield) // b is known to be right
	}
}

// IsCanonical reports whether b, which must have passed [Check], is the canonical form of its value.
func IsCanonical(b []byte) bool {
	for range Problems(b) {
		return false
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
