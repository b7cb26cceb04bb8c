package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// reserved begins the names that a share keeps for itself, in whatever way a file system may spell them.
const reserved = ".shoal"

// CheckName reports whether a name of the index may be n: UTF-8 in NFC, 1 to 255 bytes, no "/" or NUL, not "." or "..",
// and not one that a file system could take for a name that begins ".shoal" (docs/shares.md §3.1). nil, or an error
// that wraps [ErrInvalid].
func CheckName(n string) error {
	switch {
	case n == "":
		return invalid("an empty name")
	case len(n) > MaxName:
		return invalid("a name of %d bytes, at most %d are allowed", len(n), MaxName)
	case n == "." || n == "..":
		return invalid("the name %q", n)
	case strings.IndexByte(n, '/') >= 0 || strings.IndexByte(n, 0) >= 0:
		return invalid("a slash or NUL in the name %q", n)
	case isReserved(n):
		return invalid("the name %q is kept for shoal", n)
	case isASCII(n):
	case !utf8.ValidString(n):
		return invalid("the name %q is not UTF-8", n)
	case !norm.NFC.IsNormalString(n):
		return invalid("the name %q is not in NFC", n)
	}
	return nil
}

// isReserved reports whether the NFKC casefold of n, without ignorable code points, begins ".shoal".
func isReserved(n string) bool {
	switch c := n[0]; {
	case c < utf8.RuneSelf && c != '.':
		return false // what follows cannot turn it into a point
	case isASCII(n):
		return len(n) >= len(reserved) && strings.EqualFold(n[:len(reserved)], reserved)
	}
	s := norm.NFKC.String(strings.Map(dropIgnorable, n))
	if !strings.HasPrefix(s, ".") {
		return false
	}
	s = norm.NFKC.String(cases.Fold().String(s))
	return strings.HasPrefix(strings.Map(dropIgnorable, s), reserved)
}

// dropIgnorable is r, or -1 when r has the property Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt).
func dropIgnorable(r rune) rune {
	switch {
	case r < 0xAD:
		return r
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Variation_Selector, r):
		return -1
	case !unicode.Is(unicode.Cf, r), unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return r
	case r >= 0xFFF9 && r <= 0xFFFB, r >= 0x13430 && r <= 0x1343F: // annotation, and layout of hieroglyphs: they show
		return r
	}
	return -1
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
