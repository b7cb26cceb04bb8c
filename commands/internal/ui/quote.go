package ui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Quote makes text of strangers safe to look at: what is not graphic (control characters, escape sequences, overrides
// of the writing direction, bytes that are not UTF-8) is shown as \x1b or \u202e; all else stays as it is.
func Quote(s string) string {
	if isGraphic(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < utf8.RuneSelf && !unicode.IsGraphic(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r):
			b.WriteString(s[i : i+size])
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

func isGraphic(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// quoteLines is Quote for text of our own that may hold words of strangers: its line breaks stay.
func quoteLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Quote(line)
	}
	return strings.Join(lines, "\n")
}

// shorten cuts the middle out of s so that it fits into width columns of a terminal.
func shorten(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	tail := (width - 1) / 2
	return takeLeft(s, width-1-tail) + "…" + takeRight(s, tail)
}

// takeLeft is the longest beginning of s that fits into width columns.
func takeLeft(s string, width int) string {
	rest, state, end := s, -1, 0
	for rest != "" {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if width -= w; width < 0 {
			break
		}
		end += len(cluster)
	}
	return s[:end]
}

// takeRight is the longest end of s that fits into width columns.
func takeRight(s string, width int) string {
	rest, state := s, -1
	for rest != "" && uniseg.StringWidth(rest) > width {
		_, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
	}
	return rest
}
