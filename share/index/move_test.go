package index

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A mate is a node of a share that goes over to another epoch.
type mate struct {
	state   State
	writer  Writer
	epoch   int
	journal []JournalEvent
	own     Context
	owed    []Owed
}

// A moveWorld is some mates, and what must have become of all that they did. The first is the admin, the last is removed.
type moveWorld struct {
	chooser
	ctx     context.Context
	f       [2]*Forest // of the epochs
	mates   []*mate
	writers byte
	adds    map[Dot]bool   // that count in the end
	gone    map[Dot]bool   // by events that count
	first   map[Dot]Dot    // of entries that a compaction wrote anew: the dot that they had
	xs      []JournalEvent // of who is removed
}

func newMoveWorld(ctx context.Context, c chooser) *moveWorld {
	blobs := newMemory()
	w := &moveWorld{chooser: c, ctx: ctx, f: [2]*Forest{NewForest(testConv, blobs), NewForest(sha256.Sum256([]byte("next")), blobs)},
		adds: map[Dot]bool{}, gone: map[Dot]bool{}, first: map[Dot]Dot{}}
	for range 5 {
		w.mates = append(w.mates, &mate{state: State{Ctx: Context{}}, writer: w.fresh(), own: Context{}})
	}
	return w
}

func (w *moveWorld) fresh() Writer {
	w.writers++
	return dotOf(200-w.writers, 1).Writer
}

func (w *moveWorld) orig(d Dot) Dot {
	if o, ok := w.first[d]; ok {
		return o
	}
	return d
}

func (w *moveWorld) isX(m *mate) bool { return m == w.mates[len(w.mates)-1] }

// commit makes events of a mate.
func (w *moveWorld) commit(m *mate, events ...Event) error {
	if m.writer == (Writer{}) {
		m.writer = w.fresh()
	}
	s, journal, err := Commit(w.f[m.epoch], m.state, m.writer, events)
	if err != nil {
		return err
	}
	m.state = s
	for _, j := range journal {
		m.journal, m.own[m.writer] = append(m.journal, j), j.Dot.Counter
		if w.isX(m) {
			w.xs = append(w.xs, j)
			continue
		}
		w.count(j)
	}
	return nil
}

// count notes an event that counts in the end.
func (w *moveWorld) count(j JournalEvent) {
	if j.Event.Add != nil {
		w.adds[j.Dot] = true
	}
	for _, d := range j.Event.Remove {
		w.gone[w.orig(d)] = true
	}
}

// act lets a mate's user do something at a path: edit, delete, or rename to another.
func (w *moveWorld) act(m *mate) error {
	p, q := []string{"a", "b", "d/c"}[w.below(3, "path")], []string{"a", "b", "d/e"}[w.below(3, "other path")]
	set, err := w.f[m.epoch].Find(m.state.Root.Files, p)
	if err != nil {
		return err
	}
	ev := Event{RemoveAt: p}
	for i := range set.Entries {
		ev.Remove = append(ev.Remove, set.Entries[i].Dot)
	}
	switch w.below(4, "act") {
	case 0:
	case 1:
		ev.AddAt = q
	default:
		ev.AddAt = p
	}
	if ev.AddAt != "" {
		e := fileOf(base(ev.AddAt), Dot{m.writer, m.state.Ctx[m.writer] + 1})
		ev.Add = &e
	}
	return w.commit(m, ev)
}

// meet lets one mate merge the state of another of its epoch.
func (w *moveWorld) meet(m, o *mate) error {
	if m.epoch != o.epoch {
		return nil
	}
	s, err := Merge(w.ctx, w.f[m.epoch], m.state, o.state)
	if err != nil {
		return err
	}
	m.state = s
	for i := 0; i < len(m.owed); i++ {
		ev, done, err := m.owed[i].Repeat(w.f[1], m.state)
		if err == nil && ev != nil {
			err = w.commit(m, *ev)
		}
		if err != nil {
			return err
		}
		if done {
			m.owed = slices.Delete(m.owed, i, i+1)
			i--
		}
	}
	return nil
}

// rekey takes the admin to the next epoch.
func (w *moveWorld) rekey(compact bool) error {
	a := w.mates[0]
	for _, j := range w.xs {
		if a.state.Ctx.Covers(j.Dot) {
			w.count(j)
		}
	}
	a.epoch = 1
	var err error
	if compact {
		a.writer = w.fresh()
		if a.state, err = Compact(w.ctx, w.f[1], a.state, a.writer); err != nil {
			return err
		}
		a.own[a.writer] = a.state.Ctx[a.writer]
		for p, err := range w.f[1].Walk(a.state.Root.Files, "") {
			if err != nil {
				return err
			}
			for _, e := range p.Entries {
				w.first[e.Dot] = e.Old[0]
			}
		}
		return nil
	}
	if a.state, err = Renew(w.ctx, w.f[1], a.state); err != nil {
		return err
	}
	return w.commit(a, Event{})
}

func (w *moveWorld) move(m *mate, to *mate) error {
	if m.epoch == 1 || to.epoch == 0 {
		return nil
	}
	out, err := Move(w.ctx, w.f[1], m.state, Own{Writers: m.own, Now: m.writer, Journal: m.journal}, to.state)
	if err != nil {
		return err
	}
	m.state, m.writer, m.owed, m.epoch = out.State, out.Writer, out.Owed, 1
	if len(out.Again) > 0 {
		return fmt.Errorf("an alarm without a reason: %v", out.Again)
	}
	return nil
}

