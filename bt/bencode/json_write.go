package bencode

import (
	"bytes"
	"io"
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

// A BinaryForm is how strings look that are not text.
type BinaryForm string

// The forms. The last two lose what they leave out.
const (
	Hex     BinaryForm = "hex"     // "hex:…"; also the zero value
	Base64  BinaryForm = "base64"  // "base64:…"
	Omit    BinaryForm = "omit"    // not there with their key; null where there is none. A key is as in Hex
	Summary BinaryForm = "summary" // as in Hex, but of strings over 200 bytes, text or not, the length is all that is said
)

// summarised is the length above which a string is summarised.
const summarised = 200

// JSONOptions say how JSON looks.
type JSONOptions struct {
	Binary  BinaryForm
	Indent  string // for each level on a line of its own; "" = everything on one line
	Graphic bool   // what cannot be seen in a text, or does something to a terminal, is escaped
}

const maxSafeInt = 1<<53 - 1

// isHexKey reports whether a key names strings that are binary.
func isHexKey(key []byte) bool {
	switch string(key) {
	case "pieces", "pieces root", "peers", "peers6", "nodes", "nodes6", "id", "info_hash", "target", "token":
		return true
	}
	return false
}

// WriteJSON writes the value b as JSON, without a newline at the end. Errors are those of w, and a *SyntaxError when b
// did not pass [Check].
func WriteJSON(w io.Writer, b []byte, opts JSONOptions) error {
	d := NewDecoder(bytes.NewReader(b), DecoderOptions{Limits: unlimited})
	if err := d.Next(nil); err != nil {
		return err
	}
	return d.WriteJSON(w, opts)
}

// A jsonForm is what the place of a value says about its form.
type jsonForm struct {
	binary         bool // a string here is binary
	keys, children bool // the keys, the strings in a dictionary here are
}

// A jsonLevel is a list or dictionary that is open.
type jsonLevel struct {
	dict, odd, top bool
	n              int      // items written
	form           jsonForm // its own
	next           jsonForm // that of the value of the key just written
	entry          int      // where in out the entry begins
}

// A jsonWriter writes the tokens of r.
type jsonWriter struct {
	w     io.Writer
	out   []byte // not yet written
	err   error  // of w
	r     *Reader
	opts  JSONOptions
	found *findings
	open  []jsonLevel
	dicts int
	longs int

	indent []byte // a line break, and the indentation of the deepest level so far
	line   []byte // of that, what begins a line at the level of now
}

// jsonBuffer is how much is written at a time, about.
const jsonBuffer = 32 << 10

func (j *jsonWriter) flush() error {
	if j.err == nil {
		_, j.err = j.w.Write(j.out)
	}
	j.out = j.out[:0]
	return j.err
}

// value writes all of a value, token by token.
func (j *jsonWriter) value() error {
	for {
		j.fast()
		j.r.forget()
		key := j.r.g.wantsKey()
		t, done, err := j.r.next()
		if err != nil {
			return err
		}
		text := j.r.buf[t.start:t.end]
		switch {
		case t.kind == End:
			j.close()
		case key:
			j.key(text)
			continue
		default:
			if err := j.one(t.kind, text); err != nil {
				return err
			}
		}
		if len(j.out) > jsonBuffer {
			if err := j.flush(); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}

// one writes an integer or a string, or begins a list or dictionary.
func (j *jsonWriter) one(kind Kind, text []byte) error {
	form := jsonForm{}
	if n := len(j.open); n > 0 {
		top := &j.open[n-1]
		if top.dict {
			form = top.next
		} else {
			j.item(top)
		}
	}
	switch kind {
	case Int:
		j.int(text)
	case List:
		j.push(jsonLevel{form: form}, '[')
		return nil
	case Dict:
		l := jsonLevel{dict: true, odd: j.found.odd.has(j.dicts), form: form, top: len(j.open) == 0}
		j.dicts++
		if l.odd {
			j.out = append(j.out, `{"$dict":`...)
			j.push(l, '[')
			return nil
		}
		j.push(l, '{')
		return nil
	default:
		if j.r.left == 0 && !form.binary && j.simple(text) {
			break
		}
		if omitted, err := j.string(text, form.binary); omitted || err != nil {
			return err
		}
	}
	j.entryDone()
	return nil
}

func (j *jsonWriter) push(l jsonLevel, bracket byte) {
	j.out = append(j.out, bracket)
	j.open = append(j.open, l)
	j.setLine()
}

// setLine finds what a line begins with, after a level was opened or closed.
func (j *jsonWriter) setLine() {
	if j.opts.Indent == "" {
		return
	}
	need := 1 + len(j.open)*len(j.opts.Indent)
	if len(j.indent) == 0 {
		j.indent = append(j.indent, '\n')
	}
	for len(j.indent) < need {
		j.indent = append(j.indent, j.opts.Indent...)
	}
	j.line = j.indent[:need]
}

// item goes to the next item of what is open.
func (j *jsonWriter) item(top *jsonLevel) {
	out := j.out
	if top.n > 0 {
		out = append(out, ',')
	}
	top.n++
	j.out = append(out, j.line...)
}

func (j *jsonWriter) key(key []byte) {
	top := &j.open[len(j.open)-1]
	top.entry = len(j.out)
	j.item(top)
	if top.odd {
		j.out = append(j.out, '[')
	}
	if top.form.keys || !j.simple(key) {
		j.out = append(j.out, '"')
		if top.form.keys || !utf8.Valid(key) {
			j.binary(key)
		} else {
			j.text(key, true, !top.odd)
		}
		j.out = append(j.out, '"')
	}
	switch {
	case top.odd:
		j.out = append(j.out, ',')
	case j.opts.Indent != "":
		j.out = append(j.out, ": "...)
	default:
		j.out = append(j.out, ':')
	}
	layers := string(key) == "piece layers"
	top.next = jsonForm{
		binary:   top.form.children || isHexKey(key),
		keys:     layers || top.top && string(key) == "files", // the latter in a reply to a scrape
		children: layers,
	}
}

// close ends a list or dictionary.
func (j *jsonWriter) close() {
	last := len(j.open) - 1
	l := &j.open[last]
	j.open = j.open[:last]
	if j.setLine(); l.n > 0 {
		j.out = append(j.out, j.line...)
	}
	switch {
	case l.odd:
		j.out = append(j.out, "]}"...)
	case l.dict:
		j.out = append(j.out, '}')
	default:
		j.out = append(j.out, ']')
	}
	j.entryDone()
}

// entryDone ends the pair whose value was written.
func (j *jsonWriter) entryDone() {
	if n := len(j.open); n > 0 && j.open[n-1].odd {
		j.out = append(j.out, ']')
	}
}
