package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"shoal/share/blob"
)

// run is a history without forks: whoever loses a database, or goes back to a backup, has a new id.
func (w *world) run() error {
	for range 10 + w.below(50, "steps") {
		if err := w.step(); err != nil {
			return err
		}
	}
	if err := w.heal(); err != nil {
		return err
	}
	return w.laws()
}

func (w *world) step() error {
	r := w.pick("replica")
	switch op := w.below(16, "op"); op {
	default:
		u, err := w.user(r)
		if err != nil {
			return err
		}
		if err := u.act(); err != nil {
			return err
		}
	case 7, 8:
		w.note("%s applies", r.name)
		r.base = r.state.Root
	case 9, 10:
		if r.dirty {
			w.publish(r)
		}
	case 11, 12:
		from := w.pick("from")
		heads := from.frontier()
		w.note("%s takes %d heads of %s", r.name, len(heads), from.name)
		return w.clean(r, heads...)
	case 13:
		if len(w.heads) == 0 {
			return nil
		}
		i := w.below(len(w.heads), "head")
		w.note("%s is shown head %d", r.name, i)
		return w.clean(r, w.heads[i])
	case 14:
		w.note("%s is backed up as %d", r.name, len(w.backups))
		w.backups = append(w.backups, r.clone())
	case 15:
		if i := w.below(len(w.backups)+1, "backup"); i < len(w.backups) && w.backups[i].name == r.name {
			*r = *w.backups[i].clone()
			r.writer = w.fresh()
			w.note("%s is restored from %d, with id %x", r.name, i, r.writer[:2])
		} else {
			w.reset(r)
			w.note("%s loses its database, has id %x", r.name, r.writer[:2])
		}
	}
	return w.agree(r)
}

// clean takes heads, in a world without forks.
func (w *world) clean(r *replica, heads ...*head) error {
	before := r.state
	j, err := w.take(r, heads...)
	if err != nil {
		return err
	}
	if len(j.Alarms) > 0 || j.Publish || len(j.Limits) > 0 {
		return fmt.Errorf("%s raises %v", r.name, j.Alarms)
	}
	news := slices.ContainsFunc(heads, func(h *head) bool { return !h.State.Ctx.Leq(before.Ctx) })
	if !news && (r.state.Root != before.Root || !r.state.Ctx.Equal(before.Ctx)) {
		return fmt.Errorf("%s is changed by what it had seen", r.name)
	}
	return w.agree(r)
}

// heal lets everybody meet everybody.
func (w *world) heal() error {
	w.note("all meet")
	var heads []*head
	for _, r := range w.replicas {
		if r.dirty {
			w.publish(r)
		}
		heads = append(heads, r.frontier()...)
	}
	for _, r := range w.replicas {
		if err := w.clean(r, heads...); err != nil {
			return err
		}
	}
	first := w.replicas[0]
	for _, r := range w.replicas[1:] {
		if !r.state.Ctx.Equal(first.state.Ctx) || r.state.Root != first.state.Root {
			return fmt.Errorf("%s and %s differ", first.name, r.name)
		}
	}
	return nil
}

// laws are those of the algebra, on any three states of the history.
func (w *world) laws() error {
	w.states = append(w.states, State{})
	for range 3 {
		x, y, z := w.state(), w.state(), w.state()
		xy, err := w.both(x, y)
		if err != nil {
			return err
		}
		yz, err := w.both(y, z)
		if err != nil {
			return err
		}
		if err := w.equal("associates", xy, z, x, yz); err != nil {
			return err
		}
		if err := w.equal("is idempotent", x, x, x, State{}); err != nil {
			return err
		}
		if err := w.equal("absorbs", xy, x, xy, State{}); err != nil {
			return err
		}
		flat, err := flatMerge(w.ctx, w.f, x, y)
		if err != nil {
			return err
		}
		if flat.Root != xy.Root {
			return errors.New("not so: merge is what the formula says")
		}
	}
	return nil
}

func (w *world) state() State { return w.states[w.below(len(w.states), "state")] }

// both merges both ways.
func (w *world) both(x, y State) (State, error) {
	if err := w.equal("commutes", x, y, y, x); err != nil {
		return State{}, err
	}
	return w.merge(w.ctx, w.f, x, y)
}

// equal checks that a and b merge to what c and d merge to.
func (w *world) equal(law string, a, b, c, d State) error {
	x, err := w.merge(w.ctx, w.f, a, b)
	if err != nil {
		return err
	}
	y, err := w.merge(w.ctx, w.f, c, d)
	if err != nil {
		return err
	}
	if x.Root != y.Root || !x.Ctx.Equal(y.Ctx) {
		return fmt.Errorf("not so: merge %s", law)
	}
	return nil
}

func TestHistories(t *testing.T) {
	t.Parallel()
	batches(t, func(rt *rapid.T) {
		w := newWorld(t.Context(), rapidChooser{rt}, sound)
		if err := w.run(); err != nil {
			rt.Fatalf("%v\nhistory:\n%s", err, w.history())
		}
	})
}

// flatMerge is the formula of docs/shares.md §4 on sets of all entries, without a look for forks.
func flatMerge(ctx context.Context, f *Forest, x, y State) (State, error) {
	z := State{Ctx: x.Ctx.Max(y.Ctx)}
	for _, meta := range []bool{false, true} {
		a, b, to := x.Root.Files, y.Root.Files, &z.Root.Files
		if meta {
			a, b, to = x.Root.Meta, y.Root.Meta, &z.Root.Meta
		}
		all := map[string][2][]Entry{}
		for i, tree := range []blob.Cap{a, b} {
			for p, err := range f.Walk(tree, "") {
				if err != nil {
					return z, err
				}
				both := all[p.Path]
				both[i] = p.Entries
				all[p.Path] = both
			}
		}
		var sets []PathSet
		for p, both := range all {
			s := PathSet{Path: p}
			for i, other := range []Context{y.Ctx, x.Ctx} {
				for _, e := range both[i] {
					in := slices.ContainsFunc(both[1-i], func(o Entry) bool { return e.Equal(&o) })
					if in && i == 0 || !in && e.Dot.Counter > other[e.Dot.Writer] {
						s.Entries = append(s.Entries, e)
					}
				}
			}
			sets = append(sets, s)
		}
		var err error
		if *to, err = f.Apply(blob.Cap{}, sets); err != nil {
			return z, err
		}
	}
	return z, nil
}

// joinWith is a Join that looks for no alarms.
func joinWith(merge func(context.Context, *Forest, State, State) (State, error)) func(context.Context, *Forest, Self, []Kept, func() Writer) (Joined, error) {
	return func(ctx context.Context, f *Forest, self Self, kept []Kept, _ func() Writer) (Joined, error) {
		j := Joined{State: self.State, Writer: self.Writer}
		for _, h := range kept {
			if h.Merged {
				continue
			}
			z, err := merge(ctx, f, j.State, h.State)
			if err != nil {
				return j, err
			}
			j.State = z
			j.Merged = append(j.Merged, h.ID)
		}
		return j, nil
	}
}
