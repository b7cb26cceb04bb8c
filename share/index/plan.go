package index

import "slices"

// Rules are what a node wants on its disk. The zero value wants all and publishes what the user does.
type Rules struct {
	Wanted   func(natural string) bool // nil: all (docs/shares.md §6.6)
	ReadOnly bool                      // local changes are not events: they stay until the index changes the path
	Revert   func(path string) bool    // of a read-only node: give up the local change at path; nil: none
}

func (r Rules) wanted(natural string) bool { return r.Wanted == nil || r.Wanted(natural) }

func (r Rules) reverts(path string) bool { return r.ReadOnly && r.Revert != nil && r.Revert(path) }

// Plan is what has to be done at one natural path: shown is all that is shown for its siblings, base the rows whose
// Natural is that path. It is pure, and its operations are good for [Arrange] only, which finds renames and an order.
// Links, pins and unknown types are not its business, but that they take a name.
func Plan(shown []Shown, base []Base, rules Rules) []Op {
	var ops []Op
	rows := make(map[string]*Base, len(base))
	for i := range base {
		rows[base[i].Path] = &base[i]
	}
	for i := range shown {
		s := &shown[i]
		if s.Type != File && s.Type != Dir && s.Type != Symlink {
			continue
		}
		ops = append(ops, planPath(s, rows[s.Path], rules)...)
		delete(rows, s.Path)
	}
	for i := range base {
		if b := &base[i]; rows[b.Path] != nil {
			ops = append(ops, planGone(b, rules)...)
		}
	}
	return ops
}

// planGone plans a row where nothing is shown any more.
func planGone(b *Base, rules Rules) []Op {
	made := b.Local && b.Present && len(b.Dots) == 0 // by the user of a read-only node
	switch {
	case rules.ReadOnly && !b.Present: // also what its user made, and took away again
		return []Op{{Kind: Forget, Path: b.Path, Base: b}}
	case (b.found() || made) && !rules.reverts(b.Path):
		return nil
	case b.found():
		return []Op{{Kind: Delete, Path: b.Path, Base: b}}
	case !b.Present:
		return []Op{{Kind: Forget, Path: b.Path, Base: b}}
	case b.Type == Dir:
		return []Op{{Kind: Rmdir, Path: b.Path, Base: b}}
	}
	return []Op{{Kind: Delete, Path: b.Path, Base: b}}
}

// planPath plans a path where s is shown; b is its row or nil.
func planPath(s *Shown, b *Base, rules Rules) []Op {
	wanted := rules.wanted(s.Natural)
	if b == nil || !b.Present {
		return planAbsent(s, b, wanted, rules)
	}
	same := b.sameContent(s)
	switch {
	case b.found() && !same && !rules.ReadOnly:
		return nil // its event comes first, so that it becomes a sibling
	case b.Local && sameDots(b.Dots, s.Dots) && !rules.reverts(b.Path):
		return nil
	case b.Local:
		same = false
	}
	switch {
	case same && !b.sameMeta(s):
		return []Op{{Kind: SetMeta, Path: s.Path, Base: b, Shown: s}}
	case same && b.sameRow(s):
		return nil
	case same:
		return []Op{{Kind: Adopt, Path: s.Path, Base: b, Shown: s}}
	case !wanted && b.found():
		return nil
	case !wanted:
		return goneAnd(b, Op{Kind: Adopt, Path: s.Path, Shown: s, Absent: true})
	case (b.Type == Dir) != (s.Type == Dir):
		return goneAnd(b, Op{Kind: come(s), Path: s.Path, Shown: s})
	}
	return []Op{{Kind: come(s), Path: s.Path, Base: b, Shown: s}}
}

// goneAnd takes b away, and then does op.
func goneAnd(b *Base, op Op) []Op {
	if b.Type == Dir {
		return []Op{{Kind: Rmdir, Path: b.Path, Base: b}, op}
	}
	return []Op{{Kind: Delete, Path: b.Path, Base: b}, op}
}

// planAbsent plans a path where nothing is on disk.
func planAbsent(s *Shown, b *Base, wanted bool, rules Rules) []Op {
	switch {
	case b != nil && b.Local && sameDots(b.Dots, s.Dots) && !rules.reverts(b.Path):
		return nil // deleted here, and nobody changed it since
	case wanted:
		return []Op{{Kind: come(s), Path: s.Path, Base: b, Shown: s}}
	case b != nil && !b.Local && b.sameContent(s) && b.sameMeta(s) && b.sameRow(s):
		return nil
	}
	return []Op{{Kind: Adopt, Path: s.Path, Base: b, Shown: s, Absent: true}}
}

// come is how what is shown gets on disk.
func come(s *Shown) OpKind {
	switch s.Type {
	case Dir:
		return Mkdir
	case Symlink:
		return MakeSymlink
	}
	return Put
}

// found reports whether b is what a scan found and no event says yet.
func (b *Base) found() bool { return b.Type != Dir && len(b.Dots) == 0 }

func (b *Base) sameContent(s *Shown) bool {
	if b.Type != s.Type {
		return false
	}
	switch b.Type {
	case File:
		return b.Size == s.Size && b.Hash == s.Hash
	case Symlink:
		return string(b.Value) == string(s.Value)
	}
	return true
}

// sameMeta reports whether nothing that the index says of mtime and mode has to be set on disk.
func (b *Base) sameMeta(s *Shown) bool {
	return (s.Type == Dir || b.MTime == s.MTime) && (!s.HasMode || b.HasMode && b.Mode == s.Mode)
}

// sameRow reports whether the row of b needs no change but perhaps in content and meta.
func (b *Base) sameRow(s *Shown) bool {
	return sameDots(b.Dots, s.Dots) && b.HasMode == s.HasMode && slices.Equal(b.Caps, s.Caps)
}

// sameDots reports whether a and b are the same set.
func sameDots(a, b []Dot) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, Dot.Compare)
	slices.SortFunc(b, Dot.Compare)
	return slices.Equal(a, b)
}

// BaseOf is the row that says what s says. Who puts it on disk adds Present and Ident.
func BaseOf(s Shown) Base {
	return Base{Path: s.Path, Natural: s.Natural, Type: s.Type, Dots: s.Dots, MTime: s.MTime, Mode: s.Mode,
		HasMode: s.HasMode, Size: s.Size, Hash: s.Hash, Caps: s.Caps, Value: s.Value}
}
