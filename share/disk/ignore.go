package disk

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"shoal/share/index"

	"github.com/bmatcuk/doublestar/v4"
)

// IgnoreFile is the name of the files that say what is not shared, one in any directory, in the syntax of gitignore. They
// stay on their node. What they name is neither shared nor deleted, nor is what came under that name from others.
const IgnoreFile = ".shoalignore"

const maxIgnore = 1 << 20 // bytes of an ignore file

// Errors of ignore files.
var (
	errIgnoreSize = fmt.Errorf("%s is longer than %d bytes", IgnoreFile, maxIgnore)
	errPattern    = errors.New("a pattern is invalid, and ignores nothing")
)

// Rules are those of a directory's ignore file, and of the directories above it. nil ignores nothing. go-git's matcher is
// not used: it takes a pattern that names a directory for one that names everything below it, so that "!keep/" would
// share what "*.log" hides there.
type rules struct {
	up   *rules
	dir  string // of the ignore file
	list []rule
}

type rule struct {
	pattern  string
	anchored bool // for the path below dir, not the name
	dirOnly  bool
	keep     bool // "!"
}

// ignores reports whether the path is ignored, given that no directory above it is.
func (r *rules) ignores(p string, dir bool) bool {
	for ; r != nil; r = r.up {
		for i := len(r.list) - 1; i >= 0; i-- {
			if r.list[i].matches(r.dir, p, dir) {
				return !r.list[i].keep
			}
		}
	}
	return false
}

func (r *rule) matches(from, p string, dir bool) bool {
	if r.dirOnly && !dir {
		return false
	}
	switch {
	case !r.anchored:
		p = path.Base(p)
	case from != "":
		p = p[len(from)+1:]
	}
	return doublestar.MatchUnvalidated(r.pattern, p)
}

// parseRules reads an ignore file of the directory dir. The error says that there are invalid lines; the others hold.
func parseRules(up *rules, dir, text string) (*rules, error) {
	r := &rules{up: up, dir: dir}
	var err error
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		one, ok := parseRule(strings.TrimRight(line, "\r\n"))
		switch {
		case !ok:
		case !doublestar.ValidatePattern(one.pattern):
			err = errPattern
		default:
			r.list = append(r.list, one)
		}
	}
	if len(r.list) == 0 {
		return up, err
	}
	return r, err
}

func parseRule(line string) (r rule, ok bool) {
	for strings.HasSuffix(line, " ") && !escaped(line) {
		line = line[:len(line)-1]
	}
	if line == "" || line[0] == '#' {
		return r, false
	}
	line, r.keep = strings.CutPrefix(line, "!")
	line, r.dirOnly = strings.CutSuffix(line, "/")
	r.anchored = strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return r, false
	}
	if strings.HasSuffix(line, "/**") { // what is in a directory, not the directory
		line += "/*"
	}
	r.pattern = noBraces(nfc(line))
	return r, true
}

// escaped reports whether the last byte of s follows an odd number of backslashes.
func escaped(s string) bool {
	s = s[:len(s)-1]
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}

// noBraces takes away the meaning that braces have for doublestar, and not for git.
func noBraces(s string) string {
	if !strings.ContainsAny(s, "{}") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteByte(s[i])
			i++
		case s[i] == '{' || s[i] == '}':
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// readRules reads the ignore file of a directory: up where there is none. An errPattern comes with rules; after another
// error nothing in the directory may be shared, for some of it could be meant to be ignored.
func readRules(f FS, up *rules, dir, disk string) (*rules, error) {
	file, err := f.Open(index.PathOf(disk, IgnoreFile))
	if notExist(err) {
		return up, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, 0, maxIgnore+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxIgnore {
		return nil, errIgnoreSize
	}
	return parseRules(up, dir, string(text))
}
