package index

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"

	"shoal/share/blob"
)

// A JournalEvent is an event as it was committed: who has moved to another epoch repeats those that it does not know of
// (docs/shares.md §9).
type JournalEvent struct {
	Dot   Dot // also of an event that only removes
	Event Event
}

// Commit adds local events of the writer w to a state, in order. Each takes the next counter of w, one that only removes
// too: without that, equal contexts could hide different states. An event that does nothing only counts. Dots that are
// not there any more are no error: the event was based on what its user saw. That may have been an entry under an earlier
// dot, before a compaction: it goes, too, and the journal has both. Errors wrap [ErrLimit] and [ErrInvalid] as those of
// [Forest.Apply]; nothing is committed then.
func Commit(f *Forest, s State, w Writer, events []Event) (State, []JournalEvent, error) {
	if len(events) == 0 {
		return s, nil, nil
	}
	if w == (Writer{}) {
		return State{}, nil, errors.New("committing events: no writer id")
	}
	c := committer{f: f, root: s.Root, sets: map[setKey]int{}}
	n := s.Ctx[w]
	journal := make([]JournalEvent, 0, len(events))
	for _, ev := range events {
		if n == math.MaxInt64 {
			return State{}, nil, overLimit("counting an event of writer %x", w)
		}
		n++
		j, err := c.add(Dot{w, n}, ev)
		if err != nil {
			return State{}, nil, fmt.Errorf("committing events: %w", err)
		}
		journal = append(journal, j)
	}
	z := State{Ctx: s.Ctx.Clone()}
	z.Ctx[w] = n
	if len(z.Ctx) > MaxWriters {
		return State{}, nil, overLimit("%d writers, at most %d are allowed", len(z.Ctx), MaxWriters)
	}
	var err error
	if z.Root, err = c.apply(); err != nil {
		return State{}, nil, fmt.Errorf("committing events: %w", err)
	}
	return z, journal, nil
}

type setKey struct {
	meta bool
	path string
}

// A committer collects the sets that events change.
type committer struct {
	f    *Forest
	root Root
	sets map[setKey]int // places in files or meta

	files, meta []PathSet
}

func (c *committer) add(d Dot, ev Event) (JournalEvent, error) {
	if len(ev.Remove) > 0 {
		s, err := c.at(ev.Meta, ev.RemoveAt)
		if err != nil {
			return JournalEvent{}, err
		}
		seen := ev.Remove
		s.Entries = slices.DeleteFunc(s.Entries, func(e Entry) bool {
			if slices.Contains(seen, e.Dot) {
				return true
			}
			if !slices.ContainsFunc(e.Old, func(d Dot) bool { return slices.Contains(seen, d) }) {
				return false
			}
			ev.Remove = append(slices.Clip(ev.Remove), e.Dot)
			return true
		})
	}
	if ev.Add == nil {
		return JournalEvent{d, ev}, nil
	}
	if (ev.Add.Type == Meta) != ev.Meta {
		return JournalEvent{}, invalid("an entry of type %c in the wrong tree", ev.Add.Type)
	}
	s, err := c.at(ev.Meta, ev.AddAt)
	if err != nil {
		return JournalEvent{}, err
	}
	e := *ev.Add
	e.Name, e.Dot = path.Base(ev.AddAt), d
	s.Entries = append(s.Entries, e)
	ev.Add = &e
	return JournalEvent{d, ev}, nil
}

// at is the set of a path, as events so far have made it.
func (c *committer) at(meta bool, p string) (*PathSet, error) {
	if p == "" {
		return nil, errors.New("an event without a path")
	}
	sets, tree := &c.files, c.root.Files
	if meta {
		sets, tree = &c.meta, c.root.Meta
	}
	i, ok := c.sets[setKey{meta, p}]
	if !ok {
		was, err := c.f.Find(tree, p)
		if err != nil {
			return nil, err
		}
		i = len(*sets)
		c.sets[setKey{meta, p}] = i
		*sets = append(*sets, PathSet{p, slices.Clone(was.Entries)})
	}
	return &(*sets)[i], nil
}

func (c *committer) apply() (r Root, err error) {
	if r.Files, err = c.change(c.root.Files, c.files); err != nil {
		return Root{}, err
	}
	r.Meta, err = c.change(c.root.Meta, c.meta)
	return r, err
}

func (c *committer) change(tree blob.Cap, sets []PathSet) (blob.Cap, error) {
	if len(sets) == 0 {
		return tree, nil
	}
	return c.f.Apply(tree, sets)
}
