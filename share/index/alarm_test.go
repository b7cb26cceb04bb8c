package index

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// files are the names and times of a replica's files, and on which of its disk's paths they are.
func (w *world) files(t *testing.T, r *replica) map[string]int64 {
	t.Helper()
	shown, err := showAll(NewView(w.f, r.state.Root.Files, false))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]int64{}
	for p, s := range shown {
		if s.Type == File {
			files[p] = s.MTime
		}
	}
	return files
}

// has reports whether a file with this time is anywhere.
func hasTime(files map[string]int64, mtime int64) bool {
	for _, t := range files {
		if t == mtime {
			return true
		}
	}
	return false
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small is a world of three replicas, the first of which has written a and b, 1 and 2, that all have.
func small(t *testing.T) *world {
	w := newWorld(t.Context(), seeded(1), sound)
	w.replicas = w.replicas[:3]
	w.edit(t, w.replicas[0], "a", 1)
	w.edit(t, w.replicas[0], "b", 2)
	w.publish(w.replicas[0])
	w.gather(t)
	return w
}

// edit writes a file over what is shown.
func (w *world) edit(t *testing.T, r *replica, p string, content int) {
	t.Helper()
	r.base = r.state.Root
	u, err := w.user(r)
	must(t, err)
	must(t, w.do(r, u.put(p, u.file(content, content))))
}

// remove removes what is shown.
func (w *world) remove(t *testing.T, r *replica, p string) {
	t.Helper()
	r.base = r.state.Root
	u, err := w.user(r)
	must(t, err)
	events := u.remove(p)
	if len(events) == 0 {
		t.Fatalf("%s has no %q", r.name, p)
	}
	must(t, w.do(r, events))
}

// gather lets all meet until they agree.
func (w *world) gather(t *testing.T) {
	t.Helper()
	for range 12 {
		for i, r := range w.replicas {
			if r.dirty {
				w.publish(r)
			}
			for _, o := range w.replicas[:i] {
				must(t, w.meet(r, o))
			}
		}
		if w.same() && !slices.ContainsFunc(w.replicas, func(r *replica) bool { return r.dirty }) {
			return
		}
	}
	t.Fatal("they do not come to one state")
}

// TestClonesMeet is T3: two clones of a running machine edit different files; both live on every node, and both can
// still be removed.
func TestClonesMeet(t *testing.T) {
	t.Parallel()
	for _, third := range []bool{false, true} {
		w := small(t)
		a, c := w.replicas[0], w.replicas[2]
		b := a.clone()
		b.name = "B"
		w.replicas[1] = b
		w.edit(t, a, "a", 3)
		w.edit(t, b, "b", 4)
		w.publish(a)
		w.publish(b)
		if third { // which sees both heads first
			must(t, w.meet(c, a))
			must(t, w.meet(c, b))
		}
		w.gather(t)
		if w.alarms == 0 || a.writer == b.writer {
			t.Fatal("no alarm")
		}
		for _, r := range w.replicas {
			if f := w.files(t, r); !hasTime(f, 3) || !hasTime(f, 4) {
				t.Fatalf("%s has %v", r.name, f)
			}
		}
		for r := c; ; {
			var paths []string
			for p := range w.files(t, r) {
				paths = append(paths, p)
			}
			if len(paths) == 0 {
				break
			}
			w.remove(t, r, slices.Min(paths))
		}
		alarms := w.alarms
		w.gather(t)
		for _, r := range w.replicas {
			if f := w.files(t, r); len(f) > 0 {
				t.Fatalf("%s still has %v", r.name, f)
			}
		}
		if w.alarms != alarms {
			t.Fatal("the alarm does not end")
		}
	}
}

// TestSnapshotsAreReverted is T4 on the tree: a machine goes back to before, and to after, its last published event, with
// everything that could prove it; what either timeline published, or has now, lives.
func TestSnapshotsAreReverted(t *testing.T) {
	t.Parallel()
	for _, published := range []bool{false, true} {
		for _, same := range []bool{false, true} { // as many events as in the first timeline
			t.Run(fmt.Sprint(published, same), func(t *testing.T) {
				w := small(t)
				a := w.replicas[0]
				snapshot := a.clone()
				w.edit(t, a, "a", 3)
				w.publish(a)
				must(t, w.meet(w.replicas[1], a))
				if published {
					snapshot = a.clone()
				}
				w.edit(t, a, "b", 4)
				w.publish(a)
				must(t, w.meet(w.replicas[1], a))
				*a = *snapshot
				w.edit(t, a, "c.txt", 5)
				if !same {
					w.edit(t, a, "d", 6)
					w.edit(t, a, "e", 7)
				}
				w.gather(t)
				if w.alarms == 0 {
					t.Fatal("no alarm")
				}
				for _, r := range w.replicas {
					f := w.files(t, r)
					for _, v := range []int64{3, 4, 5} {
						if !hasTime(f, v) {
							t.Fatalf("%s lost %d: %v\n%s", r.name, v, f, w.history())
						}
					}
				}
			})
		}
	}
}

// TestForkIsNotMerged: two entries under one dot are not both dropped.
func TestForkIsNotMerged(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	me := Writer{1}
	event := func(p string, n uint64) Event { e := fileOf(p, dotOf(1, n)); return Event{AddAt: p, Add: &e} }
	x, _, err := Commit(f, State{}, me, []Event{event("x", 1)})
	must(t, err)
	y, _, err := Commit(f, State{}, me, []Event{event("y", 2)})
	must(t, err)
	var fork *ForkError
	if _, err := Merge(t.Context(), f, x, y); !errors.As(err, &fork) || !slices.Equal(fork.Writers, []Writer{me}) {
		t.Fatalf("merging: %v", err)
	}
	j, err := Join(t.Context(), f, Self{State: x}, []Kept{{State: y, Writer: me}}, nil)
	must(t, err)
	if len(j.Alarms) == 0 || j.Publish {
		t.Fatalf("%+v", j)
	}
	for _, p := range []string{"x", "y"} {
		if s, err := f.Find(j.State.Root.Files, p); err != nil || len(s.Entries) != 1 {
			t.Fatalf("%q: %v %v", p, s, err)
		}
	}
}

// TestCauses: each cause is found by itself, and in a head of another epoch none.
func TestCauses(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	me, other := Writer{1}, Writer{2}
	at := func(s State, w Writer, p string) State {
		e := fileOf(p, dotOf(1, s.Ctx[w]+1))
		z, _, err := Commit(f, s, w, []Event{{AddAt: p, Add: &e}})
		must(t, err)
		return z
	}
	base := at(State{}, me, "a")
	mine, theirs := at(base, me, "b"), at(base, other, "c")
	id := capOf(5, "one").ID
	for _, c := range []struct {
		name string
		want []Cause
		self Self
		kept []Kept
	}{
		{"news", nil, Self{Writer: me, State: mine}, []Kept{{ID: id, Writer: other, State: theirs}}},
		{"more", []Cause{KnowsMore}, Self{Writer: me, State: base}, []Kept{{ID: id, Writer: other, State: mine}}},
		{"never published", []Cause{KnowsMore}, Self{Writer: me, State: mine, Published: func(n uint64) bool { return n == 2 }},
			[]Kept{{ID: id, Writer: other, State: theirs}}},
		{"incomparable", []Cause{Incomparable}, Self{State: base}, []Kept{
			{ID: id, Writer: me, State: at(base, Writer{3}, "d")}, {Writer: me, State: theirs, Merged: true}}},
		{"two roots", []Cause{TwoRoots}, Self{State: mine}, []Kept{{ID: id, Writer: other, State: at(base, me, "c")}}},
		{"went under", []Cause{TwoRoots}, Self{State: mine}, []Kept{{ID: id, Merged: true, State: at(base, me, "c")}}},
		{"not mine", []Cause{NotMine}, Self{Writer: me, State: mine}, []Kept{{ID: id, Writer: me, State: base}}},
		{"mine", nil, Self{Writer: me, State: mine}, []Kept{{ID: id, Writer: me, State: base, Mine: true}}},
		{"entry not mine", []Cause{NotMine}, Self{Writer: me, State: mine, Made: func(d Dot) (JournalEvent, bool) {
			return JournalEvent{Dot: d}, true
		}}, []Kept{{ID: id, Writer: other, State: at(at(State{}, me, "x"), other, "c")}}},
		{"another epoch", nil, Self{Writer: me, State: base, Epoch: 1}, []Kept{{ID: id, Writer: other, State: mine}}},
	} {
		alarms, err := Detect(t.Context(), f, c.self, c.kept)
		must(t, err)
		var got []Cause
		for _, a := range alarms {
			got = append(got, a.Cause)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, alarms)
		}
	}
}

