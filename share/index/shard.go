package index

import (
	"bytes"
	"slices"
	"strings"

	"shoal/share/blob"
)

// A named is a name of a directory with the place that its hash gives it.
type named struct {
	at [32]byte
	NameSet
}

// A shard is a part of a directory while it is made: a node that is sealed, or a leaf that is not yet, for it may join
// others.
type shard struct {
	sealed blob.Cap // zero for a loose leaf, and for nothing
	names  []named  // of a loose leaf, by place
	many   bool     // more than Leaf entries, that can be split
	delta  int      // entries more than before
}

// update is the shard that changes, sorted by place and with nibbles before level in common, make of the node c.
func (f *Forest) update(c blob.Cap, level int, changes []change) (shard, error) {
	var n *node
	if !c.IsZero() {
		var err error
		if n, err = f.node(c); err != nil {
			return shard{}, err
		}
	}
	if n == nil || n.kids == nil {
		var old []named
		if n != nil {
			old = places(n.names)
		}
		names, delta := mergeChanges(old, changes)
		s, err := f.build(names, level)
		s.delta = delta
		return s, err
	}
	if level == nibbles {
		return shard{}, errDeep
	}
	return f.updateInner(c, n.kids, level, changes)
}

// updateInner is update of an inner node.
func (f *Forest) updateInner(c blob.Cap, before *[fan]blob.Cap, level int, changes []change) (shard, error) {
	var kids [fan]*shard
	delta := 0
	for len(changes) > 0 {
		i := nibble(&changes[0].at, level)
		end := 1
		for end < len(changes) && nibble(&changes[end].at, level) == i {
			end++
		}
		s, err := f.update(before[i], level+1, changes[:end])
		if err != nil {
			return shard{}, err
		}
		kids[i] = &s
		delta += s.delta
		changes = changes[end:]
	}
	if delta < 0 {
		s, err := f.join(before, &kids)
		if err != nil || s != nil {
			return shard{names: s, delta: delta}, err
		}
	}
	s, err := f.sealInner(&kids, c, before)
	s.delta = delta
	return s, err
}

// join is the leaf that the children fit into, nil when they do not. Children that are not known are read only while
// they might. Empty but not nil: nothing is left.
func (f *Forest) join(before *[fan]blob.Cap, kids *[fan]*shard) ([]named, error) {
	total := 0
	for i, s := range kids {
		switch {
		case s == nil && !before[i].IsZero():
			total++ // at least
		case s == nil:
		case s.many:
			return nil, nil
		default:
			total += countNamed(s.names)
		}
	}
	all := make([]named, 0, Leaf)
	for i, s := range kids {
		if total > Leaf {
			return nil, nil
		}
		if s == nil && before[i].IsZero() {
			continue
		}
		if s == nil {
			kid, err := f.node(before[i])
			if err != nil {
				return nil, err
			}
			if kid.kids != nil {
				return nil, nil
			}
			s = &shard{names: places(kid.names)}
			total += countNamed(s.names) - 1
		}
		all = append(all, s.names...)
	}
	if total > Leaf {
		return nil, nil
	}
	return all, nil
}

// build is the shard of names that are sorted by place.
func (f *Forest) build(names []named, level int) (shard, error) {
	if countNamed(names) <= Leaf || level == nibbles {
		return shard{names: names, many: countNamed(names) > Leaf}, nil
	}
	var kids [fan]*shard
	for len(names) > 0 {
		i := nibble(&names[0].at, level)
		end := 1
		for end < len(names) && nibble(&names[end].at, level) == i {
			end++
		}
		s, err := f.build(names[:end], level+1)
		if err != nil {
			return shard{}, err
		}
		if s.sealed, err = f.seal(&s, blob.Cap{}); err != nil {
			return shard{}, err
		}
		s.names = nil
		kids[i] = &s
		names = names[end:]
	}
	return f.sealInner(&kids, blob.Cap{}, new([fan]blob.Cap))
}

// seal stores the shard, unless it is the node that was there before; zero when nothing is in it.
func (f *Forest) seal(s *shard, before blob.Cap) (blob.Cap, error) {
	if !s.sealed.IsZero() || len(s.names) == 0 {
		return s.sealed, nil
	}
	leaf := make([]NameSet, len(s.names))
	for i := range s.names {
		leaf[i] = s.names[i].NameSet
	}
	slices.SortFunc(leaf, func(a, b NameSet) int { return strings.Compare(a.Name, b.Name) })
	return f.put(&node{names: leaf}, before)
}

// sealInner stores what became of the inner node c with the children before: nil are those that are as they were.
func (f *Forest) sealInner(kids *[fan]*shard, c blob.Cap, before *[fan]blob.Cap) (shard, error) {
	now := *before
	for i, s := range kids {
		if s == nil {
			continue
		}
		var err error
		if now[i], err = f.seal(s, before[i]); err != nil {
			return shard{}, err
		}
	}
	if now == *before {
		return shard{sealed: c, many: true}, nil
	}
	c, err := f.put(&node{kids: &now}, c)
	return shard{sealed: c, many: true}, err
}

// places are names by their places.
func places(names []NameSet) []named {
	all := make([]named, len(names))
	for i := range names {
		all[i] = named{place(names[i].Name), names[i]}
	}
	slices.SortFunc(all, func(a, b named) int { return bytes.Compare(a.at[:], b.at[:]) })
	return all
}

// mergeChanges is what the names become, and how many entries more they have.
func mergeChanges(old []named, changes []change) (now []named, delta int) {
	now = make([]named, 0, len(old)+len(changes))
	for _, c := range changes {
		for len(old) > 0 && bytes.Compare(old[0].at[:], c.at[:]) < 0 {
			now = append(now, old[0])
			old = old[1:]
		}
		s := named{at: c.at, NameSet: NameSet{Name: c.Name}}
		if len(old) > 0 && old[0].at == c.at {
			s = old[0]
			old = old[1:]
		}
		delta -= s.count()
		if c.entries {
			s.Entries = c.Entries
		}
		if c.below {
			s.Below = c.Below
		}
		if delta += s.count(); s.count() > 0 {
			now = append(now, s)
		}
	}
	return append(now, old...), delta
}

func countNamed(names []named) (n int) {
	for i := range names {
		n += names[i].count()
	}
	return n
}
