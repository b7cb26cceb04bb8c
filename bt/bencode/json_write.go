package bencode

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"unicode/utf8"
)

// Bencode and JSON, both ways, nothing lost:
//
//   - A byte string that is UTF-8 is a JSON string, any other is "hex:" and its bytes; a text that begins with "hex:",
//     "base64:" or "str:" gets "str:" in front. Keys and values alike.
//   - What is binary by its key, such as pieces, is hex whatever its bytes are, so that its form does not depend on them.
//   - An integer that a float64 holds is a number, any other {"$int":"digits"}.
//   - A dictionary with unsorted or repeated keys is {"$dict":[[key,value],…]}. A key of a plain object that begins with
//     "$" gets "str:" in front.

// JSONOptions say how JSON looks; its meaning is the same.
type JSONOptions struct {
	Base64 bool   // binary strings as "base64:…", not "hex:…"
	Indent string // for each level on a line of its own; "" = everything on one line
}

const maxSafeInt = 1<<53 - 1

// hexKeys name strings that are binary.
var hexKeys = map[string]bool{
	"pieces": true, "pieces root": true, "peers": true, "peers6": true, "nodes": true, "nodes6": true,
	"id": true, "info_hash": true, "target": true, "token": true,
}

// WriteJSON writes the value b as JSON, without a newline at the end. b must have passed [Check]. Besides b it holds
// little memory: a word for each dictionary that is not canonical. Errors are those of w.
func WriteJSON(w io.Writer, b []byte, opts JSONOptions) error {
	j := jsonWriter{w: bufio.NewWriter(w), c: NewCursor(b), opts: opts, odd: map[int]bool{}}
	NewCursor(b).findOdd(j.odd)
	j.value(jsonForm{})
	return j.w.Flush()
}

// findOdd notes where dictionaries begin whose keys are unsorted or repeated. It goes first, for all of b at once:
// otherwise each level would have to be read once more.
func (c *Cursor) findOdd(odd map[int]bool) {
	switch start := c.i; c.Kind() {
	case List:
		for c.Enter(List); c.More(); {
			c.findOdd(odd)
		}
	case Dict:
		var last []byte
		c.Enter(Dict)
		for first := true; c.More(); first = false {
			key, _ := c.Bytes()
			if !first && string(last) >= string(key) {
				odd[start] = true
			}
			last = key
			c.findOdd(odd)
		}
	default:
		c.Skip()
	}
}

// A jsonForm is what the place of a value says about its form.
type jsonForm struct {
	binary         bool // a string here is binary
	keys, children bool // the keys, the strings in a dictionary here are
}

type jsonWriter struct {
	w     *bufio.Writer // keeps its error to itself until Flush
	c     *Cursor
	opts  JSONOptions
	odd   map[int]bool
	depth int
}

func (j *jsonWriter) value(form jsonForm) {
	switch j.c.Kind() {
	case Int:
		t := j.c.lex()
		j.int(j.c.b[t.start:t.end])
	case String:
		s, _ := j.c.Bytes()
		j.string(s, form.binary, false)
	case List:
		j.list()
	case Dict:
		j.dict(form)
	}
}

func (j *jsonWriter) int(digits []byte) {
	n, ok := parseInt64(digits)
	if ok && -maxSafeInt <= n && n <= maxSafeInt && !oddInt(digits) {
		j.w.Write(digits)
		return
	}
	j.w.WriteString(`{"$int":"`)
	j.w.Write(digits)
	j.w.WriteString(`"}`)
}

func (j *jsonWriter) list() {
	j.open('[')
	j.c.Enter(List)
	n := 0
	for ; j.c.More(); n++ {
		j.next(n)
		j.value(jsonForm{})
	}
	j.close(']', n)
}

func (j *jsonWriter) dict(form jsonForm) {
	odd := j.odd[j.c.i]
	top := j.depth == 0
	if odd {
		j.w.WriteString(`{"$dict":`)
		j.open('[')
	} else {
		j.open('{')
	}
	j.c.Enter(Dict)
	n := 0
	for ; j.c.More(); n++ {
		j.next(n)
		key, _ := j.c.Bytes()
		if odd {
			j.w.WriteByte('[')
		}
		j.string(key, form.keys, !odd)
		switch {
		case odd:
			j.w.WriteByte(',')
		case j.opts.Indent != "":
			j.w.WriteString(": ")
		default:
			j.w.WriteByte(':')
		}
		layers := string(key) == "piece layers"
		j.value(jsonForm{
			binary:   form.children || hexKeys[string(key)],
			keys:     layers || top && string(key) == "files", // the latter in a reply to a scrape
			children: layers,
		})
		if odd {
			j.w.WriteByte(']')
		}
	}
	if !odd {
		j.close('}', n)
		return
	}
	j.close(']', n)
	j.w.WriteByte('}')
}

func (j *jsonWriter) open(bracket byte) {
	j.w.WriteByte(bracket)
	j.depth++
}

// next goes to item n of what is open.
func (j *jsonWriter) next(n int) {
	if n > 0 {
		j.w.WriteByte(',')
	}
	j.newline()
}

func (j *jsonWriter) close(bracket byte, items int) {
	j.depth--
	if items > 0 {
		j.newline()
	}
	j.w.WriteByte(bracket)
}

func (j *jsonWriter) newline() {
	if j.opts.Indent == "" {
		return
	}
	j.w.WriteByte('\n')
	for range j.depth {
		j.w.WriteString(j.opts.Indent)
	}
}

// string writes a string or, of a plain object, a key.
func (j *jsonWriter) string(s []byte, binary, key bool) {
	j.w.WriteByte('"')
	defer j.w.WriteByte('"')
	if binary || !utf8.Valid(s) {
		j.binary(s)
		return
	}
	head := string(s[:min(len(s), len(base64Prefix))])
	if hasPrefix(head) || key && strings.HasPrefix(head, "$") {
		j.w.WriteString(textPrefix)
	}
	const hexDigits = "0123456789abcdef"
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			j.w.WriteByte('\\')
			j.w.WriteByte(c)
		case c == '\n':
			j.w.WriteString(`\n`)
		case c < ' ' || c == 0x7f:
			j.w.WriteString(`\u00`)
			j.w.WriteByte(hexDigits[c>>4])
			j.w.WriteByte(hexDigits[c&15])
		default:
			j.w.WriteByte(c)
		}
	}
}

func (j *jsonWriter) binary(s []byte) {
	if !j.opts.Base64 {
		j.w.WriteString(hexPrefix)
		hex.NewEncoder(j.w).Write(s)
		return
	}
	j.w.WriteString(base64Prefix)
	enc := base64.NewEncoder(base64.StdEncoding, j.w)
	enc.Write(s)
	enc.Close()
}

const (
	hexPrefix    = "hex:"
	base64Prefix = "base64:"
	textPrefix   = "str:"
)

func hasPrefix(s string) bool {
	return strings.HasPrefix(s, hexPrefix) || strings.HasPrefix(s, base64Prefix) || strings.HasPrefix(s, textPrefix)
}
