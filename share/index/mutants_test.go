package index

import (
	"context"
	"testing"
)

// The mutants are what somebody might get wrong. Each is made of the sound parts, so that nothing of it is in them, and
// each has to be caught by the histories that catch nothing else.
var mutants = []struct {
	name  string
	forks bool // caught by histories with forks
	make  func() algebra
}{
	{"context of one side", false, func() algebra {
		return merging(func(_ *Forest, x, y, z State) (State, error) { return State{x.Ctx, z.Root}, nil })
	}},
	{"a removal that does not count", false, func() algebra {
		a := sound
		a.commit = func(f *Forest, s State, w Writer, events []Event) (State, []JournalEvent, error) {
			z, journal, err := Commit(f, s, w, events)
			if err != nil || events[len(events)-1].Add != nil {
				return z, journal, err
			}
			z.Ctx[w]--
			return z, journal, nil
		}
		return a
	}},
	{"seen without the last", false, func() algebra {
		a := sound
		a.merge = func(ctx context.Context, f *Forest, x, y State) (State, error) {
			z, err := Merge(ctx, f, less(x), less(y))
			z.Ctx = x.Ctx.Max(y.Ctx)
			return z, err
		}
		a.join = joinWith(a.merge)
		return a
	}},
	{"one of siblings", false, func() algebra {
		return merging(func(f *Forest, _, _, z State) (State, error) {
			var sets []PathSet
			for p, err := range f.Walk(z.Root.Files, "") {
				if err != nil {
					return z, err
				}
				if len(p.Entries) > 1 {
					sets = append(sets, PathSet{p.Path, p.Entries[:1]})
				}
			}
			files, err := f.Apply(z.Root.Files, sets)
			z.Root.Files = files
			return z, err
		})
	}},
	{"what is unseen is dropped too", false, func() algebra {
		return merging(func(f *Forest, x, y, z State) (State, error) {
			m, err := Merge(context.Background(), f, State{z.Ctx, x.Root}, State{z.Ctx, y.Root})
			return State{z.Ctx, m.Root}, err
		})
	}},
	{"meta is that of one side", false, func() algebra {
		return merging(func(_ *Forest, x, _, z State) (State, error) {
			z.Root.Meta = x.Root.Meta
			return z, nil
		})
	}},
	{"no alarms", true, func() algebra {
		a := sound
		a.join = joinWith(flatMerge)
		return a
	}},
	{"alarms without new dots", true, func() algebra {
		a := sound
		a.join = func(ctx context.Context, f *Forest, self Self, kept []Kept, fresh func() Writer) (Joined, error) {
			w := self.Writer
			self.Writer = Writer{} // as one who is not concerned
			j, err := Join(ctx, f, self, kept, fresh)
			j.Writer = w
			return j, err
		}
		return a
	}},
}

// merging is sound but for what it makes of the result z of merging x and y.
func merging(spoil func(f *Forest, x, y, z State) (State, error)) algebra {
	a := sound
	a.merge = func(ctx context.Context, f *Forest, x, y State) (State, error) {
		z, err := Merge(ctx, f, x, y)
		if err != nil {
			return z, err
		}
		return spoil(f, x, y, z)
	}
	a.join = joinWith(a.merge)
	return a
}

// less is s as if it had not seen the last event of each writer.
func less(s State) State {
	c := s.Ctx.Clone()
	for w := range c {
		c[w]--
	}
	return State{c, s.Root}
}

func TestMutantsAreCaught(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(2000) {
				w := newWorld(t.Context(), seeded(seed), m.make())
				run := w.run
				if m.forks {
					run = w.runForks
				}
				if err := run(); err != nil {
					t.Logf("caught by history %d: %v", seed, err)
					return
				}
			}
			t.Fatal("2000 histories find nothing wrong")
		})
	}
}
