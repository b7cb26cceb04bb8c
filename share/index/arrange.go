package index

import (
	"cmp"
	"path"
	"slices"
)

// Arrange makes of the operations of [Plan], for all natural paths where the index and the base differ, ones that can be
// done in this order (docs/shares.md §6.1, §6.2):
//   - what goes at one path and comes at another is a rename, and a further coming of it a copy; so is the coming of what
//     lies elsewhere and stays;
//   - a file moves out of the way before another comes to its place; where that goes round in a circle, one is parked;
//   - directories come before what is in them, and go last, after what was in them.
//
// An old file is never taken from a path before the new one of that path is here: it is copied then. Each operation of
// ops depends only on Mkdir, Rename, Copy, Park, Delete and Rmdir before it, never on a Put but at its own path: a Put may
// fail or wait. blocked are operations that cannot be done, because something stands in their way that ops do not take
// away; they are planned again when it is gone.
func Arrange(ops []Op, disk Disk) (done, blocked []Op) { return arrange(ops, disk, nil) }

// A step is what happens at one path of the disk. At least one of gone and come is set.
type step struct {
	path  string
	gone  *Op   // Delete, Rmdir or Forget
	come  *Op   // anything else
	moved *step // where what was here is renamed to; then nothing else of the step takes it away
}

// arranger is one run of Arrange.
type arranger struct {
	disk    Disk
	steps   map[string]*step
	order   []*step // by depth, then path
	stays   map[string]bool
	blocked []Op
}

// arrange is Arrange, with paths of operations that were left out: directories above them stay.
func arrange(ops []Op, disk Disk, left []string) (done, blocked []Op) {
	a := &arranger{disk: disk, steps: map[string]*step{}, stays: map[string]bool{}}
	for _, p := range left {
		for d := parent(p); d != "" && !a.stays[d]; d = parent(d) {
			a.stays[d] = true
		}
	}
	a.collate(ops)
	a.admit()
	a.match()
	done = a.sequence()
	return done, a.blocked
}

// parent is the directory that a path is in, "" for the top.
func parent(p string) string {
	d := path.Dir(p)
	if d == "." {
		return ""
	}
	return d
}

// collate brings together what happens at each path.
func (a *arranger) collate(ops []Op) {
	for i := range ops {
		op := ops[i]
		s := a.steps[op.Path]
		if s == nil {
			s = &step{path: op.Path}
			a.steps[op.Path] = s
			a.order = append(a.order, s)
		}
		slot := &s.come
		if op.Kind == Delete || op.Kind == Rmdir || op.Kind == Forget {
			slot = &s.gone
		}
		if *slot != nil { // two natural paths want one path on disk: no presentation says so
			a.blocked = append(a.blocked, op)
			continue
		}
		*slot = &op
	}
	for _, s := range a.order {
		s.unite()
	}
	a.sort()
}

func (a *arranger) sort() {
	slices.SortFunc(a.order, func(s, t *step) int {
		return cmp.Or(cmp.Compare(depthOf(s.path), depthOf(t.path)), cmp.Compare(s.path, t.path))
	})
}

// unite makes one replacement of what goes and what comes in its place, where both are no directories.
func (s *step) unite() {
	if s.gone == nil || s.come == nil {
		return
	}
	b := s.gone.Base
	switch {
	case s.gone.Kind == Forget:
	case s.come.Absent || (b.Type == Dir) != (s.come.Kind == Mkdir):
		return
	case !b.Local && b.sameContent(s.come.Shown):
		s.come.Kind = SetMeta
	}
	s.come.Base, s.gone = b, nil
}

// admit finds what is in the way, and the directories that are implied. Parents come first.
func (a *arranger) admit() {
	for i := 0; i < len(a.order); i++ {
		s := a.order[i]
		if s.gone != nil && s.gone.Kind == Rmdir && a.stays[s.path] {
			a.block(s)
			continue
		}
		if s.come == nil || !s.come.comes() {
			continue
		}
		if s.come.Base == nil && s.gone == nil {
			if b, ok := a.disk.Row(s.path); ok {
				s.come.Base = &b
				if b.Present { // of another natural path, which does not leave now
					a.block(s)
					continue
				}
			}
		}
		if !a.reach(s.path, s.come.Shown.Natural) {
			a.block(s)
		}
	}
	a.order = slices.DeleteFunc(a.order, func(s *step) bool { return a.steps[s.path] != s })
	a.sort()
}

func (a *arranger) block(s *step) {
	for _, op := range []*Op{s.gone, s.come} {
		if op != nil {
			a.blocked = append(a.blocked, *op)
		}
	}
	delete(a.steps, s.path)
}

// reach makes sure that the directory that p is in will be there.
func (a *arranger) reach(p, natural string) bool {
	d, n := parent(p), parent(natural)
	if d == "" {
		return true
	}
	s := a.steps[d]
	if s != nil && s.come != nil && s.come.Kind == Mkdir {
		return true
	}
	b, ok := a.disk.Row(d)
	switch {
	case ok && b.Present && b.Type == Dir:
		if s != nil && s.gone != nil { // it may not go: something comes into it
			a.block(s)
		}
		return s == nil || s.come == nil || !s.come.comes()
	case ok && b.Present && (s == nil || s.gone == nil):
		return false
	case s != nil && s.come != nil && !s.come.Absent:
		return false
	}
	return a.imply(d, n, b, ok) && a.reach(d, n)
}

// imply adds the making of a directory that is there only because something is in it.
func (a *arranger) imply(d, natural string, b Base, ok bool) bool {
	op := &Op{Kind: Mkdir, Path: d, Shown: &Shown{Path: d, Natural: natural, Type: Dir, Mode: ImpliedMode, HasMode: true}}
	s := a.steps[d]
	switch {
	case s != nil && s.come != nil && s.come.Shown.Type == Dir:
		op.Shown = s.come.Shown // it is not wanted by itself
	case ok && b.Type == Dir:
		op.Shown = b.shown()
	}
	if s == nil {
		s = &step{path: d}
		a.steps[d] = s
		a.order = append(a.order, s)
	}
	if s.come = op; s.gone != nil {
		s.unite()
	} else if ok {
		op.Base = &b
	}
	return true
}

// shown is what the row says.
func (b *Base) shown() *Shown {
	return &Shown{Path: b.Path, Natural: b.Natural, Type: b.Type, Dots: b.Dots, MTime: b.MTime, Mode: b.Mode,
		HasMode: b.HasMode, Size: b.Size, Hash: b.Hash, Caps: b.Caps, Value: b.Value}
}

// comes reports whether o makes something at its path.
func (o *Op) comes() bool {
	switch o.Kind {
	case Mkdir, MakeSymlink, Put, Copy, Rename:
		return true
	}
	return false
}
