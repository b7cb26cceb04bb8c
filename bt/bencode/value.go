package bencode

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
)

// A Value is a node of a tree that keeps everything: the order and repetition of keys, and the digits of integers.
// The zero Value is no value; it encodes to nothing.
type Value struct {
	kind Kind
	text []byte  // Int: the digits as they stand; String: its bytes
	kids []Value // List: the items; Dict: key, value, key, value
}

// NewInt is an integer.
func NewInt(n int64) Value { return Value{kind: Int, text: strconv.AppendInt(nil, n, 10)} }

// NewIntText is an integer of any length; digits are an optional minus sign and at least one decimal digit, and are
// kept as they stand. ok is false when they are something else.
func NewIntText(digits string) (v Value, ok bool) {
	if !isIntText(digits) {
		return Value{}, false
	}
	return Value{kind: Int, text: []byte(digits)}, true
}

// NewString is a byte string.
func NewString[T string | []byte](s T) Value { return Value{kind: String, text: []byte(s)} }

// NewList is a list of items.
func NewList(items ...Value) Value { return Value{kind: List, kids: items} }

// NewDict is an empty dictionary.
func NewDict() Value { return Value{kind: Dict} }

// Kind is the kind of v, End when v is no value.
func (v Value) Kind() Kind {
	if v.kind == 0 {
		return End
	}
	return v.kind
}

// Int64 is the integer v; false when v is of another kind or does not fit. Leading zeros do not matter.
func (v Value) Int64() (int64, bool) {
	if v.kind != Int {
		return 0, false
	}
	return parseInt64(v.text)
}

// Text is the digits of an integer as they stand, or the bytes of a string; "" for other kinds.
func (v Value) Text() string { return string(v.text) }

// Bytes is what Text is, without a copy: it must not be changed.
func (v Value) Bytes() []byte { return v.text }

// Items are the items of a list; nil for other kinds. They must not be changed.
func (v Value) Items() []Value {
	if v.kind != List {
		return nil
	}
	return v.kids
}

// Len is the number of items of a list or of entries of a dictionary, or of bytes of a string.
func (v Value) Len() int {
	switch v.kind {
	case List:
		return len(v.kids)
	case Dict:
		return len(v.kids) / 2
	case String:
		return len(v.text)
	}
	return 0
}

// Entries are the keys and values of a dictionary in the order they stand; none for other kinds.
func (v Value) Entries() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.kind != Dict {
			return
		}
		for kv := range slices.Chunk(v.kids, 2) {
			if !yield(string(kv[0].text), kv[1]) {
				return
			}
		}
	}
}

// Get is the value of a key of a dictionary, the first one when the key is repeated; no value when there is none.
func (v Value) Get(key string) Value {
	if i := v.find(key); i >= 0 {
		return v.kids[i+1]
	}
	return Value{}
}

func (v Value) find(key string) int {
	if v.kind != Dict {
		return -1
	}
	for i := 0; i < len(v.kids); i += 2 {
		if string(v.kids[i].text) == key {
			return i
		}
	}
	return -1
}

// With is the dictionary v with the key set, in place of the first such key or where its order wants it. v, which must
// be a dictionary, is not changed.
func (v Value) With(key string, val Value) Value {
	kids := slices.Clone(v.kids)
	if i := v.find(key); i >= 0 {
		kids[i+1] = val
		return Value{kind: Dict, kids: kids}
	}
	at := 0
	for at < len(kids) && string(kids[at].text) < key {
		at += 2
	}
	return Value{kind: Dict, kids: slices.Insert(kids, at, NewString(key), val)}
}

// Without is the dictionary v without any entry of that key. v is not changed.
func (v Value) Without(key string) Value {
	out := Value{kind: v.kind}
	for kv := range slices.Chunk(v.kids, 2) {
		if string(kv[0].text) != key {
			out.kids = append(out.kids, kv...)
		}
	}
	return out
}

// Canonical is v with sorted keys and plain integers at all levels; false when a dictionary repeats a key, for then
// there is no canonical form.
func (v Value) Canonical() (Value, bool) {
	switch v.kind {
	case Int:
		return Value{kind: Int, text: canonicalInt(v.text)}, true
	case List, Dict:
	default:
		return v, true
	}
	out := Value{kind: v.kind, kids: make([]Value, len(v.kids))}
	for i, kid := range v.kids {
		var ok bool
		if out.kids[i], ok = kid.Canonical(); !ok {
			return Value{}, false
		}
	}
	if v.kind == Dict && !sortEntries(out.kids) {
		return Value{}, false
	}
	return out, true
}

// sortEntries sorts key, value, key, value … by key, and reports whether no key is repeated.
func sortEntries(kids []Value) bool {
	type pair struct{ key, val Value }
	entries := make([]pair, 0, len(kids)/2)
	for kv := range slices.Chunk(kids, 2) {
		entries = append(entries, pair{kv[0], kv[1]})
	}
	slices.SortStableFunc(entries, func(a, b pair) int { return bytes.Compare(a.key.text, b.key.text) })
	for i, e := range entries {
		if i > 0 && bytes.Equal(entries[i-1].key.text, e.key.text) {
			return false
		}
		kids[2*i], kids[2*i+1] = e.key, e.val
	}
	return true
}

func canonicalInt(digits []byte) []byte {
	sign, rest := digits[:0:0], digits
	if rest[0] == '-' {
		sign, rest = rest[:1:1], rest[1:]
	}
	if rest = bytes.TrimLeft(rest, "0"); len(rest) == 0 {
		return []byte("0")
	}
	return append(sign, rest...)
}

// isIntText reports whether s can stand between i and e.
func isIntText[T string | []byte](s T) bool {
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return len(s) > 0
}
