package index

import (
	"fmt"
	"slices"
	"testing"
)

// A watched is a disk behind a guard, and the losses of its days.
type watched struct {
	*scene
	guard Guard
}

// newWatched has n files in directories of ten.
func newWatched(n int) *watched {
	w := &watched{scene: &scene{disk: newDisk(), shown: map[string]Shown{}}}
	for i := range n {
		w.set(i, i)
		for p := w.name(i); p != ""; p = parent(p) {
			w.disk.add(w.shown[p])
		}
	}
	return w
}

func (w *watched) name(i int) string { return fmt.Sprintf("d%d/f%d", i/10, i) }

// set makes the index show a content at file i, or nothing when it is negative.
func (w *watched) set(i, content int) {
	p := w.name(i)
	if content < 0 {
		delete(w.shown, p)
		return
	}
	d := Dot{Writer{7}, uint64(content + 1)}
	w.shown[p] = Shown{Path: p, Natural: p, Type: File, Size: 100, Hash: hashOf("content", content), Dots: []Dot{d}}
	w.shown[parent(p)] = Shown{Path: parent(p), Natural: parent(p), Type: Dir}
}

// sync plans, does what the guard lets through, and remembers the losses and what is held.
func (w *watched) sync(t *testing.T, accepted ...string) Batch {
	t.Helper()
	w.guard.Total = Count{}
	for _, b := range w.disk.rows {
		if b.Present && b.Type != Dir {
			w.guard.Total = w.guard.Total.add(Count{1, b.Size})
		}
	}
	w.guard.Accepted = func(p string) bool { return slices.Contains(accepted, p) }
	b := w.guard.Arrange(w.plan(), w.disk)
	must(t, w.disk.run(b.Ops, always))
	if len(accepted) == 0 {
		removed, replaced := Losses(b.Ops)
		w.guard.Removed, w.guard.Replaced = w.guard.Removed.add(removed), w.guard.Replaced.add(replaced)
	}
	held := map[string]bool{}
	for _, op := range b.Held {
		held[op.Path] = true
	}
	w.guard.Held = func(p string) bool { return held[p] }
	return b
}

// newDay forgets the losses of the day before.
func (w *watched) newDay() { w.guard.Removed, w.guard.Replaced = Count{}, Count{} }

func (w *watched) intact(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		c := content{hashOf("content", i), 100}
		if w.disk.items[w.name(i)].hash != c.hash && !w.disk.contents()[c] {
			t.Fatalf("file %d is neither in place nor in the archive", i)
		}
	}
}

// TestRansom is T7: every file is edited, then every file is removed; days later each original is in place.
func TestRansom(t *testing.T) {
	t.Parallel()
	const n = 1000
	w := newWatched(n)
	for i := range n {
		w.set(i, n+i)
	}
	if b := w.sync(t); len(b.Held) != n || len(b.Ops) > 0 {
		t.Fatalf("%d of %d edits are held, %d done", len(b.Held), n, len(b.Ops))
	}
	for i := range n {
		w.set(i, -1)
	}
	for range 6 {
		if b := w.sync(t); len(b.Held) != n || len(b.Ops) > 0 {
			t.Fatalf("%d of %d removals are held, %v done", len(b.Held), n, b.Ops)
		}
		w.newDay()
		for i := range n {
			if w.disk.items[w.name(i)].hash != hashOf("content", i) {
				t.Fatalf("file %d is not in place", i)
			}
		}
	}
	w.intact(t, n)
}

