package node

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shoal/share/db"
	"shoal/share/index"
)

// rowOf is the row of a path of the writer; nil = none.
func (r *rig) rowOf(p string) (b *index.Base) {
	r.t.Helper()
	err := r.a.node.db.View(r.t.Context(), func(t *db.Tx) (err error) { b, err = t.Base(r.a.n, p); return err })
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// shownAt is what a row shows, at a path.
func shownAt(b *index.Base, p string) *index.Shown {
	return &index.Shown{Path: p, Natural: p, Type: b.Type, Dots: b.Dots, MTime: b.MTime, Mode: b.Mode, HasMode: b.HasMode, Size: b.Size, Hash: b.Hash, Caps: b.Caps}
}

// What counts on an operation that was not done is not done either, and so on: or what the user removed before a scan
// missed it would be forgotten.
func TestChainNotDone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, name := range []string{"one", "two", "three"} {
		r.write(name, noise(uint64(i), 1000))
	}
	one, two, three := r.rowOf("one"), r.rowOf("two"), r.rowOf("three")
	for _, name := range []string{"one", "two", "three"} {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	done := newTally([]string{"x", "one", "two", "three"}, nil)
	err := r.a.perform([]index.Op{
		{Kind: index.Rename, Path: "x", From: "one", Source: one, Shown: shownAt(one, "x")},
		{Kind: index.Rename, Path: "one", From: "two", Source: two, Shown: shownAt(two, "one")},
		{Kind: index.Mkdir, Path: "two", Shown: &index.Shown{Path: "two", Natural: "two", Type: index.Dir}},
		{Kind: index.Delete, Path: "three", Base: three},
		{Kind: index.Adopt, Path: "three", Shown: shownAt(three, "three"), Absent: true},
	}, done)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three"} {
		if b := r.rowOf(name); b == nil || b.Type != index.File || !b.Present {
			t.Errorf("the row of %s is now %+v", name, b)
		}
	}
}

// What is done is only what was planned: a directory that is made on the way, or whose name is given up, may have more to
// do, and a file that is too young to be touched has.
func TestTallied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.a
	left := func() (all []string) {
		err := e.node.db.View(t.Context(), func(t *db.Tx) (err error) { all, err = t.Todo(e.n, "", 100); return err })
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if err := e.node.db.Update(t.Context(), func(t *db.Tx) error { return t.AddTodo(e.n, "d", "d/f", "x", "y") }); err != nil {
		t.Fatal(err)
	}
	copied := &index.Base{Path: "y", Natural: "x", Type: index.File, Present: true}
	done := newTally([]string{"d/f", "x", "y"}, nil)
	ops := []index.Op{
		{Kind: index.Mkdir, Path: "d", Shown: &index.Shown{Path: "d", Natural: "d", Type: index.Dir}},
		{Kind: index.MakeSymlink, Path: "d/f", Shown: &index.Shown{Path: "d/f", Natural: "d/f", Type: index.Symlink}},
		{Kind: index.MakeSymlink, Path: "y", Base: copied, Shown: &index.Shown{Path: "y", Natural: "y", Type: index.Symlink}},
	}
	for i := range ops {
		done.begin(&ops[i])
	}
	for i := range ops {
		done.done(&ops[i])
	}
	if err := e.finish(done); err != nil {
		t.Fatal(err)
	}
	if got := left(); !slices.Equal(got, []string{"d"}) {
		t.Errorf("%q is left to do", got)
	}
}
