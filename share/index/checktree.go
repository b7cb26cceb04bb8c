package index

import (
	"context"
	"math"
	"slices"

	"shoal/share/blob"
)

// Checked is what [Forest.Check] has looked at.
type Checked struct {
	Nodes    int   // that were read
	Entries  int64 // below all paths that lead to those nodes; math.MaxInt64 may stand for more
	Repeated int64 // of those, how many were met before by another path
}

// Check checks a whole state as that of a stranger: every node as [Forest.CheckNode] does, and that no node is split
// without need. c is the root node; foreign says that it is that of an export. known is a state that is known
// to be right, or nothing: what stands at the same place there is not looked at again. Errors wrap [ErrInvalid] when the state
// is not right, and [ErrMissing] when nodes are not here. A small state can be made to have more paths than anybody can walk:
// with more than [MaxRepeated] that nodes have in common it is refused, and the time to find that out does not depend on them.
func (f *Forest) Check(ctx context.Context, c blob.Cap, foreign bool, known Root) (Checked, error) {
	k := checker{f: f, ctx: ctx, done: make(map[Child]subtree)}
	refs, plain, err := f.open(c)
	if err != nil {
		return k.Checked, err
	}
	_, kids, err := f.checkRoot(c, refs, plain, Position{Root: true, Foreign: foreign})
	for _, kid := range kids {
		if err != nil {
			break
		}
		was := known.Files
		if kid.At.Meta {
			was = known.Meta
		}
		var t subtree
		t, err = k.top(kid, was)
		k.Entries = plus(k.Entries, t.entries)
	}
	if err == nil && k.Repeated > MaxRepeated {
		err = overLimit("more than %d entries that several paths lead to", MaxRepeated)
	}
	return k.Checked, err
}

// top checks one of the two trees.
func (k *checker) top(c Child, was blob.Cap) (subtree, error) {
	if c.Cap == was {
		return subtree{}, nil
	}
	return k.tree(c, good{was, was})
}

type checker struct {
	f    *Forest
	ctx  context.Context // of the one call that this value lives in
	done map[Child]subtree
	Checked
}

// A subtree is what is below one node: entries of its directory, up to some more than Leaf, and of all.
type subtree struct {
	own     int
	entries int64
}

// A good is what stands at the same place in a state that is known to be right: the whole directory, and the node.
type good struct {
	dir  blob.Cap // zero: none
	node blob.Cap // zero: none
}

// tree checks a node and all below it.
func (k *checker) tree(c Child, was good) (subtree, error) {
	if t, ok := k.done[c]; ok {
		k.Repeated = plus(k.Repeated, t.entries)
		return t, nil
	}
	if err := k.ctx.Err(); err != nil {
		return subtree{}, context.Cause(k.ctx)
	}
	refs, plain, err := k.f.open(c.Cap)
	if err != nil {
		return subtree{}, err
	}
	n, kids, err := k.f.checkPlain(c.Cap, refs, plain, c.At)
	if err != nil {
		return subtree{}, err
	}
	k.Nodes++
	var t subtree
	if n.kids != nil {
		t, err = k.inner(kids, was)
	} else {
		t, err = k.leaf(n, c.At, was)
	}
	if err != nil {
		return subtree{}, err
	}
	k.done[c] = t
	return t, nil
}

// inner checks the children of an inner node, and that they would not fit into a leaf.
func (k *checker) inner(kids []Child, was good) (t subtree, err error) {
	var before *[fan]blob.Cap
	if !was.node.IsZero() {
		n, err := k.f.node(was.node)
		if err != nil {
			return t, err
		}
		before = n.kids
	}
	for _, kid := range kids {
		there := good{dir: was.dir}
		if before != nil {
			there.node = before[nibble(&kid.At.Prefix, kid.At.Level-1)]
		}
		var sub subtree
		switch {
		case kid.Cap != there.node:
			sub, err = k.tree(kid, there)
		case t.own <= Leaf:
			sub.own, err = k.sizeOf(kid.Cap)
		}
		if err != nil {
			return t, err
		}
		t.own = min(t.own+sub.own, Leaf+1)
		t.entries = plus(t.entries, sub.entries)
	}
	if t.own <= Leaf {
		return t, invalid("a directory of %d entries is split without need", t.own)
	}
	return t, nil
}

// sizeOf is the number of entries of a leaf, and more than that of an inner node.
func (k *checker) sizeOf(c blob.Cap) (int, error) {
	n, err := k.f.node(c)
	if err != nil || n.kids != nil {
		return Leaf + 1, err
	}
	return count(n.names), nil
}

// leaf checks what is below the names of a leaf at a position.
func (k *checker) leaf(n *node, at Position, was good) (t subtree, err error) {
	t.own = min(count(n.names), Leaf+1)
	t.entries = int64(count(n.names))
	for i := range n.names {
		s := &n.names[i]
		kids := s.children(at, nil)
		if len(kids) == 0 {
			continue
		}
		before, err := k.f.lookup(was.dir, s.Name)
		if err != nil {
			return t, err
		}
		known := before.children(at, nil)
		for _, kid := range kids {
			if slices.Contains(known, kid) {
				continue
			}
			there := good{}
			if kid.Cap == s.Below {
				there = good{before.Below, before.Below}
			}
			sub, err := k.tree(kid, there)
			if err != nil {
				return t, err
			}
			t.entries = plus(t.entries, sub.entries)
		}
	}
	return t, nil
}

func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