// TestFourQuarters is T8: of four merges that each remove 24 % within a day the second is held; to accept and to reject
// both end right. What is no loss proceeds.
func TestFourQuarters(t *testing.T) {
	t.Parallel()
	const n, part = 500, 120
	remove := func(w *watched, quarter int) {
		for i := quarter * part; i < (quarter+1)*part; i++ {
			w.set(i, -1)
		}
		w.set(n+quarter, n+quarter)
	}
	for _, accept := range []bool{true, false} {
		w := newWatched(n)
		remove(w, 0)
		if b := w.sync(t); len(b.Held) > 0 {
			t.Fatalf("the first is held: %d", len(b.Held))
		}
		var held []Op
		for q := 1; q < 4; q++ {
			remove(w, q)
			held = w.sync(t).Held
			if len(held) != q*part {
				t.Fatalf("%d are held after merge %d", len(held), q+1)
			}
			if w.disk.items[w.name(n+q)].kind != File {
				t.Fatal("what is new does not come")
			}
		}
		w.newDay()
		if b := w.sync(t); len(b.Held) != 3*part {
			t.Fatalf("a day later %d are held", len(b.Held))
		}
		if accept {
			var all []string
			for _, op := range held {
				all = append(all, op.Path)
			}
			if b := w.sync(t, all...); len(b.Held) > 0 {
				t.Fatalf("%d are held although they are accepted", len(b.Held))
			}
			for d := range 48 { // the directories of these
				delete(w.shown, fmt.Sprintf("d%d", d))
			}
			w.sync(t)
			must(t, w.check())
			w.intact(t, n)
			continue
		}
		events := Reject(held)
		if len(events) != len(held) {
			t.Fatalf("%d events for %d held removals", len(events), len(held))
		}
		for i, ev := range events {
			if ev.AddAt != held[i].Path || ev.Add.Hash != held[i].Base.Hash || len(ev.Remove) > 0 {
				t.Fatalf("%v becomes %+v", held[i], ev)
			}
			s := *held[i].Base.shown()
			s.Dots = []Dot{{Writer{8}, uint64(i + 1)}}
			w.shown[s.Path] = s
		}
		if b := w.sync(t); len(b.Held)+len(b.Blocked) > 0 || len(b.Ops) != len(held) || b.Ops[0].Kind != Adopt {
			t.Fatalf("after the rejection: %d held, %d done", len(b.Held), len(b.Ops))
		}
		w.newDay()
		w.sync(t)
		if b := w.sync(t); len(b.Ops)+len(b.Held) > 0 {
			t.Fatalf("there is no end: %v", b)
		}
	}
}

// TestRenamesAreNoLosses: any number of files may move, unless a move replaces what nothing else wants.
func TestRenamesAreNoLosses(t *testing.T) {
	t.Parallel()
	const n = 500
	w := newWatched(n)
	for i := range n { // all rotate
		w.set(i, (i+1)%n)
	}
	if b := w.sync(t); len(b.Held) > 0 || len(w.disk.archive) > 0 {
		t.Fatalf("%d are held, %d in the archive", len(b.Held), len(w.disk.archive))
	}
	must(t, w.check())

	w = newWatched(n)
	for i := range n / 2 { // half replaces the other half
		w.set(2*i, -1)
		w.set(2*i+1, 2*i)
	}
	b := w.sync(t)
	if len(b.Held) != n || len(w.disk.archive) > 0 {
		t.Fatalf("%d are held, %d in the archive", len(b.Held), len(w.disk.archive))
	}
	events := Reject(b.Held)
	if len(events) != n {
		t.Fatalf("%d events for %d held files", len(events), n)
	}
	for _, ev := range events {
		if s, ok := w.shown[ev.AddAt]; ok != (len(ev.Remove) > 0) || ok && (!sameDots(s.Dots, ev.Remove) || ev.RemoveAt != s.Natural) {
			t.Fatalf("a wrong event: %+v", ev)
		}
	}
}

func TestGuardCounts(t *testing.T) {
	t.Parallel()
	files := func(n int) Count { return Count{n, int64(n) * 10} }
	for _, c := range []struct {
		g     Guard
		loses Count
		want  bool
	}{
		{Guard{Total: files(100)}, files(100), false},
		{Guard{Total: files(101)}, files(101), true},
		{Guard{Total: files(404)}, files(101), false},
		{Guard{Total: files(403)}, files(101), true},
		{Guard{Total: files(10_000)}, Count{101, 50_001}, true},
		{Guard{Total: files(10_000)}, Count{101, 50_000}, false},
		{Guard{Total: files(10_000)}, Count{100, 90_000}, false},
		{Guard{Total: files(760), Removed: files(240)}, files(10), false},
		{Guard{Total: files(760), Removed: files(240)}, files(11), true},
		{Guard{Total: files(1000), Replaced: files(240)}, files(11), true},
		{Guard{Total: files(1000), Replaced: files(900)}, Count{}, false},
	} {
		if c.g.trips(c.loses, Count{}) != c.want || c.g.trips(Count{}, c.loses) != c.want {
			t.Errorf("%+v losing %v: want %t", c.g, c.loses, c.want)
		}
	}
}
