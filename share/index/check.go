package index

import (
	"fmt"

	"shoal/share/blob"
)

// A Position is where in a tree a node stands: what it may hold depends on it. The zero Position is that of the top of
// the files' tree. Positions can be compared.
type Position struct {
	Root    bool     // it is the root node, not one of a directory
	Meta    bool     // below the meta directory
	Foreign bool     // sealed under the secret of another share or epoch: in a pin, or below the root of an export
	Depth   int      // names above it, 0 to 127
	Level   int      // nibbles of the hash that led to it, 0 to 64
	Prefix  [32]byte // these nibbles, the rest zero
}

// A Child is a node that another names, and where it stands.
type Child struct {
	Cap blob.Cap
	At  Position
}

// CheckNode checks a node of a stranger as soon as it is here, by itself: everything of docs/shares.md §3.2 and §3.3 but
// whether a split is needed, for which [Forest.Check] looks at whole trees. b is the blob. It returns the nodes that this
// one needs; those of unknown types of entries, which have no known form, are not among them. The same child may be
// found at several places, and a tree may be made so that it is found at very many: who follows children does it once
// for each. Errors wrap [ErrInvalid].
func (f *Forest) CheckNode(c blob.Cap, b []byte, at Position) ([]Child, error) {
	refs, plain, err := openNode(c, b)
	if err != nil {
		return nil, err
	}
	_, kids, err := f.checkPlain(c, refs, plain, at)
	return kids, err
}

// checkPlain checks the opened node c at a position; n is nil for a root.
func (f *Forest) checkPlain(c blob.Cap, refs []blob.ID, plain []byte, at Position) (n *node, kids []Child, err error) {
	if at.Root {
		return f.checkRoot(c, refs, plain, at)
	}
	if n, err = decodeNode(refs, plain); err != nil {
		return nil, nil, fmt.Errorf("checking node %s: %w", c.ID, err)
	}
	again, text := n.encode()
	if err := f.checkSeal(c, again, text, at); err != nil {
		return nil, nil, err
	}
	if kids, err = n.check(at); err != nil {
		return nil, nil, fmt.Errorf("checking node %s: %w", c.ID, err)
	}
	return n, kids, nil
}

func (f *Forest) checkRoot(c blob.Cap, refs []blob.ID, plain []byte, at Position) (*node, []Child, error) {
	r, err := decodeRoot(refs, plain)
	if err != nil {
		return nil, nil, err
	}
	again, text := r.encode()
	if err := f.checkSeal(c, again, text, Position{}); err != nil {
		return nil, nil, err
	}
	var kids []Child
	if !r.Files.IsZero() {
		kids = append(kids, Child{r.Files, Position{Foreign: at.Foreign}})
	}
	if !r.Meta.IsZero() {
		kids = append(kids, Child{r.Meta, Position{Foreign: at.Foreign, Meta: true}})
	}
	return nil, kids, nil
}

// checkSeal checks that what a node says gives its cap again: that it has no other form, and no key but its own.
func (f *Forest) checkSeal(c blob.Cap, refs []blob.ID, plain []byte, at Position) error {
	if !blob.Fits(len(refs), len(plain)) {
		return overLimit("node %s", c.ID)
	}
	var again blob.Cap
	if at.Foreign {
		again.Key = c.Key
		again.ID, _ = blob.SealWith(c.Key, blob.Node, refs, plain)
	} else {
		again, _ = blob.Seal(f.conv, blob.Node, refs, plain)
	}
	if again != c {
		return invalid("node %s is not what its content gives", c.ID)
	}
	return nil
}

// check checks what depends on the position, and returns the children.
func (n *node) check(at Position) (kids []Child, err error) {
	if n.kids != nil {
		return n.checkInner(at)
	}
	if n := count(n.names); n > Leaf && at.Level < nibbles {
		return nil, overLimit("a leaf of %d entries", n)
	}
	for i := range n.names {
		s := &n.names[i]
		h := place(s.Name)
		for l := range at.Level {
			if nibble(&h, l) != nibble(&at.Prefix, l) {
				return nil, invalid("%q is not in its place", s.Name)
			}
		}
		if err := s.checkTypes(at.Meta); err != nil {
			return nil, err
		}
		kids = s.children(at, kids)
	}
	if len(kids) > 0 && at.Depth+1 >= MaxDepth {
		return nil, errPaths
	}
	return kids, nil
}

// children appends what is below a name of a leaf that stands at a position: its directory, and its pins.
func (s *NameSet) children(at Position, kids []Child) []Child {
	below := Position{Meta: at.Meta, Foreign: at.Foreign, Depth: at.Depth + 1}
	if !s.Below.IsZero() {
		kids = append(kids, Child{s.Below, below})
	}
	below.Foreign = true
	for i := range s.Entries {
		if e := &s.Entries[i]; e.Type == Pin {
			kids = append(kids, Child{e.Caps[0], below})
		}
	}
	return kids
}

// checkTypes checks that members and the like are in the meta tree, and files are not.
func (s *NameSet) checkTypes(meta bool) error {
	for i := range s.Entries {
		if t := s.Entries[i].Type; t.Known() && (t == Meta) != meta {
			return invalid("%q of type %c is in the wrong tree", s.Name, t)
		}
	}
	return nil
}

func (n *node) checkInner(at Position) (kids []Child, err error) {
	if at.Level == nibbles {
		return nil, errDeep
	}
	for i, c := range n.kids {
		if c.IsZero() {
			continue
		}
		kid := at
		kid.Level++
		kid.Prefix[at.Level/2] |= byte(i << (4 * (1 - at.Level&1)))
		kids = append(kids, Child{c, kid})
	}
	return kids, nil
}
