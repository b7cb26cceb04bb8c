package index

import (
	"context"
	"fmt"
	"slices"

	"shoal/share/blob"
)

// Kept is a complete head that this node keeps, superseded ones included (docs/shares.md §6.4).
type Kept struct {
	ID     blob.ID
	Epoch  uint16
	Writer Writer
	State  State
	Mine   bool // this node signed it
	Merged bool // it is in this node's state
}

// Self is what a node knows of itself, and what it has seen.
type Self struct {
	Epoch  uint16
	Writer Writer // zero: it has no id now
	State  State
	// Made is the own journal: the event of a dot; false when it does not reach so far. nil: there is none.
	Made func(Dot) (JournalEvent, bool)
	// Published reports whether a head of ours has counted Writer to exactly this, or may have: it is false only for what
	// was certainly never published. nil: not known.
	Published func(counter uint64) bool
}

// A Cause is why an alarm is raised: the letters of docs/shares.md §4.2.
type Cause byte

// The causes of alarms.
const (
	KnowsMore    Cause = 'a' // a head knows more of our id than we do, or a count of it that we never published
	Incomparable Cause = 'b' // neither of two heads of one id has seen the other
	TwoRoots     Cause = 'c' // two states have seen the same and differ
	NotMine      Cause = 'd' // a head or an entry has our id, and we did not make it
	TwoEntries   Cause = 'e' // two entries have one dot
)

// An Alarm is the proof that somebody else counts under a writer id: a clone, or a machine that was set back.
type Alarm struct {
	Cause   Cause
	Writers []Writer  // whose ids are used twice, in order
	Heads   []blob.ID // those that prove it
}

func (a Alarm) String() string {
	return fmt.Sprintf("alarm (%c): writer ids used twice: %x, heads: %v", a.Cause, a.Writers, a.Heads)
}

// Detect finds the alarms that heads of our epoch raise, most of them by heads which are not yet merged. It has to be
// asked before any merge, and with every kept head of our own id that others could show.
func Detect(ctx context.Context, f *Forest, self Self, kept []Kept) ([]Alarm, error) {
	d := detector{ctx: ctx, f: f, self: self}
	for i := range kept {
		h := &kept[i]
		if h.Epoch != self.Epoch {
			continue
		}
		if h.Merged {
			if err := d.behind(h); err != nil {
				return nil, err
			}
			continue
		}
		if err := d.head(h); err != nil {
			return nil, err
		}
		for j := range kept {
			o := &kept[j]
			if i == j || o.Epoch != self.Epoch || !o.Merged && j < i {
				continue
			}
			if err := d.pair(h, o); err != nil {
				return nil, err
			}
		}
	}
	return d.alarms, nil
}

// A detector is one search for alarms.
type detector struct {
	ctx    context.Context // of the one call that this value lives in
	f      *Forest
	self   Self
	alarms []Alarm
}

func (d *detector) raise(c Cause, writers []Writer, heads ...blob.ID) {
	d.alarms = append(d.alarms, Alarm{c, writers, heads})
}

// head looks at one head and ourselves.
func (d *detector) head(h *Kept) error {
	me := d.self.Writer
	if me != (Writer{}) {
		own := []Writer{me}
		// A count comes into the context of others by our heads alone.
		n := h.State.Ctx[me]
		if n > d.self.State.Ctx[me] || n > 0 && d.self.Published != nil && !d.self.Published(n) {
			d.raise(KnowsMore, own, h.ID)
		}
		if h.Writer == me && !h.Mine {
			d.raise(NotMine, own, h.ID)
		} else if foreign, err := d.foreign(h); err != nil {
			return err
		} else if foreign {
			d.raise(NotMine, own, h.ID)
		}
	}
	return d.roots(h.State, d.self.State, h.ID)
}

// pair looks at two heads.
func (d *detector) pair(h, o *Kept) error {
	if h.Writer == o.Writer && !h.State.Ctx.Leq(o.State.Ctx) && !o.State.Ctx.Leq(h.State.Ctx) {
		d.raise(Incomparable, []Writer{h.Writer}, h.ID, o.ID)
	}
	return d.roots(h.State, o.State, h.ID, o.ID)
}

// behind looks at a head that is merged: if we have seen no more than it has, we must not lack anything of it. We may
// when entries of a fork went under in a merge that nobody could see to be one.
func (d *detector) behind(h *Kept) (err error) {
	own := d.self.State
	if h.State.Root == own.Root || !h.State.Ctx.Equal(own.Ctx) {
		return nil
	}
	lacks := false
	err = d.eachDifference(own, h.State, func(_ JournalEvent, _ *Entry, after bool) { lacks = lacks || after })
	if err != nil || !lacks {
		return err
	}
	return d.roots(h.State, own, h.ID)
}

// roots looks for two states that have seen the same and differ: the writers of all entries that do are in question.
func (d *detector) roots(x, y State, heads ...blob.ID) error {
	if x.Root == y.Root || !x.Ctx.Equal(y.Ctx) {
		return nil
	}
	writers := map[Writer]bool{}
	err := d.eachDifference(x, y, func(_ JournalEvent, e *Entry, _ bool) { writers[e.Dot.Writer] = true })
	if err != nil {
		return err
	}
	d.raise(TwoRoots, sortedWriters(writers), heads...)
	return nil
}

// foreign reports whether h has an entry with our id that our journal says we did not make.
func (d *detector) foreign(h *Kept) (found bool, err error) {
	if d.self.Made == nil {
		return false, nil
	}
	err = d.eachDifference(d.self.State, h.State, func(at JournalEvent, e *Entry, after bool) {
		if found || !after || e.Dot.Writer != d.self.Writer {
			return
		}
		made, ok := d.self.Made(e.Dot)
		found = ok && !(made.Event.Add != nil && made.Event.Meta == at.Event.Meta && made.Event.AddAt == at.Event.AddAt &&
			made.Event.Add.Equal(e))
	})
	return found, err
}

// eachDifference calls fn with every entry that one of x and y has and the other does not; after says that it is y.
func (d *detector) eachDifference(x, y State, fn func(at JournalEvent, e *Entry, after bool)) error {
	for _, meta := range []bool{false, true} {
		a, b := x.Root.Files, y.Root.Files
		if meta {
			a, b = x.Root.Meta, y.Root.Meta
		}
		for c, err := range d.f.Diff(d.ctx, a, b) {
			if err != nil {
				return err
			}
			at := JournalEvent{Event: Event{AddAt: c.Path, Meta: meta}}
			for i := range c.Before {
				if !has(c.After, &c.Before[i]) {
					fn(at, &c.Before[i], false)
				}
			}
			for i := range c.After {
				if !has(c.Before, &c.After[i]) {
					fn(at, &c.After[i], true)
				}
			}
		}
	}
	return nil
}

func sortedWriters(set map[Writer]bool) []Writer {
	var all []Writer
	for w := range set {
		all = append(all, w)
	}
	slices.SortFunc(all, compareWriters)
	return all
}
