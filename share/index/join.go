package index

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"shoal/share/blob"
)

// Joined is what has become of a node by taking in heads.
type Joined struct {
	State   State
	Writer  Writer         // to go on with: a fresh one after an alarm about the old
	Alarms  []Alarm        // to be logged and shown
	Journal []JournalEvent // of entries that were written anew under Writer
	Merged  []blob.ID      // heads that are in State now
	Limits  []*LimitError  // heads that wait
	Publish bool           // the state has to be published even if no user did anything
}

// Join takes the heads of our epoch into our state that are not in it yet: alarms first, then merges (docs/shares.md
// §4.2). After an alarm things come back rather than vanish: nothing of a writer in question is dropped in this call. If
// it is we who are in question, all live entries of our id are written anew under the id that fresh gives, and we forget
// what we knew of the old one, so that others keep its entries.
//
// All of what it returns belongs in one transaction.
func Join(ctx context.Context, f *Forest, self Self, kept []Kept, fresh func() Writer) (Joined, error) {
	j := joiner{ctx: ctx, f: f, muted: map[Writer]bool{}, tried: map[blob.ID]bool{}, Joined: Joined{State: self.State, Writer: self.Writer}}
	alarms, err := Detect(ctx, f, self, kept)
	if err != nil {
		return Joined{}, err
	}
	proof := map[blob.ID]bool{}
	for _, a := range alarms {
		j.mute(a)
		for _, id := range a.Heads {
			proof[id] = true
		}
	}
	// What proves an alarm comes first, and again if it was merged before. Then what is not covered: the merged among
	// these say what we forgot after an alarm.
	for _, some := range []func() []Kept{
		func() []Kept { return among(kept, self.Epoch, func(h *Kept) bool { return proof[h.ID] }) },
		func() []Kept {
			return Frontier(among(kept, self.Epoch, func(h *Kept) bool { return !h.State.Ctx.Leq(j.State.Ctx) }))
		},
		func() []Kept { return among(kept, self.Epoch, func(h *Kept) bool { return !h.Merged }) },
	} {
		for _, h := range some() {
			if err := j.head(&h); err != nil {
				return Joined{}, err
			}
		}
	}
	if self.Writer != (Writer{}) && j.muted[self.Writer] {
		if err := j.redot(self.Writer, fresh()); err != nil {
			return Joined{}, err
		}
	}
	return j.Joined, nil
}

// among are the heads of an epoch that are so.
func among(kept []Kept, epoch uint16, is func(*Kept) bool) (some []Kept) {
	for i := range kept {
		if kept[i].Epoch == epoch && is(&kept[i]) {
			some = append(some, kept[i])
		}
	}
	return some
}

// A joiner is one Join.
type joiner struct {
	ctx   context.Context // of the one call that this value lives in
	f     *Forest
	muted map[Writer]bool
	tried map[blob.ID]bool
	Joined
}

func (j *joiner) mute(a Alarm) {
	j.Alarms = append(j.Alarms, a)
	for _, w := range a.Writers {
		j.muted[w] = true
	}
}

// head merges one head, unless that breaks a limit.
func (j *joiner) head(h *Kept) error {
	if j.tried[h.ID] {
		return nil
	}
	j.tried[h.ID] = true
	// The merges before may have made our state one that has seen what h has.
	d := detector{ctx: j.ctx, f: j.f}
	if !h.Merged {
		if err := d.roots(h.State, j.State, h.ID); err != nil {
			return err
		}
	}
	for _, a := range d.alarms {
		if slices.ContainsFunc(a.Writers, func(w Writer) bool { return !j.muted[w] }) {
			j.mute(a)
		}
	}
	z, err := mergeMuted(j.ctx, j.f, j.State, h.State, j.muted)
	if fork, ok := errors.AsType[*ForkError](err); ok {
		j.mute(Alarm{TwoEntries, fork.Writers, []blob.ID{h.ID}})
		z, err = mergeMuted(j.ctx, j.f, j.State, h.State, j.muted)
	}
	if limit, ok := errors.AsType[*LimitError](err); ok {
		limit.Head, limit.Writer = h.ID, h.Writer
		j.Limits = append(j.Limits, limit)
		return nil
	}
	if err != nil {
		return fmt.Errorf("merging head %s: %w", h.ID, err)
	}
	j.State = z
	j.Merged = append(j.Merged, h.ID)
	return nil
}

// redot writes every live entry of the old id anew.
func (j *joiner) redot(old, fresh Writer) error {
	var events []Event
	for _, meta := range []bool{false, true} {
		tree := j.State.Root.Files
		if meta {
			tree = j.State.Root.Meta
		}
		for p, err := range j.f.Walk(tree, "") {
			if err != nil {
				return err
			}
			for i := range p.Entries {
				if e := p.Entries[i]; e.Dot.Writer == old {
					events = append(events, Event{RemoveAt: p.Path, Remove: []Dot{e.Dot}, AddAt: p.Path, Add: &e, Meta: meta})
				}
			}
		}
	}
	// One that only counts says that we are somebody else, even if nothing of ours lives.
	if len(events) == 0 {
		events = []Event{{}}
	}
	z, journal, err := Commit(j.f, j.State, fresh, events)
	if err != nil {
		return fmt.Errorf("leaving writer id %x: %w", old, err)
	}
	delete(z.Ctx, old)
	j.State, j.Journal, j.Writer, j.Publish = z, journal, fresh, true
	return nil
}
