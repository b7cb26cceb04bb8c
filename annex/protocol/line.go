package protocol

import (
	"bufio"
	"errors"
	"strconv"
	"strings"
	"unicode"
)

const (
	maxLine    = 1 << 20 // bytes of a line of git-annex: keys, paths and URLs are in it
	maxMessage = 2000    // bytes of a message for the user
)

var errLong = errors.New("a line is longer than 1 MiB")

// readLine reads a line without its end. What follows the last line end is no line.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return "", errLong
		}
		switch {
		case err == nil && line == nil:
			return string(part[:len(part)-1]), nil
		case err == nil:
			line = append(line, part...)
			return string(line[:len(line)-1]), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
		line = append(line, part...)
	}
}

// word cuts the first word off a line. Fields are parted by one space each, so that a field can be empty.
func word(line string) (first, rest string) {
	first, rest, _ = strings.Cut(line, " ")
	return first, rest
}

// fields splits what follows the word of a message into n fields, the last of which may have spaces. Those that are not
// there are empty.
func fields(rest string, n int) []string {
	f := make([]string, n)
	for i := range n - 1 {
		f[i], rest = word(rest)
	}
	if n > 0 {
		f[n-1] = rest
	}
	return f
}

// jobOf splits "J n rest" off a line of the ASYNC form.
func jobOf(line string) (n int, rest string, ok bool) {
	f := fields(line, 3)
	n, err := strconv.Atoi(f[1])
	return n, f[2], f[0] == "J" && err == nil && n >= 0
}

// oneLine makes a text of any origin fit to stand in a line: what is no printable character becomes a space, and it is
// cut where it is too long to be read.
func oneLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return strings.TrimSpace(s)
}

// unspaced is a name as a field that more fields follow: git-annex parts them at what Unicode says is a space.
func unspaced(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) || unicode.IsControl(c) {
			return '_'
		}
		return c
	}, s)
}

func hasSpace(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) })
}

// breaks reports whether s would end a line before its time.
func breaks(s string) bool { return strings.ContainsAny(s, "\n\r\x00") }
