package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"shoal/share/blob"
)

// A LimitError says that a merge would break a limit of docs/shares.md §3: the head waits, HELD(limit), and its writer is
// named. It wraps [ErrLimit].
type LimitError struct {
	Head   blob.ID // zero when Merge was not told of one
	Writer Writer  // of the head
	Err    error
}

func (e *LimitError) Error() string {
	if e.Head.IsZero() {
		return fmt.Sprintf("merging: %v", e.Err)
	}
	return fmt.Sprintf("merging head %s of writer %x: %v", e.Head, e.Writer, e.Err)
}

func (e *LimitError) Unwrap() error { return e.Err }

// A ForkError says that two states have different entries under one dot: somebody else counts under the same id. Merging
// them as if nothing were wrong would lose both entries.
type ForkError struct {
	Writers []Writer // in order
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("merging: %d writer ids are used twice", len(e.Writers))
}

// Merge is the state of who has seen what x and y have seen (docs/shares.md §4): of the entries of one it drops those
// that the other has seen and no longer has. It is a function of the two sets; the trees are compared and changed as
// streams, and no more of them is read than differs. Both must be complete. What a merge changes is what [Forest.Diff]
// says of the roots before and after.
//
// The alarms of [Join] come before it. Errors: [LimitError], [ForkError], of the nodes, and of ctx.
func Merge(ctx context.Context, f *Forest, x, y State) (State, error) {
	return mergeMuted(ctx, f, x, y, nil)
}

// mergeMuted merges as if neither side had seen anything of the muted writers: their entries all stay.
func mergeMuted(ctx context.Context, f *Forest, x, y State, muted map[Writer]bool) (State, error) {
	z := State{Ctx: x.Ctx.Max(y.Ctx)}
	if len(z.Ctx) > MaxWriters {
		return State{}, &LimitError{Err: overLimit("%d writers, at most %d are allowed", len(z.Ctx), MaxWriters)}
	}
	m := &merger{f: f, ctx: ctx, x: without(x.Ctx, muted), y: without(y.Ctx, muted), lost: map[Dot]side{}}
	// The first look counts and finds forks, the second changes the tree that is nearer to the result.
	files, err := m.compare(x.Root.Files, y.Root.Files)
	if err != nil {
		return State{}, err
	}
	meta, err := m.compare(x.Root.Meta, y.Root.Meta)
	if err != nil {
		return State{}, err
	}
	if len(m.forked) > 0 {
		return State{}, &ForkError{slices.SortedFunc(maps.Keys(m.forked), compareWriters)}
	}
	if z.Root.Files, err = m.tree(x.Root.Files, y.Root.Files, files); err != nil {
		return State{}, err
	}
	if z.Root.Meta, err = m.tree(x.Root.Meta, y.Root.Meta, meta); err != nil {
		return State{}, err
	}
	return z, nil
}

func without(c Context, muted map[Writer]bool) Context {
	if len(muted) == 0 {
		return c
	}
	c = c.Clone()
	maps.DeleteFunc(c, func(w Writer, _ uint64) bool { return muted[w] })
	return c
}

func compareWriters(a, b Writer) int { return slices.Compare(a[:], b[:]) }

// A merger is one merge.
type merger struct {
	f      *Forest
	ctx    context.Context // of the one call that this value lives in
	x, y   Context
	lost   map[Dot]side // entries that one side alone has, and that are dropped
	forked map[Writer]bool
}

// A side is x, y or both.
type side uint8

const (
	sideX side = 1 << iota
	sideY
)

// A distance is by how many paths each side differs from the result.
type distance struct{ x, y int }

func (m *merger) compare(x, y blob.Cap) (d distance, err error) {
	for c, err := range m.f.Diff(m.ctx, x, y) {
		if err != nil {
			return d, err
		}
		z := m.set(c)
		if !EqualEntries(z, c.Before) {
			d.x++
		}
		if !EqualEntries(z, c.After) {
			d.y++
		}
	}
	return d, nil
}

// tree is the merged tree.
func (m *merger) tree(x, y blob.Cap, d distance) (blob.Cap, error) {
	switch {
	case d.x == 0:
		return x, nil
	case d.y == 0:
		return y, nil
	}
	c, err := m.f.ApplySeq(nearer(x, y, d), m.sets(x, y))
	if err != nil {
		return blob.Cap{}, limited(err)
	}
	return c, nil
}

func nearer(x, y blob.Cap, d distance) blob.Cap {
	if d.y < d.x {
		return y
	}
	return x
}

// sets are the merged sets of all paths that differ.
func (m *merger) sets(x, y blob.Cap) iter.Seq2[PathSet, error] {
	return func(yield func(PathSet, error) bool) {
		for c, err := range m.f.Diff(m.ctx, x, y) {
			if !yield(PathSet{c.Path, m.set(c)}, err) || err != nil {
				return
			}
		}
	}
}

// set merges the entries of one path, both in order.
func (m *merger) set(c Change) []Entry {
	z := make([]Entry, 0, max(len(c.Before), len(c.After)))
	for i := range c.Before {
		e := &c.Before[i]
		switch {
		case has(c.After, e) || !m.y.Covers(e.Dot):
			z = append(z, *e)
		default:
			m.drop(e.Dot, sideX)
		}
	}
	for i := range c.After {
		e := &c.After[i]
		switch {
		case has(c.Before, e):
		case !m.x.Covers(e.Dot):
			z = append(z, *e)
		default:
			m.drop(e.Dot, sideY)
		}
	}
	slices.SortFunc(z, func(a, b Entry) int { return a.Compare(&b) })
	return z
}

// drop notes what is dropped. Nobody can have both replaced an entry and still have it, so that both sides drop
// something under one dot is a fork.
func (m *merger) drop(d Dot, s side) {
	if m.lost[d] |= s; m.lost[d] != sideX|sideY {
		return
	}
	if m.forked == nil {
		m.forked = map[Writer]bool{}
	}
	m.forked[d.Writer] = true
}

// has reports whether set, which is in order, has the whole entry e.
func has(set []Entry, e *Entry) bool {
	_, ok := slices.BinarySearchFunc(set, e, func(a Entry, e *Entry) int { return a.Compare(e) })
	return ok
}

// limited marks an error that says that a merge breaks a limit.
func limited(err error) error {
	if errors.Is(err, ErrLimit) {
		return &LimitError{Err: err}
	}
	return err
}
