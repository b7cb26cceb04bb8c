package bt

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"path"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	maxComponent = 255     // bytes; what the common file systems take
	maxPath      = 4096    // bytes
	maxNodes     = 2 << 20 // files and folders of one torrent
)

// pathRules are what the file systems of an operating system ask of names.
type pathRules struct {
	foldCase bool // names that differ in case or in Unicode normal form alone are one
	windows  bool // reserved characters and names
}

func hostPathRules() pathRules {
	return pathRules{
		foldCase: runtime.GOOS == "windows" || runtime.GOOS == "darwin" || runtime.GOOS == "ios",
		windows:  runtime.GOOS == "windows",
	}
}

// component makes one path component out of a stranger's bytes: valid UTF-8, short enough, never one that leads
// elsewhere. It is empty when b is. Bytes that are not UTF-8 become %XX.
func (r pathRules) component(b []byte) (string, error) {
	s := string(b)
	switch {
	case s == "." || s == "..":
		return "", fmt.Errorf("the path component %q leads elsewhere", s)
	case strings.ContainsAny(s, "/\x00"):
		return "", fmt.Errorf("the path component %q contains a slash or NUL", clip(s))
	}
	// On some systems a backslash separates components: this one would climb there.
	for part := range strings.SplitSeq(s, `\`) {
		if part == ".." {
			return "", fmt.Errorf("the path component %q leads elsewhere", clip(s))
		}
	}
	if !utf8.ValidString(s) {
		s = escapeInvalid(s)
	}
	if r.windows {
		s = windowsName(s)
	}
	if len(s) > maxComponent {
		sum := sha1.Sum(b)
		s = cutName(s, fmt.Sprintf("~%x", sum[:4]))
	}
	return s, nil
}

// escapeInvalid writes each byte that is not part of UTF-8 as %XX.
func escapeInvalid(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		c, n := utf8.DecodeRuneInString(s)
		if c == utf8.RuneError && n == 1 {
			fmt.Fprintf(&out, "%%%02X", s[0])
		} else {
			out.WriteString(s[:n])
		}
		s = s[n:]
	}
	return out.String()
}

// windowsName replaces what Windows does not take in a name.
func windowsName(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || strings.ContainsRune(`<>:"/\|?*`, c) {
			return '_'
		}
		return c
	}, s)
	if kept := strings.TrimRight(s, ". "); kept != s {
		s = kept + "_"
	}
	stem, _, _ := strings.Cut(strings.ToUpper(s), ".")
	switch stem = strings.TrimRight(stem, " "); stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return "_" + s
	}
	if rest, ok := strings.CutPrefix(stem, "COM"); ok && isPortNumber(rest) {
		return "_" + s
	}
	if rest, ok := strings.CutPrefix(stem, "LPT"); ok && isPortNumber(rest) {
		return "_" + s
	}
	return s
}

func isPortNumber(s string) bool {
	return utf8.RuneCountInString(s) == 1 && strings.Contains("123456789¹²³", s)
}

// cutName is s with tag before its extension, and cut before the tag to what a component may be long.
func cutName(s, tag string) string {
	ext := path.Ext(s)
	if len(ext) > 32 || ext == s { // that is no extension
		ext = ""
	}
	stem := s[:len(s)-len(ext)]
	if n := maxComponent - len(tag) - len(ext); len(stem) > n {
		for n > 0 && !utf8.RuneStart(stem[n]) {
			n--
		}
		stem = stem[:n]
	}
	return stem + tag + ext
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// A folder is the index of one in a pathTree; the root is 0.
type folder int32

// A pathTree gives every file and folder of a torrent a path of its own. What would clash, a file with a file or with
// a folder, gets a number, the one that comes later.
type pathTree struct {
	rules pathRules
	paths []string // of folders, below the root, with a slash at the end
	nodes map[pathKey]folder
	moved map[pathKey]folder // folders whose name a file took, by the name they had
	next  map[pathKey]int    // the number to try next for a name that clashed
}

// A pathKey is a name in a folder, folded as the rules say.
type pathKey struct {
	parent folder
	name   string
}

const isFile folder = -1

// newPathTree is an empty tree with room for about n names.
func newPathTree(rules pathRules, n int) *pathTree {
	return &pathTree{
		rules: rules, paths: []string{""},
		nodes: make(map[pathKey]folder, n), moved: map[pathKey]folder{}, next: map[pathKey]int{},
	}
}

// dir is the folder of that name in parent, made when it is not there.
func (t *pathTree) dir(parent folder, name string) (folder, error) {
	key := t.key(parent, name)
	if f, ok := t.nodes[key]; ok && f != isFile {
		return f, nil
	}
	if f, ok := t.moved[key]; ok {
		return f, nil
	}
	name, final := t.free(parent, name)
	dirPath := t.paths[parent] + name + "/"
	if err := t.check(dirPath); err != nil {
		return 0, err
	}
	f := folder(len(t.paths))
	t.paths = append(t.paths, dirPath)
	t.nodes[final] = f
	if final != key {
		t.moved[key] = f
	}
	return f, nil
}

// file is the path of a new file of that name in parent.
func (t *pathTree) file(parent folder, name string) (string, error) {
	name, key := t.free(parent, name)
	t.nodes[key] = isFile
	p := t.paths[parent] + name
	return p, t.check(p)
}

func (t *pathTree) check(p string) error {
	if len(p) > maxPath {
		return fmt.Errorf("the path %q… is longer than %d bytes", clip(p), maxPath)
	}
	if len(t.nodes) > maxNodes {
		return errors.New("there are too many files and folders")
	}
	return nil
}

// free is name, or the first of "name (2)", "name (3)" … that is free in parent.
func (t *pathTree) free(parent folder, name string) (string, pathKey) {
	key := t.key(parent, name)
	if _, taken := t.nodes[key]; !taken {
		return name, key
	}
	for n := max(2, t.next[key]); ; n++ {
		try := cutName(name, " ("+strconv.Itoa(n)+")")
		tryKey := t.key(parent, try)
		if _, taken := t.nodes[tryKey]; !taken {
			t.next[key] = n + 1
			return try, tryKey
		}
	}
}

func (t *pathTree) key(parent folder, name string) pathKey {
	if t.rules.foldCase && !isPlainLower(name) {
		name = norm.NFC.String(cases.Fold().String(norm.NFD.String(name)))
	}
	return pathKey{parent, name}
}

func isPlainLower(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c > unicode.MaxASCII || 'A' <= c && c <= 'Z' }) < 0
}
