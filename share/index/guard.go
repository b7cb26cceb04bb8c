package index

import "path"

// A Count is of files and symbolic links on disk.
type Count struct {
	Files int
	Bytes int64
}

func (c Count) add(d Count) Count { return Count{c.Files + d.Files, c.Bytes + d.Bytes} }

// The limits of the mass-change guard (docs/shares.md §6.5): a plan that brings the changes of 24 hours above GuardFiles,
// and above a quarter of the files or half of the bytes, waits for a person.
const GuardFiles = 100

// A Guard stands between planning and applying: what others remove and replace in large numbers is held until a person
// has spoken. Renames are neither removals nor replacements.
type Guard struct {
	Total    Count // present in the base now
	Removed  Count // by others in the last 24 hours, without what was accepted
	Replaced Count

	Held     func(path string) bool // what is held since an earlier plan, by its path on disk; nil: nothing
	Accepted func(path string) bool // what a person has accepted; nil: nothing
	Counted  func(path string) bool // what is in Removed or Replaced already; nil: nothing
}

// A Batch is a plan that has passed the guard.
type Batch struct {
	Ops     []Op // in the order in which they are done
	Held    []Op // as they were planned, all of a path together
	Blocked []Op // of Arrange
}

// Arrange is [Arrange] for what the guard lets through. Everything else of a batch proceeds when some is held.
func (g Guard) Arrange(ops []Op, disk Disk) Batch {
	var b Batch
	var paths []string // of b.Held
	tripped := false
	for {
		b.Ops, b.Blocked = arrange(ops, disk, paths)
		if !tripped {
			removed, replaced := Losses(notAt(notAt(b.Ops, g.Accepted), g.Counted))
			tripped = g.trips(removed, replaced)
		}
		hold := map[string]bool{}
		for _, op := range notAt(b.Ops, g.Accepted) {
			if op.loses() && (tripped || g.Held != nil && g.Held(op.Path)) {
				hold[op.Path] = true
				paths = append(paths, op.Path)
			}
		}
		if len(hold) == 0 {
			return b
		}
		// Without them a rename may become a removal, and so may be held itself: look again.
		var rest []Op
		for _, op := range ops {
			if hold[op.Path] {
				b.Held = append(b.Held, op)
			} else {
				rest = append(rest, op)
			}
		}
		ops = rest
	}
}

// trips reports whether these losses are too many. What was removed before was a part of the whole too.
func (g Guard) trips(removed, replaced Count) bool {
	if removed.Files+replaced.Files == 0 {
		return false // nothing to hold
	}
	n := removed.add(replaced).add(g.Removed).add(g.Replaced)
	of := g.Total.add(g.Removed)
	return n.Files > GuardFiles && (4*n.Files > of.Files || 2*n.Bytes > of.Bytes)
}

// notAt is the operations that are not at some paths.
func notAt(ops []Op, some func(path string) bool) []Op {
	if some == nil {
		return ops
	}
	var rest []Op
	for _, op := range ops {
		if !some(op.Path) {
			rest = append(rest, op)
		}
	}
	return rest
}

// loses reports whether the file at the path of o is gone or another afterwards.
func (o Op) loses() bool { return o.Kind == Delete || o.replaces() }

// Losses counts what arranged operations remove and replace.
func Losses(ops []Op) (removed, replaced Count) {
	for _, op := range ops {
		switch {
		case op.Kind == Delete:
			removed = removed.add(Count{1, op.Base.Size})
		case op.replaces():
			replaced = replaced.add(Count{1, op.Base.Size})
		}
	}
	return removed, replaced
}

// Reject is the events of a writer who refuses what is held: at each path that would be lost, what is shown there goes,
// and what is on disk comes back under a new dot (docs/shares.md §6.5). What came to a path only because a file left it
// stays away.
func Reject(held []Op) []Event {
	var events []Event
	at := map[string]int{}
	for i := range held {
		op := &held[i]
		b := op.Base
		if b == nil || !b.Present || b.Type == Dir || op.Kind != Delete && !op.replaces() {
			continue
		}
		at[op.Path] = len(events)
		events = append(events, Event{AddAt: op.Path, Add: b.entry()})
	}
	for _, op := range held {
		if i, ok := at[op.Path]; ok && op.Shown != nil && len(op.Shown.Dots) > 0 {
			events[i].RemoveAt, events[i].Remove = op.Shown.Natural, op.Shown.Dots
		}
	}
	return events
}

// entry is what b says, without a dot.
func (b *Base) entry() *Entry {
	return &Entry{Name: path.Base(b.Path), Type: b.Type, MTime: b.MTime, Mode: b.Mode, HasMode: b.HasMode,
		Size: b.Size, Hash: b.Hash, Caps: b.Caps, Value: b.Value}
}
