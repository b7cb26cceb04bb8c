package index

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"shoal/share/blob"
)

// Renew writes a state anew under the secret of f, which may be another than the one that it is under: the index of the next
// epoch. Entries keep their dots, and the caps of their data, so that no data is sent again (docs/shares.md §9).
func Renew(ctx context.Context, f *Forest, s State) (State, error) {
	z := State{Ctx: s.Ctx.Clone()}
	var err error
	if z.Root.Files, err = f.renew(ctx, s.Root.Files, nil); err == nil {
		z.Root.Meta, err = f.renew(ctx, s.Root.Meta, nil)
	}
	if err != nil {
		return State{}, fmt.Errorf("writing the index anew: %w", err)
	}
	return z, nil
}

// renew is a tree with all its nodes written anew, and its entries as change, which may be nil, makes them of copies.
func (f *Forest) renew(ctx context.Context, tree blob.Cap, change func(at string, e *Entry) (keep bool, err error)) (blob.Cap, error) {
	return f.ApplySeq(blob.Cap{}, func(yield func(PathSet, error) bool) {
		for p, err := range f.Walk(tree, "") {
			if err == nil {
				err = ctx.Err()
			}
			entries := p.Entries
			if err == nil && change != nil {
				entries, err = changed(p, change)
			}
			if !yield(PathSet{p.Path, entries}, err) || err != nil {
				return
			}
		}
	})
}

func changed(p Place, change func(string, *Entry) (bool, error)) (all []Entry, err error) {
	for i := range p.Entries {
		e := p.Entries[i]
		keep, err := change(p.Path, &e)
		if err != nil {
			return nil, err
		}
		if keep {
			all = append(all, e)
		}
	}
	return all, nil
}

// MaxOld is how many earlier dots an entry keeps: a node that is late by more compactions takes what it had for new.
const MaxOld = 16

const compactPath = "compact"

// Compact is [Renew] with a context of one writer: every entry is written anew under the fresh id w, with its earlier dots. The
// meta entries compact/<n> hold what was seen before, so that late nodes merge exactly ([Move]).
func Compact(ctx context.Context, f *Forest, s State, w Writer) (State, error) {
	before, err := Compacted(f, s.Root.Meta)
	if err != nil {
		return State{}, err
	}
	before = before.Max(s.Ctx)
	n := uint64(0)
	redot := func(at string, e *Entry) (bool, error) {
		if strings.HasPrefix(at, compactPath+"/") && e.Type == Meta {
			return false, nil
		}
		n++
		old := append(slices.Clone(e.Old), e.Dot)
		e.Old = old[max(0, len(old)-MaxOld):]
		slices.SortFunc(e.Old, Dot.Compare)
		e.Old = slices.Compact(e.Old)
		e.Dot = Dot{w, n}
		return true, nil
	}
	z := State{}
	if z.Root.Files, err = f.renew(ctx, s.Root.Files, redot); err == nil {
		z.Root.Meta, err = f.renew(ctx, s.Root.Meta, redot)
	}
	if err != nil {
		return State{}, fmt.Errorf("compacting: %w", err)
	}
	var events []Event
	for i, part := range slices.Collect(slices.Chunk(before.encode(), MaxValue/16*16)) {
		events = append(events, Event{Meta: true, AddAt: fmt.Sprintf("%s/%d", compactPath, i), Add: &Entry{Type: Meta, Value: part}})
	}
	z.Ctx = Context{w: n}
	if len(events) == 0 {
		return z, nil
	}
	z, _, err = Commit(f, z, w, events)
	return z, err
}

// Compacted is what was seen before the last compaction; empty when there was none. What a stranger wrote there counts as far
// as it makes sense.
func Compacted(f *Forest, meta blob.Cap) (Context, error) {
	c := Context{}
	top, err := f.Find(meta, compactPath)
	if err != nil || top.Below.IsZero() {
		return c, err
	}
	for set, err := range f.Names(top.Below) {
		if err != nil {
			return nil, err
		}
		for i := range set.Entries {
			b := set.Entries[i].Value
			for ; len(b) >= 16; b = b[16:] {
				n := uint64(0)
				for _, x := range b[8:16] {
					n = n<<8 | uint64(x)
				}
				if n <= math.MaxInt64 && len(c) < MaxWriters*MaxOld {
					c[Writer(b)] = max(c[Writer(b)], n)
				}
			}
		}
	}
	return c, nil
}
