package bencode

import (
	"fmt"
	"math"
)

// A Kind is what a value is, or what a token of a Reader begins or ends.
type Kind byte

// The kinds of values; End is the token that closes a list or dictionary, and the kind of no value.
const (
	End    Kind = 'e'
	Int    Kind = 'i'
	String Kind = 's'
	List   Kind = 'l'
	Dict   Kind = 'd'
)

func (k Kind) String() string {
	switch k {
	case End:
		return "end"
	case Int:
		return "integer"
	case String:
		return "string"
	case List:
		return "list"
	case Dict:
		return "dictionary"
	}
	return "nothing"
}

// A SyntaxError says where the input is not bencode, or where it exceeds a limit.
type SyntaxError struct {
	Offset int64  // bytes from the start of the input
	Want   string // what was expected there
	Got    string // what was there instead, "" when that says nothing
}

func (e *SyntaxError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("byte %d: want %s", e.Offset, e.Want)
	}
	return fmt.Sprintf("byte %d: want %s, got %s", e.Offset, e.Want, e.Got)
}

const endOfInput = "the end of the input"

// A token is one lexical unit: an integer, a string, or one of the bytes l, d, e.
type token struct {
	kind       Kind
	start, end int // of the digits of an integer or the bytes of a string
	next       int // where the following token begins
}

// lex reads the token at b[i:]. When b ends inside the token, short is positive, a number of bytes that are missing at
// least, and e describes what was expected next.
func lex(b []byte, i int) (t token, short int, e *SyntaxError) {
	if i >= len(b) {
		return t, 1, &SyntaxError{int64(i), "a value", endOfInput}
	}
	switch c := b[i]; {
	case c == 'i':
		return lexInt(b, i)
	case isDigit(c):
		return lexString(b, i)
	case c == 'l', c == 'd', c == 'e':
		return token{kind: Kind(c), next: i + 1}, 0, nil
	}
	return t, 0, wanted(b, i, "a value")
}

func lexInt(b []byte, i int) (t token, short int, e *SyntaxError) {
	j := i + 1
	if j < len(b) && b[j] == '-' {
		j++
	}
	digits := j
	for j < len(b) && isDigit(b[j]) {
		j++
	}
	switch {
	case j == len(b):
		return t, 1, &SyntaxError{int64(j), "a digit or e", endOfInput}
	case j == digits:
		return t, 0, wanted(b, j, "a digit")
	case b[j] != 'e':
		return t, 0, wanted(b, j, "a digit or e")
	}
	return token{Int, i + 1, j, j + 1}, 0, nil
}

func lexString(b []byte, i int) (t token, short int, e *SyntaxError) {
	n, j := 0, i
	for ; j < len(b) && isDigit(b[j]); j++ {
		if j > i && b[i] == '0' {
			return t, 0, wanted(b, j, "a colon, for a length has no leading zero")
		}
		if n > (math.MaxInt-9)/10 {
			return t, 0, &SyntaxError{Offset: int64(i), Want: "a length that fits in memory"}
		}
		n = n*10 + int(b[j]-'0')
	}
	if j == len(b) {
		return t, 1, &SyntaxError{int64(j), "a digit or a colon", endOfInput}
	}
	if b[j] != ':' {
		return t, 0, wanted(b, j, "a digit or a colon")
	}
	j++
	if have := len(b) - j; n > have {
		return token{String, j, j, j}, n - have, &SyntaxError{int64(j), countBytes(int64(n)), countOnly(have)}
	}
	return token{String, j, j + n, j + n}, 0, nil
}

func countBytes(n int64) string { return fmt.Sprintf("%d bytes of string", n) }
func countOnly(n int) string    { return fmt.Sprintf("only %d", n) }

func wanted(b []byte, i int, want string) *SyntaxError {
	return &SyntaxError{int64(i), want, fmt.Sprintf("%q", b[i:i+1])}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
