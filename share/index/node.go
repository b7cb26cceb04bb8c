package index

import (
	"crypto/sha256"
	"slices"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// fan is the number of children of an inner node, nibbles the number of levels that a hash can tell apart.
const (
	fan     = 16
	nibbles = 64
)

// A NameSet is all that a directory says of one name.
type NameSet struct {
	Name    string
	Entries []Entry  // the siblings in order, without tree record; not to be changed
	Below   blob.Cap // of what is below the name, from its tree record; zero when nothing is
}

// A node is a decoded directory node: names of a leaf in their order, or the children of an inner node.
type node struct {
	names []NameSet
	kids  *[fan]blob.Cap
}

// count is the number of entries in a leaf, tree records included.
func count(names []NameSet) (n int) {
	for i := range names {
		n += names[i].count()
	}
	return n
}

func (s *NameSet) count() int {
	if s.Below.IsZero() {
		return len(s.Entries)
	}
	return len(s.Entries) + 1
}

// place is the hash of a name: its nibbles, the high one of each byte first, lead to the leaf with the name.
func place(name string) [sha256.Size]byte { return sha256.Sum256([]byte(name)) }

// nibble is the i-th one of h.
func nibble(h *[sha256.Size]byte, i int) int { return int(h[i/2]>>(4*(1-i&1))) & 15 }

// encodeLeaf is the plain text of a leaf, and its references in order of first use (docs/shares.md §3.2).
func encodeLeaf(names []NameSet) (refs []blob.ID, plain []byte) {
	n := count(names)
	plain = append(make([]byte, 0, 220*n), 'l')
	at := make(map[blob.ID]int, n)
	var nums []int
	put := func(e *Entry) {
		nums = nums[:0]
		for i := range e.Caps {
			r, ok := at[e.Caps[i].ID]
			if !ok {
				r = len(refs)
				at[e.Caps[i].ID] = r
				refs = append(refs, e.Caps[i].ID)
			}
			nums = append(nums, r)
		}
		plain = e.appendTo(plain, nums)
	}
	for i := range names {
		s := &names[i]
		k := len(s.Entries)
		if !s.Below.IsZero() {
			k, _ = slices.BinarySearchFunc(s.Entries, Tree, func(e Entry, t Type) int { return int(e.Type) - int(t) })
		}
		for j := range s.Entries[:k] {
			put(&s.Entries[j])
		}
		if !s.Below.IsZero() {
			put(&Entry{Name: s.Name, Type: Tree, Caps: []blob.Cap{s.Below}})
		}
		for j := k; j < len(s.Entries); j++ {
			put(&s.Entries[j])
		}
	}
	return refs, append(plain, 'e')
}

// encodeInner is the plain text of an inner node, and its references.
func encodeInner(kids *[fan]blob.Cap) (refs []blob.ID, plain []byte) {
	plain = append(plain, 'l')
	for i := range kids {
		if kids[i].IsZero() {
			plain = append(plain, "0:"...)
			continue
		}
		plain = bencode.AppendString(plain, kids[i].Key[:])
		refs = append(refs, kids[i].ID)
	}
	return refs, append(plain, 'e')
}

func (n *node) encode() (refs []blob.ID, plain []byte) {
	if n.kids != nil {
		return encodeInner(n.kids)
	}
	return encodeLeaf(n.names)
}

// decodeNode reads the plain text of a directory node, padded. It accepts nothing but what encode makes of a valid node.
func decodeNode(refs []blob.ID, plain []byte) (*node, error) {
	l := lexer{b: plain}
	l.take('l')
	n := new(node)
	switch c := l.next(); {
	case c == 'd':
		l.leaf(n, refs)
	case '0' <= c && c <= '9':
		l.inner(n, refs)
	default:
		l.fail("a directory node that is empty, or none")
	}
	l.padding(len(plain))
	if l.err != nil {
		return nil, l.err
	}
	return n, nil
}

// padding checks that all that is left of total bytes is the padding, and not more of it than there must be.
func (l *lexer) padding(total int) {
	if blob.Padme(int64(total-len(l.b))) != int64(total) {
		l.fail("a node with more than its padding")
	}
	for _, c := range l.b {
		if c != 0 {
			l.fail("a node with something in its padding")
		}
	}
}

func (l *lexer) inner(n *node, refs []blob.ID) {
	n.kids = new([fan]blob.Cap)
	for i := range n.kids {
		if l.next() == '0' {
			l.bytes()
			continue
		}
		if len(refs) == 0 || refs[0].Kind() != blob.Node {
			l.fail("an inner node with fewer children than keys")
			return
		}
		n.kids[i].ID, refs = refs[0], refs[1:]
		l.fixed(n.kids[i].Key[:])
		for j := range i {
			if n.kids[j].ID == n.kids[i].ID {
				l.fail("an inner node with the same child twice")
			}
		}
	}
	if l.take('e'); len(refs) > 0 {
		l.fail("an inner node with more children than keys")
	}
}

// leaf takes the entries of a leaf up to the end of the list.
func (l *lexer) leaf(n *node, refs []blob.ID) {
	var prev, e Entry
	var nums []int
	used := 0
	total := 0
	for l.more() {
		e, nums = l.entry(nums[:0])
		if used = l.resolve(&e, nums, refs, used); l.err != nil {
			return
		}
		if err := e.Check(); err != nil {
			l.err = err
			return
		}
		if total > 0 && prev.Compare(&e) >= 0 {
			l.fail("the entries of a leaf are not in order at %q", e.Name)
			return
		}
		l.add(n, &e)
		prev = e
		total++
	}
	if used < len(refs) || !distinct(refs) {
		l.fail("a leaf with references that it does not use, or has twice")
	}
	one := len(n.names) == 1 // only siblings of one name cannot be split
	if l.err == nil && total > Leaf && !one {
		l.err = overLimit("a leaf of %d entries", total)
	}
}

// add puts the next entry into a leaf.
func (l *lexer) add(n *node, e *Entry) {
	if k := len(n.names); k == 0 || n.names[k-1].Name != e.Name {
		n.names = append(n.names, NameSet{Name: e.Name})
	}
	s := &n.names[len(n.names)-1]
	e.Name = s.Name // one string for all siblings
	switch {
	case e.Type != Tree:
		if len(s.Entries) == MaxSiblings {
			l.err = overLimit("more than %d siblings of %q", MaxSiblings, e.Name)
			return
		}
		s.Entries = append(s.Entries, *e)
	case !s.Below.IsZero():
		l.fail("two tree records of %q", e.Name)
	default:
		s.Below = e.Caps[0]
	}
}

// resolve gives the caps of e the ids that nums name, used being the number of references that were used before. New
// ones come in the order of the list.
func (l *lexer) resolve(e *Entry, nums []int, refs []blob.ID, used int) int {
	if len(nums) != len(e.Caps) {
		l.fail("%d references for the %d keys of %q", len(nums), len(e.Caps), e.Name)
		return used
	}
	for i, r := range nums {
		if r > used || r >= len(refs) {
			l.fail("a reference of %q is not in order of first use", e.Name)
			return used
		}
		if r == used {
			used++
		}
		e.Caps[i].ID = refs[r]
	}
	return used
}

// distinct reports whether no id is there twice.
func distinct(ids []blob.ID) bool {
	all := make(map[blob.ID]struct{}, len(ids))
	for _, id := range ids {
		all[id] = struct{}{}
	}
	return len(all) == len(ids)
}
