package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
)

func tidy(t testing.TB, n *Node) {
	t.Helper()
	if err := n.tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A gap or a jump of the clock counts as one day at most, and nothing makes the clock of ages go back.
func TestAges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wall := time.Unix(1_700_000_000, 0)
		a := newAges(func() time.Time { return wall })
		began, want := a.now(), time.Duration(0)
		for _, s := range rapid.SliceOf(rapid.Int64Range(-3*365*86400, 3*365*86400)).Draw(t, "steps") {
			d := time.Duration(s) * time.Second
			wall = wall.Add(d)
			want += min(max(d, 0), day)
			if got := a.of(began); got != want {
				t.Fatalf("it is %v old, not %v", got, want)
			}
		}
	})
}

func TestAgesGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	home := t.TempDir()
	n := r.open(home, nil)
	began := n.ages.now()
	r.pass(5 * time.Hour)
	if err := n.ages.save(t.Context(), n.db, false); err != nil {
		t.Fatal(err)
	}
	n.Close()
	r.pass(2 * 365 * day)
	n = r.open(home, nil)
	if got := n.ages.of(began); got != day+5*time.Hour {
		t.Errorf("a gap of two years made it %v old", got)
	}
}

// T1: age alone sweeps nothing.
func TestIdleForAYear(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 5 {
		r.write(fmt.Sprintf("f%d", i), noise(uint64(i), 1000+i))
	}
	r.write("big", noise(99, 700_000))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	if s.store.missing() != 0 {
		t.Fatal("the store lacks something")
	}
	tidy(t, s.node)
	want := blobsOf(t, s)
	check := func(when string) {
		t.Helper()
		got := blobsOf(t, s)
		for id := range r.reached() {
			if !got[id] {
				t.Fatalf("%s: blob %s was swept", when, id)
			}
		}
		sound(t, s, s.row.Dir)
		if len(got) != len(want) {
			t.Fatalf("%s: %d blobs of %d", when, len(got), len(want))
		}
	}
	for i := range 400 {
		r.pass(day)
		if i%20 == 0 {
			tidy(t, s.node)
		}
	}
	check("day by day")
	r.pass(400 * day)
	r.step(s)
	tidy(t, s.node)
	check("one jump")
	tidy(t, r.a.node)
	r.step(r.a)
	if _, err := r.a.forest.Find(r.a.row.State.Root.Files, "big"); err != nil {
		t.Error(err)
	}
}

// reached is everything that the frontier of the writer names.
func (r *rig) reached() map[blob.ID]bool {
	all := map[blob.ID]bool{}
	for _, id := range r.a.kept().frontier() {
		todo := []blob.ID{id}
		for len(todo) > 0 {
			id := todo[0]
			todo = todo[1:]
			all[id] = true
			b, err := r.a.serve(r.t.Context(), id)
			if err != nil {
				r.t.Fatal(id.Kind(), err)
			}
			h, err := blob.Parse(b)
			if err != nil {
				r.t.Fatal(err)
			}
			todo = append(todo, h.Refs...)
		}
	}
	return all
}

