package index

import (
	"context"
	"fmt"
	"path"
	"slices"
)

// Own is what a node did itself.
type Own struct {
	Writers Context        // ids that it wrote under, and how far: what goes beyond is somebody else's, whatever it says
	Now     Writer         // the one that it goes on with; zero = none
	Journal []JournalEvent // as far as it reaches, in any order
}

// An Owed is a removal by an own event of an entry that the new epoch does not know: it is repeated when its author brings it.
type Owed struct {
	Meta bool
	Path string
	Dot  Dot
}

// A Moving is what has become of a node by going over to a state of another epoch.
type Moving struct {
	State  State
	Writer Writer   // to go on with: zero when the old id may not be used any more
	Again  []Event  // after an alarm: what is to be said again, under a fresh id
	Owed   []Owed   // removals that are to be repeated
	Away   []string // natural paths of up to maxAway entries of others that wait for them, and how many there are
	Aways  int
}

const maxAway = 100 // natural paths that are told

// Move takes a node over from its state of an earlier epoch to next, a state of the present one: next as it is, and the own
// events that it does not know of (docs/shares.md §9). What others did, and next does not know, waits until they come
// themselves: so nothing that a removed member did late gets in. After a compaction an entry is meant by its earlier dots, too.
func Move(ctx context.Context, f *Forest, old State, own Own, next State) (Moving, error) {
	before, err := Compacted(f, next.Root.Meta)
	if err != nil {
		return Moving{}, err
	}
	m := mover{f: f, ctx: ctx, old: old, next: next, own: own, seen: next.Ctx.Max(before), sets: map[setKey]*moveSet{}, gone: map[Dot]bool{}}
	m.journal()
	for _, meta := range []bool{false, true} {
		if err := m.trees(meta); err != nil {
			return Moving{}, fmt.Errorf("moving: %w", err)
		}
	}
	return m.finish()
}

// A mover is one Move.
type mover struct {
	f         *Forest
	ctx       context.Context // of the one call that this value lives in
	old, next State
	own       Own
	seen      Context // by the new epoch, and before it was compacted
	sets      map[setKey]*moveSet
	gone      map[Dot]bool // by own events, known or not
	out       Moving
}

// A moveSet is what own events change at a path.
type moveSet struct {
	remove map[Dot]bool
	add    map[Dot]Entry
}

func (m *mover) at(meta bool, p string) *moveSet {
	k := setKey{meta, p}
	if m.sets[k] == nil {
		m.sets[k] = &moveSet{map[Dot]bool{}, map[Dot]Entry{}}
	}
	return m.sets[k]
}

// journal collects what own events ask for that the new epoch does not know of.
func (m *mover) journal() {
	for i := range m.own.Journal {
		j := &m.own.Journal[i]
		for _, d := range j.Event.Remove {
			m.gone[d] = true
		}
		if m.seen.Covers(j.Dot) {
			continue
		}
		for _, d := range j.Event.Remove {
			m.at(j.Event.Meta, j.Event.RemoveAt).remove[d] = true
		}
		if e := j.Event.Add; e != nil {
			m.at(j.Event.Meta, j.Event.AddAt).add[j.Dot] = *e
		}
	}
}

// trees looks at the entries that one of the trees has alone: own ones whose event is not in the journal any more come too.
func (m *mover) trees(meta bool) error {
	was, will := m.old.Root.Files, m.next.Root.Files
	if meta {
		was, will = m.old.Root.Meta, m.next.Root.Meta
	}
	known := m.own.Now != Writer{} && m.seen[m.own.Now] > m.own.Writers[m.own.Now]
	for c, err := range m.f.Diff(m.ctx, will, was) {
		if err != nil {
			return err
		}
		for i := range c.After {
			e := &c.After[i]
			switch {
			case meant(c.Before, e.Dot) >= 0:
			case known && e.Dot.Writer == m.own.Now:
				again := *e
				again.Old = nil
				m.out.Again = append(m.out.Again, Event{Meta: meta, AddAt: c.Path, Add: &again})
			case m.seen.Covers(e.Dot):
			case m.own.Writers.Covers(e.Dot):
				m.at(meta, c.Path).add[e.Dot] = *e
			default:
				if m.out.Aways++; len(m.out.Away) < maxAway {
					m.out.Away = append(m.out.Away, c.Path)
				}
			}
		}
	}
	return nil
}

// meant is the place of the entry that has a dot, or had it before a compaction; -1 = none has.
func meant(set []Entry, d Dot) int {
	return slices.IndexFunc(set, func(e Entry) bool { return e.Dot == d || slices.Contains(e.Old, d) })
}

// finish makes the new state.
func (m *mover) finish() (Moving, error) {
	var files, meta []PathSet
	for k, s := range m.sets {
		tree := m.next.Root.Files
		if k.meta {
			tree = m.next.Root.Meta
		}
		there, err := m.f.Find(tree, k.path)
		if err != nil {
			return Moving{}, err
		}
		set := PathSet{k.path, m.apply(k, s, slices.Clone(there.Entries))}
		if k.meta {
			meta = append(meta, set)
		} else {
			files = append(files, set)
		}
	}
	z := State{Ctx: m.next.Ctx.Clone()}
	m.out.Writer = m.own.Now
	for w, n := range m.own.Writers {
		switch {
		case n > m.seen[w]:
			z.Ctx[w] = n
		case w == m.own.Now && m.next.Ctx[w] != n:
			m.out.Writer = Writer{} // somebody else counts under it, or a compaction has forgotten how far it is
		}
	}
	if len(m.out.Again) > 0 {
		m.out.Writer = Writer{}
	}
	if len(z.Ctx) > MaxWriters {
		return Moving{}, overLimit("%d writers, at most %d are allowed", len(z.Ctx), MaxWriters)
	}
	r := m.next.Root
	var err error
	if len(files) > 0 {
		r.Files, err = m.f.Apply(r.Files, files)
	}
	if err == nil && len(meta) > 0 {
		r.Meta, err = m.f.Apply(r.Meta, meta)
	}
	if err != nil {
		return Moving{}, fmt.Errorf("moving: %w", err)
	}
	z.Root = r
	m.out.State = z
	slices.SortFunc(m.out.Owed, func(a, b Owed) int { return a.Dot.Compare(b.Dot) })
	return m.out, nil
}

// apply is the entries of a path after own events.
func (m *mover) apply(k setKey, s *moveSet, set []Entry) []Entry {
	for d := range s.remove {
		if i := meant(set, d); i >= 0 {
			set = slices.Delete(set, i, i+1)
		} else if !m.seen.Covers(d) && !m.own.Writers.Covers(d) {
			m.out.Owed = append(m.out.Owed, Owed{k.meta, k.path, d})
		}
	}
	for d, e := range s.add {
		if !m.gone[d] && meant(set, d) < 0 {
			e.Name = path.Base(k.path)
			set = append(set, e)
		}
	}
	return set
}

// Repeat is the event that repeats a removal, when there is something to remove; done says that nothing of it is left to do.
func (o *Owed) Repeat(f *Forest, s State) (ev *Event, done bool, err error) {
	tree := s.Root.Files
	if o.Meta {
		tree = s.Root.Meta
	}
	there, err := f.Find(tree, o.Path)
	if err != nil {
		return nil, false, err
	}
	if i := meant(there.Entries, o.Dot); i >= 0 {
		return &Event{Meta: o.Meta, RemoveAt: o.Path, Remove: []Dot{there.Entries[i].Dot}}, true, nil
	}
	return nil, s.Ctx.Covers(o.Dot), nil
}
