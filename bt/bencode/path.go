package bencode

import (
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
// or brackets may stand in brackets and quotes, as in info["name.utf-8"]; one that has dots need not, where it is there.
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
	end := strings.Index(s, `"]`)
	if end < 2 {
		return st, "", fmt.Errorf("%q has no end", s)
	}
	st, err = keyStep(s[2:end])
	return st, s[end+2:], err
}

func indexStep(s string) (st step, rest string, err error) {
	digits, rest, ok := strings.Cut(s[1:], "]")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 {
		return st, "", fmt.Errorf("%q is no index such as [0]", s)
	}
	return step{index: n, item: true}, rest, nil
}

// Find is the bytes of the node of b to which p leads; of a repeated key the first. The error says which step leads
// nowhere. b must have passed [Check].
func (p Path) Find(b []byte) ([]byte, error) {
	for done := 0; done < len(p); {
		c := NewCursor(b)
		kind := c.Kind()
		node, n := []byte(nil), 0
		switch {
		case kind == List && p[done].index >= 0:
			node, n = c.item(p[done].index), 1
		case kind == Dict:
			node, n = c.longest(p[done:])
		}
		if node == nil {
			return nil, fmt.Errorf("%s: %s has no such %s", p[:done+1], p[:done].orWhole(), p[done].what(kind))
		}
		b, done = node, done+n
	}
	return b, nil
}

// item is item n of the list that comes next, nil when there is none.
func (c *Cursor) item(n int) []byte {
	for c.Enter(List); c.More(); n-- {
		if item := c.Skip(); n == 0 {
			return item
		}
	}
	return nil
}

// longest is the value of the longest key that the next steps make together, and how many those are. A key in an info
// dictionary is name, another name.utf-8.
func (c *Cursor) longest(p Path) (node []byte, n int) {
	keys := []string{p[0].key}
	for i := 1; i < len(p) && p[0].dot && p[i].dot; i++ {
		keys = append(keys, keys[i-1]+"."+p[i].key)
	}
	if p[0].item {
		return nil, 0
	}
	for c.Enter(Dict); c.More(); {
		key, _ := c.Bytes()
		val := c.Skip()
		for i := len(keys); i > n; i-- {
			if string(key) == keys[i-1] {
				node, n = val, i
			}
		}
	}
	return node, n
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
		case text == "" || strings.ContainsAny(text, `.[]"`) || s.key == "":
			fmt.Fprintf(&b, `["%s"]`, text)
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