// stray puts a blob that nobody names into a store.
func stray(t testing.TB, s *engine, seed uint64) blob.ID {
	t.Helper()
	c, b := blob.Seal([32]byte{1}, blob.Data, nil, noise(seed, 500))
	if err := s.store.keep(c.ID, b); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// What comes into use while a mark runs stays: found present, promised, or named by a head that has just come.
func TestInUseDuringAMark(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	garbage, found, promised := stray(t, s, 10), stray(t, s, 11), stray(t, s, 12)
	r.write("y", noise(2, 600))
	named := r.dataOf("y")
	b, err := r.a.serve(t.Context(), named)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.keep(named, b); err != nil {
		t.Fatal(err)
	}
	stop := s.node.db.Watch()
	c := &collection{n: s.node, engines: s.node.all(), old: map[int64][]uint64{}, late: map[uint64]struct{}{}, whole: map[blob.ID]bool{}}
	for _, step := range []func(context.Context) error{c.begin, c.mark} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := s.blobs.has(found); !ok || err != nil {
		t.Fatal(ok, err)
	}
	err = s.node.db.Update(t.Context(), func(tx *db.Tx) error { return tx.Promise(s.n, r.now().Add(time.Hour), promised) })
	if err != nil {
		t.Fatal(err)
	}
	r.heads(s)
	for _, step := range []func(context.Context) error{c.sweepData, c.sweepBlobs} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	got := blobsOf(t, s)
	if got[garbage] || !got[found] || !got[promised] || !got[named] {
		t.Errorf("garbage %v, found %v, promised %v, named %v", got[garbage], got[found], got[promised], got[named])
	}
	sound(t, s, s.row.Dir)
	r.pass(2 * time.Hour)
	tidy(t, s.node)
	if got := blobsOf(t, s); got[found] || got[promised] || !got[named] {
		t.Errorf("later: found %v, promised %v, named %v", got[found], got[promised], got[named])
	}
	sound(t, s, s.row.Dir)
}

// dataOf is the blob that a small file is.
func (r *rig) dataOf(path string) blob.ID {
	r.t.Helper()
	row, err := known{ctx: r.t.Context(), db: r.a.node.db, n: r.a.n}.Row(path)
	if err != nil || row == nil || len(row.Caps) == 0 {
		r.t.Fatal(path, row, err)
	}
	return row.Caps[0].ID
}

// Old versions stay on a store for 30 days, and not longer; readers and writers keep the index for 7.
func TestHistoryEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	r.write("big", noise(3, 600_000))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	old, oldHead := r.dataOf("x"), r.a.kept().frontier()[0]
	r.write("x", noise(2, 501))
	r.write("big", nil)
	r.carry(s, nil)
	days := func(n int) {
		for range n {
			r.pass(day)
			r.step(s)
			r.step(r.a)
		}
		tidy(t, s.node)
		tidy(t, r.a.node)
	}
	days(6)
	if !blobsOf(t, r.a)[oldHead] {
		t.Error("the writer forgot a head after 6 days")
	}
	days(3)
	if blobsOf(t, r.a)[oldHead] {
		t.Error("the writer has an old head after 9 days")
	}
	days(20)
	if !blobsOf(t, s)[old] || !blobsOf(t, s)[oldHead] {
		t.Fatal("an old version went after 29 days")
	}
	if got := dataFiles(t, s); got != 1 {
		t.Errorf("%d large files after 29 days", got)
	}
	days(3)
	if got := blobsOf(t, s); got[old] || got[oldHead] || !got[r.dataOf("x")] {
		t.Errorf("after 32 days: old %v, its head %v, new %v", got[old], got[oldHead], got[r.dataOf("x")])
	}
	if got := dataFiles(t, s); got != 0 {
		t.Errorf("%d large files after 32 days", got)
	}
	sound(t, s, s.row.Dir)
}

func dataFiles(t testing.TB, s *engine) int {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.row.Dir, "data"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return len(all)
}

// T6: an author dies between index and data. What was there before stays for 180 days.
func TestOldDataStaysWhileNewIsMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	old := r.dataOf("x")
	r.write("x", noise(2, 501))
	lost := r.dataOf("x")
	r.carry(s, func(id blob.ID) bool { return id == lost })
	for range 60 {
		r.pass(day)
		r.step(s)
		tidy(t, s.node)
	}
	if !blobsOf(t, s)[old] {
		t.Fatal("the last version that is whole was swept")
	}
	heads := len(s.kept().all)
	for range 125 {
		r.pass(day)
		r.step(s)
		tidy(t, s.node)
	}
	if blobsOf(t, s)[old] {
		t.Error("it is still there after 185 days")
	}
	if got := len(s.kept().all); got >= heads || got == 0 {
		t.Errorf("%d heads of %d", got, heads)
	}
}

// A collection that is interrupted, at any point, leaves a store that is whole; the next one goes on.
func TestInterruptedCollection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	r.write("big", noise(4, 600_000))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	for i := range 30 {
		stray(t, s, uint64(100+i))
	}
	for i := 1; ; i++ {
		ctx := newFuse(t, i)
		_, err := s.node.collect(ctx)
		sound(t, s, s.row.Dir)
		got := blobsOf(t, s)
		for id := range r.reached() {
			if !got[id] {
				t.Fatalf("after %d looks: %s was swept", i, id)
			}
		}
		if err == nil {
			if len(got) > len(r.reached())+10 {
				t.Errorf("%d blobs are left", len(got))
			}
			return
		}
	}
}

// fuse is a context that ends when it has been looked at so often.
type fuse struct {
	context.Context
	left atomic.Int64
}

func newFuse(t testing.TB, left int) *fuse {
	f := &fuse{Context: t.Context()}
	f.left.Store(int64(left))
	return f
}

func (f *fuse) Err() error {
	if f.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}
