package bt

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// run serves until there is a reason to stop, and tells it.
func (s *server) run(ctx context.Context) error {
	s.start = time.Now()
	reason, err := s.wait(ctx)
	if reason == "" {
		return err
	}
	e := ServeEvent{Event: "stopped", Reason: reason, ServeTotals: s.totals(), Err: err}
	if told := s.tell(e); told != nil {
		return told
	}
	return err
}

// wait looks after what is served. A reason is missing when nobody listens.
func (s *server) wait(ctx context.Context) (reason string, err error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	sent, active := int64(0), time.Now()
	for {
		begin := time.Now()
		if err := s.withdraw(); err != nil {
			return "", err
		}
		if len(s.items) == 0 {
			return "withdrawn", &Error{Code: Damaged, Err: errNothingLeft}
		}
		if err := s.tellCopies(); err != nil {
			return "", err
		}
		t := s.traffic()
		s.report(t)
		if t.Uploaded != sent {
			sent, active = t.Uploaded, begin
		}
		if reason := s.goal(begin, active); reason != "" {
			return reason, nil
		}
		// With thousands of torrents looking takes a while: never more than a twentieth of the time.
		next := max(tickEvery, 20*time.Since(begin))
		if s.opts.For > 0 {
			next = min(next, max(0, s.opts.For-time.Since(s.start)))
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			return "interrupted", context.Cause(ctx)
		}
	}
}

// goal is the goal that is reached, "" for none.
func (s *server) goal(now, active time.Time) string {
	o := &s.opts
	switch {
	case o.For > 0 && now.Sub(s.start) >= o.For:
		return "for"
	case o.Idle > 0 && now.Sub(active) >= o.Idle:
		return "idle"
	case o.UntilCopies > 0 && !slices.ContainsFunc(s.items, func(it *servedItem) bool { return it.copies < o.UntilCopies }):
		return "copies"
	case o.SeedRatio > 0 && !slices.ContainsFunc(s.items, func(it *servedItem) bool {
		return float64(it.uploaded()) < o.SeedRatio*float64(it.m.Length)
	}):
		return "ratio"
	}
	return ""
}

func (it *servedItem) uploaded() int64 { return it.seeding.Uploaded() + it.sent.Load() }

// traffic is how all of it goes.
func (s *server) traffic() Progress {
	p := Progress{State: "seeding", ETA: -1, Name: s.items[0].m.Name}
	if len(s.items) > 1 {
		p.Name = strconv.Itoa(len(s.items)) + " torrents"
	} else {
		p.InfoHash = webName(s.items[0].m)
		p.Trackers = s.items[0].seeding.swarm.trackerStatus()
	}
	for _, it := range s.items {
		p.Total += it.m.Length
		st := it.seeding.swarm.stats()
		p.Peers, p.Seeds = p.Peers+st.peers, p.Seeds+st.seeds
	}
	p.Done = p.Total
	p.Uploaded = s.uploaded()
	p.Down, p.Up = s.meter.rates(time.Now(), 0, p.Uploaded)
	return p
}

// uploaded is how much was sent of all, withdrawn torrents included.
func (s *server) uploaded() int64 {
	n := int64(0)
	s.c.mu.Lock()
	sess := s.c.sess
	s.c.mu.Unlock()
	if sess != nil {
		st := sess.lib.ConnStats()
		n = st.BytesWrittenData.Int64()
	}
	if s.web != nil {
		n += s.web.sent.Load()
	}
	return n
}

func (s *server) totals() *ServeTotals {
	t := &ServeTotals{Uploaded: s.uploaded(), Seconds: time.Since(s.start).Seconds()}
	for _, it := range s.items {
		t.Copies += it.copies
	}
	return t
}

func (s *server) totalsOf(it *servedItem) *ServeTotals {
	return &ServeTotals{Copies: it.copies, Uploaded: it.uploaded(), Seconds: time.Since(s.start).Seconds()}
}

// tellCopies tells of the peers that have become complete.
func (s *server) tellCopies() error {
	for _, it := range s.items {
		for n := it.seeding.Copies(); it.copies < n; {
			it.copies++
			if err := s.tell(it.event("copy", nil, s.totalsOf(it))); err != nil {
				return err
			}
		}
	}
	return nil
}

// withdraw ends the serving of what has changed.
func (s *server) withdraw() error {
	s.mu.Lock()
	lost := s.lost
	s.lost = nil
	s.mu.Unlock()
	for _, it := range lost {
		at := slices.Index(s.items, it)
		if at < 0 {
			continue // it did not come to be served
		}
		s.mu.Lock()
		s.items = slices.Delete(s.items, at, at+1)
		for _, h := range shorts(it.m) {
			delete(s.hash, h)
		}
		cause := it.err
		s.mu.Unlock()
		if s.tracker != nil {
			s.tracker.remove(it.m)
		}
		if s.web != nil {
			s.web.remove(it.m)
		}
		e := it.event("withdrawn", nil, s.totalsOf(it))
		e.Err = cause
		it.seeding.Close()
		if err := s.tell(e); err != nil {
			return err
		}
	}
	return nil
}

// watch looks at the files once in a while, until ctx is done. Those that changed come back through lose.
func (s *server) watch(ctx context.Context) {
	timer := time.NewTimer(checkEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		items := slices.Clone(s.items)
		s.mu.Unlock()
		begin := time.Now()
		for _, it := range items {
			if ctx.Err() != nil {
				return
			}
			_ = it.seeding.Check() // what it finds it tells
		}
		timer.Reset(max(checkEvery, 50*time.Since(begin)))
	}
}
