package index

import (
	"bytes"
	"cmp"
	"slices"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// Known reports whether t is a type of this version of the format. Of entries of other types only name, dot, earlier
// dots and caps are understood; all else of them is in Extra.
func (t Type) Known() bool {
	switch t {
	case File, Dir, Symlink, Link, Pin, Meta, Tree:
		return true
	}
	return false
}

// Raw is the canonical encoding of e without the references, which depend on the node that e is in; with the ids behind
// its caps it is all of e. [ParseEntry] reads it.
func (e *Entry) Raw() []byte { return e.appendTo(make([]byte, 0, 256), nil) }

// IDs are the ids behind the caps of e.
func (e *Entry) IDs() []blob.ID {
	if len(e.Caps) == 0 {
		return nil
	}
	ids := make([]blob.ID, len(e.Caps))
	for i := range e.Caps {
		ids[i] = e.Caps[i].ID
	}
	return ids
}

// appendTo appends the encoding of e with these references, or without any (docs/shares.md §3.1). e must be valid.
func (e *Entry) appendTo(b []byte, refs []int) []byte {
	w := entryWriter{b: append(b, 'd')}
	if len(e.Extra) > 2 {
		w.extra = e.Extra[1 : len(e.Extra)-1]
	}
	known, file, blobbed := e.Type.Known(), e.Type == File, e.Type == Meta && len(e.Caps) > 0
	if e.Type != Tree {
		w.int("c", int64(e.Dot.Counter))
	}
	if known && e.Hash != [32]byte{} {
		w.bytes("f", e.Hash[:])
	}
	w.keys(e.Caps)
	w.key("n")
	w.b = bencode.AppendString(w.b, e.Name)
	w.dots(e.Old)
	if e.HasMode {
		w.int("p", int64(e.Mode))
	}
	w.refs(refs)
	if file || blobbed {
		w.int("s", e.Size)
	}
	if file || e.Type == Symlink {
		w.int("t", e.MTime)
	}
	if len(e.Value) > 0 {
		w.bytes("v", e.Value)
	}
	if e.Type != Tree {
		w.bytes("w", e.Dot.Writer[:])
	}
	w.key("y")
	w.b = append(w.b, '1', ':', byte(e.Type))
	w.flush("")
	return append(w.b, 'e')
}

// An entryWriter writes a dictionary, and puts the unknown keys where they belong between the known ones.
type entryWriter struct {
	b     []byte
	extra []byte // keys and values that are not yet written
}

// key writes the key, and before it the unknown ones that are smaller.
func (w *entryWriter) key(k string) {
	w.flush(k)
	w.b = append(w.b, '1', ':', k[0])
}

// flush writes the unknown keys below k, or all that are left when k is "".
func (w *entryWriter) flush(k string) {
	for len(w.extra) > 0 {
		c := bencode.NewCursor(w.extra)
		key := c.Skip()
		if k != "" && string(key[bytes.IndexByte(key, ':')+1:]) >= k {
			return
		}
		n := len(key) + len(c.Skip())
		w.b = append(w.b, w.extra[:n]...)
		w.extra = w.extra[n:]
	}
}

func (w *entryWriter) int(k string, n int64) {
	w.key(k)
	w.b = bencode.AppendInt(w.b, n)
}

func (w *entryWriter) bytes(k string, v []byte) {
	w.key(k)
	w.b = bencode.AppendString(w.b, v)
}

func (w *entryWriter) keys(caps []blob.Cap) {
	if len(caps) == 0 {
		return
	}
	w.key("k")
	w.b = append(w.b, 'l')
	for i := range caps {
		w.b = bencode.AppendString(w.b, caps[i].Key[:])
	}
	w.b = append(w.b, 'e')
}

func (w *entryWriter) refs(refs []int) {
	if len(refs) == 0 {
		return
	}
	w.key("r")
	w.b = append(w.b, 'l')
	for _, r := range refs {
		w.b = bencode.AppendInt(w.b, int64(r))
	}
	w.b = append(w.b, 'e')
}

func (w *entryWriter) dots(dots []Dot) {
	if len(dots) == 0 {
		return
	}
	w.key("o")
	w.b = append(w.b, 'l')
	for _, d := range dots {
		w.b = append(w.b, 'l')
		w.b = bencode.AppendString(w.b, d.Writer[:])
		w.b = bencode.AppendInt(w.b, int64(d.Counter))
		w.b = append(w.b, 'e')
	}
	w.b = append(w.b, 'e')
}

// Equal reports whether e and o are the same entry: name, all that they say, and the caps.
func (e *Entry) Equal(o *Entry) bool {
	return e.Name == o.Name && e.Type == o.Type && e.Dot == o.Dot &&
		e.MTime == o.MTime && e.HasMode == o.HasMode && e.Mode == o.Mode &&
		e.Size == o.Size && e.Hash == o.Hash &&
		slices.Equal(e.Caps, o.Caps) && bytes.Equal(e.Value, o.Value) &&
		slices.Equal(e.Old, o.Old) && bytes.Equal(e.Extra, o.Extra)
}

// Compare is the order of entries in a leaf: by name, type, dot, encoding without references, ids; what has no dot comes
// first (docs/shares.md §3.2). It is 0 when they are equal.
func (e *Entry) Compare(o *Entry) int {
	if c := cmp.Or(cmp.Compare(e.Name, o.Name), cmp.Compare(e.Type, o.Type), e.Dot.Compare(o.Dot)); c != 0 {
		return c
	}
	if e.Equal(o) {
		return 0
	}
	return cmp.Or(bytes.Compare(e.Raw(), o.Raw()), slices.CompareFunc(e.IDs(), o.IDs(), func(a, b blob.ID) int {
		return bytes.Compare(a[:], b[:])
	}))
}

// Compare orders dots by writer, then counter.
func (d Dot) Compare(o Dot) int {
	return cmp.Or(bytes.Compare(d.Writer[:], o.Writer[:]), cmp.Compare(d.Counter, o.Counter))
}

// IsZero reports whether d is no dot.
func (d Dot) IsZero() bool { return d == Dot{} }

// EqualEntries reports whether two sets of siblings, in their order, are the same.
func EqualEntries(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(&b[i]) {
			return false
		}
	}
	return true
}
