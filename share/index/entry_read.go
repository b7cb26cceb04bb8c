package index

import (
	"slices"

	"shoal/share/blob"
)

// ParseEntry reads what [Entry.Raw] and [Entry.IDs] gave. It accepts nothing but the canonical encoding of a valid
// entry; errors wrap [ErrInvalid].
func ParseEntry(raw []byte, ids []blob.ID) (Entry, error) {
	if len(raw) > MaxEntry {
		return Entry{}, overLimit("an entry of %d bytes, at most %d are allowed", len(raw), MaxEntry)
	}
	l := lexer{b: raw}
	e, refs := l.entry(nil)
	switch {
	case l.err != nil:
		return Entry{}, l.err
	case len(l.b) > 0 || refs != nil:
		return Entry{}, invalid("more than an entry without references")
	case len(e.Caps) != len(ids):
		return Entry{}, invalid("%d ids for the %d keys of %q", len(ids), len(e.Caps), e.Name)
	}
	for i := range ids {
		e.Caps[i].ID = ids[i]
	}
	if err := e.Check(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// entry takes an entry, whose caps have keys but no ids yet, and appends the numbers of its references to refs. The
// caller checks it. What e holds is copied from the input.
func (l *lexer) entry(refs []int) (e Entry, all []int) {
	begin := *l
	e, all = l.entryOf(true, refs)
	if l.err == nil && e.Type.Known() {
		return e, all
	}
	// The type comes last, and what some keys mean depends on it.
	other := begin
	if e, all := other.entryOf(false, refs); other.err == nil && !e.Type.Known() {
		*l = other
		return e, all
	}
	return e, all
}

// seen is a set of keys: a bit for each lower-case letter.
type seen uint32

func (s seen) has(k byte) bool { return s>>(k-'a')&1 != 0 }

// entryOf is entry of a known type, or of an unknown one.
func (l *lexer) entryOf(known bool, refs []int) (e Entry, all []int) {
	t := File
	if !known {
		t = 0
	}
	var got seen
	var last []byte
	l.take('d')
	for first := true; l.more(); first = false {
		at := l.b
		k := l.bytes()
		if !first && string(k) <= string(last) {
			l.fail("the keys of an entry are not in order")
		}
		last = k
		if len(k) == 1 && isKey(t, k[0]) {
			got |= 1 << (k[0] - 'a')
			refs = l.field(&e, k[0], refs)
			continue
		}
		l.value(extraLimits)
		e.Extra = append(e.Extra, at[:len(at)-len(l.b)]...)
	}
	if e.Extra != nil {
		e.Extra = append(append([]byte{'d'}, e.Extra...), 'e')
	}
	l.checkKeys(&e, got)
	if l.err != nil {
		return Entry{}, refs
	}
	return e, refs
}

// checkKeys checks that a key is there when it must be, and not where it says nothing: else an entry would have two
// encodings.
func (l *lexer) checkKeys(e *Entry, got seen) {
	dotted, known := e.Type != Tree, e.Type.Known()
	sized := e.Type == File || e.Type == Meta && len(e.Caps) > 0
	switch {
	case !got.has('n'), !got.has('y'), got.has('c') != dotted, got.has('w') != dotted:
		l.fail("an entry without name, type or dot")
	case got.has('o') != (len(e.Old) > 0), got.has('k') != (len(e.Caps) > 0), got.has('v') != (len(e.Value) > 0),
		got.has('f') != (e.Hash != [32]byte{}):
		l.fail("%q has a key that says nothing", e.Name)
	case known && (got.has('s') != sized || got.has('t') != (e.Type == File || e.Type == Symlink)):
		l.fail("%q of type %c has not the keys of its type", e.Name, e.Type)
	}
}

// field takes the value of the known key k.
func (l *lexer) field(e *Entry, k byte, refs []int) []int {
	switch k {
	case 'c':
		e.Dot.Counter = uint64(l.int()) // a negative one is refused by Check
	case 'f':
		l.fixed(e.Hash[:])
	case 'k':
		l.keys(e)
	case 'n':
		e.Name = string(l.bytes())
	case 'o':
		l.dots(e)
	case 'p':
		if n := l.int(); n < 0 || n > 0o777 {
			l.fail("the mode %d", n)
		} else {
			e.Mode, e.HasMode = uint32(n), true
		}
	case 'r':
		refs = l.refs(refs)
	case 's':
		e.Size = l.int()
	case 't':
		e.MTime = l.int()
	case 'v':
		e.Value = slices.Clone(l.bytes())
	case 'w':
		l.fixed(e.Dot.Writer[:])
	case 'y':
		if s := l.bytes(); len(s) == 1 {
			e.Type = Type(s[0])
		} else {
			l.fail("a type of %d bytes", len(s))
		}
	}
	return refs
}

func (l *lexer) keys(e *Entry) {
	e.Caps = make([]blob.Cap, 0, 1)
	for l.take('l'); l.more(); {
		if len(e.Caps) == MaxCaps {
			l.fail("more than %d caps", MaxCaps)
		}
		var c blob.Cap
		l.fixed(c.Key[:])
		e.Caps = append(e.Caps, c)
	}
}

func (l *lexer) refs(refs []int) []int {
	begin := len(refs)
	for l.take('l'); l.more(); {
		n := l.int()
		if n < 0 || n >= blob.MaxRefs || len(refs)-begin == MaxCaps {
			l.fail("the reference %d", n)
		}
		refs = append(refs, int(n))
	}
	if len(refs) == begin {
		l.fail("an empty list of references")
	}
	return refs
}

func (l *lexer) dots(e *Entry) {
	for l.take('l'); l.more(); {
		var d Dot
		l.take('l')
		l.fixed(d.Writer[:])
		d.Counter = uint64(l.int())
		l.take('e')
		e.Old = append(e.Old, d)
	}
}