func (w *moveWorld) run(compact bool) error {
	good := w.mates[:len(w.mates)-1]
	any := func(of []*mate) *mate { return of[w.below(len(of), "mate")] }
	step := func(of []*mate, n int) error {
		for range n {
			var err error
			switch m := any(of); w.below(3, "step") {
			case 0:
				err = w.meet(m, any(of))
			default:
				err = w.act(m)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := step(w.mates, w.below(25, "steps")); err != nil {
		return err
	}
	if err := w.rekey(compact); err != nil {
		return err
	}
	for range 3 {
		if err := step(w.mates, w.below(15, "late steps")); err != nil {
			return err
		}
		if err := w.move(any(good), any(good)); err != nil {
			return err
		}
	}
	for _, m := range good {
		if err := w.move(m, w.mates[0]); err != nil {
			return err
		}
	}
	for range 4 {
		for _, m := range good {
			for _, o := range good {
				if err := w.meet(m, o); err != nil {
					return err
				}
			}
		}
	}
	return w.check(good)
}

// check compares what lives with what must.
func (w *moveWorld) check(good []*mate) error {
	want := maps.Clone(w.adds)
	maps.DeleteFunc(want, func(d Dot, _ bool) bool { return w.gone[d] })
	for i, m := range good {
		if m.state.Root != good[0].state.Root || !m.state.Ctx.Equal(good[0].state.Ctx) {
			return fmt.Errorf("mates 0 and %d differ", i)
		}
		got := map[Dot]bool{}
		for p, err := range w.f[1].Walk(m.state.Root.Files, "") {
			if err != nil {
				return err
			}
			for _, e := range p.Entries {
				got[w.orig(e.Dot)] = true
			}
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("mate %d has %v, want %v", i, got, want)
		}
	}
	return nil
}

// T5 (docs/shares.md §12): whatever who is removed did that the admin did not know of is nowhere; every event of all others is,
// however late they come; and all have the same. After a compaction too: it loses nothing, and brings nothing back.
func TestMove(t *testing.T) {
	t.Parallel()
	for _, compact := range []bool{false, true} {
		t.Run(fmt.Sprint("compact=", compact), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				if err := newMoveWorld(t.Context(), rapidChooser{rt}).run(compact); err != nil {
					rt.Fatal(err)
				}
			})
			for seed := range uint64(600) {
				if err := newMoveWorld(t.Context(), seeded(seed)).run(compact); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

// Somebody has counted on under our id, as a clone does: nothing of ours is lost, and we go on under another.
func TestMoveAlarm(t *testing.T) {
	t.Parallel()
	blobs := newMemory()
	f := NewForest(testConv, blobs)
	me := dotOf(1, 1).Writer
	mine, clones := fileOf("a", dotOf(1, 2)), fileOf("b", dotOf(1, 3))
	base, journal, err := Commit(f, State{Ctx: Context{}}, me, []Event{{}, {AddAt: "a", Add: &mine}})
	if err != nil {
		t.Fatal(err)
	}
	clone, _, err := Commit(f, State{Ctx: Context{me: 1}}, me, []Event{{AddAt: "b", Add: &clones}, {}})
	if err != nil {
		t.Fatal(err)
	}
	next, err := Renew(t.Context(), NewForest(sha256.Sum256([]byte("next")), blobs), clone)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Move(t.Context(), f, base, Own{Writers: Context{me: 2}, Now: me, Journal: journal}, next)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Again) != 1 || out.Again[0].AddAt != "a" || !out.Again[0].Add.Equal(&mine) || out.Writer != (Writer{}) {
		t.Fatalf("%+v", out)
	}
	if set, err := f.Find(out.State.Root.Files, "b"); err != nil || len(set.Entries) != 1 {
		t.Errorf("what the clone did is %+v, %v", set, err)
	}
}

// After a compaction an old id is not counted on under: nobody could tell its events from those that it made before.
func TestMoveOldWriter(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	me := dotOf(1, 1).Writer
	mine := fileOf("a", dotOf(1, 1))
	base, journal, err := Commit(f, State{Ctx: Context{}}, me, []Event{{AddAt: "a", Add: &mine}})
	if err != nil {
		t.Fatal(err)
	}
	next, err := Compact(t.Context(), f, base, dotOf(9, 1).Writer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  Writer
		want Writer
	}{{me, Writer{}}, {Writer{}, Writer{}}} {
		out, err := Move(t.Context(), f, base, Own{Writers: Context{me: 1}, Now: c.now, Journal: journal}, next)
		if err != nil || out.Writer != c.want || out.State.Root != next.Root || !out.State.Ctx.Equal(next.Ctx) || len(out.Again)+len(out.Owed)+out.Aways > 0 {
			t.Errorf("%+v, %v", out, err)
		}
	}
	if c, err := Compacted(f, next.Root.Meta); err != nil || !c.Equal(base.Ctx) {
		t.Errorf("what was seen before is %v, %v", c, err)
	}
}
