package bencode

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Path leads to a node of a value.
type Path []step

// A step goes to the value of a key, or to an item of a list.
type step struct {
	key   string
	index int  // -1 = none
	item  bool // it can only be an index
	dot   bool // a key that began after a dot, or at the start: with what follows it may be a longer key
}

// ParsePath reads info.files[0].path[1], or a JSON pointer (RFC 6901) such as /info/files/0/path/1; "" is the value
// itself. Keys are written as in JSON: hex:, base64: and str: have their meaning. In the first form a key that has dots
// or brackets stands in brackets and quotes, as in info["name.utf-8"], with backslashes before quotes and backslashes;
// where that is clear, dots alone do, as in info.name.utf-8.
func ParsePath(s string) (Path, error) {
	if strings.HasPrefix(s, "/") {
		return parsePointer(s[1:])
	}
	var p Path
	for rest := s; rest != ""; {
		var st step
		var err error
		switch {
		case strings.HasPrefix(rest, `["`):
			st, rest, err = quotedStep(rest)
		case rest[0] == '[':
			st, rest, err = indexStep(rest)
		case rest[0] == '.' && len(p) > 0:
			rest = rest[1:]
			fallthrough
		default:
			n := strings.IndexAny(rest, ".[")
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				return nil, fmt.Errorf("path %q: a key is missing before %q", s, rest)
			}
			st, err = keyStep(rest[:n])
			st.dot = true
			rest = rest[n:]
		}
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", s, err)
		}
		p = append(p, st)
	}
	return p, nil
}

func parsePointer(s string) (Path, error) {
	var p Path
	for word := range strings.SplitSeq(s, "/") {
		st, err := keyStep(strings.NewReplacer("~1", "/", "~0", "~").Replace(word))
		if err != nil {
			return nil, err
		}
		// Whether a number is an index is up to the value.
		if n, err := strconv.Atoi(word); err == nil && n >= 0 && strconv.Itoa(n) == word {
			st.index = n
		}
		p = append(p, st)
	}
	return p, nil
}

func keyStep(text string) (step, error) {
	var p Encoder
	key, err := p.decode([]byte(text), 0)
	if err != nil {
		return step{}, fmt.Errorf("key %q: it is not what its prefix says", text)
	}
	return step{key: string(key), index: -1}, nil
}

func quotedStep(s string) (st step, rest string, err error) {
	var key strings.Builder
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
		case strings.HasPrefix(s[i:], `"]`):
			st, err = keyStep(key.String())
			return st, s[i+2:], err
		}
		key.WriteByte(s[i])
	}
	return st, "", fmt.Errorf("%q has no end", s)
}

func indexStep(s string) (st step, rest string, err error) {
	digits, rest, ok := strings.Cut(s[1:], "]")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 {
		return st, "", fmt.Errorf("%q is no index such as [0]", s)
	}
	return step{index: n, item: true}, rest, nil
}

// A NotFoundError says which step of a path leads nowhere.
type NotFoundError struct{ what string }

func (e *NotFoundError) Error() string { return e.what }

// Find is the node of n to which p leads; of a repeated key the first. The error is a *[NotFoundError], or that of
// reading.
func (p Path) Find(n Node) (Node, error) { return p.find(n, 0) }

// find goes on after some steps, which lead to n. Keys that dots part are tried one by one first, then as longer keys
// that have these dots: an info dictionary has a name and a name.utf-8.
func (p Path) find(n Node, done int) (Node, error) {
	if done == len(p) {
		return n, nil
	}
	kind, s := n.Kind(), p[done]
	nowhere := &NotFoundError{fmt.Sprintf("%s: %s has no such %s", p[:done+1], p[:done].orWhole(), s.what(kind))}
	switch {
	case kind == List && s.index >= 0:
		item, err := n.child(func(_ []byte, i int) bool { return i == s.index })
		if err != nil || item.Exists() {
			return p.findIn(item, done+1, err)
		}
		return Node{}, nowhere
	case kind != Dict || s.item:
		return Node{}, nowhere
	}
	var missed error
	for key, to := s.key, done+1; ; to++ {
		val, err := n.child(func(k []byte, _ int) bool { return string(k) == key })
		if err != nil || val.Exists() {
			node, err := p.findIn(val, to, err)
			var not *NotFoundError
			if !errors.As(err, &not) {
				return node, err
			}
			missed = cmp.Or(missed, err)
		}
		if to == len(p) || !s.dot || !p[to].dot {
			return Node{}, cmp.Or[error](missed, nowhere)
		}
		key += "." + p[to].key
	}
}

func (p Path) findIn(n Node, done int, err error) (Node, error) {
	if err != nil {
		return Node{}, err
	}
	return p.find(n, done)
}

// child is the first child of n that is wanted, by its key or its place; none when there is none.
func (n Node) child(wanted func(key []byte, i int) bool) (Node, error) {
	c, err := n.children()
	if err != nil {
		return Node{}, err
	}
	for i := 0; ; i++ {
		one, err := c.next()
		if err != nil || !one.Exists() || wanted(one.key, i) {
			return one.Node, err
		}
	}
}

func (s step) what(in Kind) string {
	switch in {
	case Dict:
		return "key"
	case List:
		return "item"
	}
	return "part, for it is " + map[Kind]string{Int: "an integer", String: "a string"}[in]
}

func (p Path) orWhole() string {
	if len(p) == 0 {
		return "the value"
	}
	return p.String()
}

// String is a path in its first form.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch text := jsonText(s.key); {
		case s.item:
			fmt.Fprintf(&b, "[%d]", s.index)
		case text == "" || strings.ContainsAny(text, `.["`) || i == 0 && text[0] == '/':
			fmt.Fprintf(&b, `["%s"]`, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text))
		case i == 0:
			b.WriteString(text)
		default:
			b.WriteString("." + text)
		}
	}
	return b.String()
}

// Key is p with a key more.
func (p Path) Key(key string) Path { return append(p[:len(p):len(p)], step{key: key, index: -1}) }

// Index is p with an index more.
func (p Path) Index(n int) Path { return append(p[:len(p):len(p)], step{index: n, item: true}) }

// jsonText is a string as JSON shows it, without quotes and escapes.
func jsonText(s string) string {
	if utf8.ValidString(s) {
		if hasPrefix(s) {
			return textPrefix + s
		}
		return s
	}
	return hexPrefix + fmt.Sprintf("%x", s)
}
