package disk

import (
	"maps"
	"time"
)

// How long changes settle before they are scanned (docs/shares.md §6.2).
const (
	SettleTime = 300 * time.Millisecond // from the last event
	GrowTime   = 2 * time.Second        // the same of a file that grew since it was handed out, less than CommitTime ago
	CommitTime = 10 * time.Second       // from the first event, under constant change
)

const maxUnsettled = 50_000 // paths; more are one scan of everything

// A Settler collects the paths that events name until they are quiet. It hands out all at once when nothing changes any
// more, except that a file which keeps growing (a log, a download) makes nobody else wait; and after CommitTime of constant
// change it hands out what it has. It has no clock of its own, and its times never go back. It is for one goroutine. The
// zero value works.
type Settler struct {
	// Size is the size of a file in bytes, negative when there is none. nil: nothing grows.
	Size func(path string) int64

	calm  unsettled
	paths Paths                 // of calm
	grow  map[string]*unsettled // by path
	seen  map[string]looked     // sizes when paths were handed out
}

type unsettled struct {
	look        Look
	first, last time.Time // events
}

type looked struct {
	size int64
	at   time.Time
}

// Event says that something happened at path. "" with LookDeep stands for everything.
func (s *Settler) Event(path string, look Look, now time.Time) {
	if g := s.grow[path]; g != nil {
		g.look |= look
		g.last = now
		return
	}
	if s.paths == nil {
		s.paths, s.grow, s.seen = Paths{}, map[string]*unsettled{}, map[string]looked{}
	}
	if _, waits := s.paths[path]; !waits && s.grew(path, now) {
		s.grow[path] = &unsettled{look, now, now}
		return
	}
	if len(s.paths) == 0 {
		s.calm.first = now
	}
	s.calm.last = now
	if s.paths[""]&LookDeep != 0 {
		return
	}
	s.paths.Add(path, look)
	if s.paths[""]&LookDeep != 0 || len(s.paths) > maxUnsettled {
		s.paths = Paths{"": LookDeep}
	}
}

// grew reports whether a file is larger than when it was handed out, a short time ago.
func (s *Settler) grew(path string, now time.Time) bool {
	before, ok := s.seen[path]
	return ok && now.Sub(before.at) < CommitTime && s.Size(path) > before.size
}

// Ready hands out what is to be scanned now, or nil. What is not handed out becomes ready at next if no event comes before;
// next is zero when there is nothing.
func (s *Settler) Ready(now time.Time) (what Paths, next time.Time) {
	if len(s.paths) > 0 {
		if due := s.calm.due(SettleTime); now.Before(due) {
			next = due
		} else {
			what, s.paths = s.paths, Paths{}
		}
	}
	for p, g := range s.grow {
		if due := g.due(GrowTime); now.Before(due) {
			next = earlier(next, due)
			continue
		}
		if what == nil {
			what = Paths{}
		}
		what.Add(p, g.look)
		delete(s.grow, p)
	}
	s.remember(what, now)
	return what, next
}

// due is when something settles that needs that long a quiet.
func (u *unsettled) due(quiet time.Duration) time.Time {
	return earlier(u.last.Add(quiet), u.first.Add(CommitTime))
}

// remember takes note of the sizes of what is handed out.
func (s *Settler) remember(what Paths, now time.Time) {
	if len(what) == 0 || s.Size == nil {
		return
	}
	maps.DeleteFunc(s.seen, func(_ string, l looked) bool { return now.Sub(l.at) >= CommitTime })
	if len(s.seen)+len(what) > maxUnsettled {
		return
	}
	for p := range what {
		if size := s.Size(p); size >= 0 {
			s.seen[p] = looked{size, now}
		}
	}
}

// earlier is the earlier of two times, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