// TestLimits: 256 siblings merge, the 257th makes its head wait; so does a writer too many.
func TestLimits(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	many := func(w Writer, n int) State {
		var events []Event
		for i := range n {
			events = append(events, Event{AddAt: "a", Add: &Entry{Type: Symlink, Value: fmt.Append(nil, i)}})
		}
		s, _, err := Commit(f, State{}, w, events)
		must(t, err)
		return s
	}
	x, y, z := many(Writer{1}, 129), many(Writer{2}, MaxSiblings-129), many(Writer{3}, 1)
	s, err := Merge(t.Context(), f, x, y)
	must(t, err)
	id := capOf(5, "limit").ID
	j, err := Join(t.Context(), f, Self{State: s}, []Kept{{ID: id, Writer: Writer{3}, State: z}}, nil)
	if err != nil || len(j.Limits) != 1 || j.Limits[0].Head != id || j.Limits[0].Writer != (Writer{3}) || !errors.Is(j.Limits[0], ErrLimit) ||
		j.State.Root != s.Root || len(j.Merged) > 0 {
		t.Fatalf("%+v %v", j, err)
	}
	full := State{Ctx: Context{}}
	for i := range MaxWriters {
		full.Ctx[Writer{9, byte(i >> 8), byte(i)}] = 1
	}
	var limit *LimitError
	if _, err := Merge(t.Context(), f, full, z); !errors.As(err, &limit) {
		t.Fatalf("merging: %v", err)
	}
	if _, _, err := Commit(f, full, Writer{3}, []Event{{}}); !errors.Is(err, ErrLimit) {
		t.Fatalf("committing: %v", err)
	}
}
