package bt

import (
	"context"
	"errors"
	"math"
	"time"
)

// tickEvery is how often progress is reported.
const tickEvery = 500 * time.Millisecond

// errTick ends a wait that only wanted to report.
var errTick = errors.New("tick")

// waitAll returns when every wanted piece is there, the storage failed, or ctx is done. It calls tick every tickEvery;
// an error of tick ends it too.
func (w *swarm) waitAll(ctx context.Context, tick func(now time.Time) error) error {
	return w.waitUntil(ctx, func() bool { return w.left == 0 }, tick)
}

// waitFor is waitAll for one piece.
func (w *swarm) waitFor(ctx context.Context, piece int, tick func(now time.Time) error) error {
	return w.waitUntil(ctx, func() bool { return w.have.has(piece) }, tick)
}

// waitUntil waits for done, which is called with mu held.
func (w *swarm) waitUntil(ctx context.Context, done func() bool, tick func(now time.Time) error) error {
	if err := w.hopeless(); err != nil {
		return err
	}
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		w.mu.Lock()
		err, ok, changed := w.stopped, done(), w.changed
		w.mu.Unlock()
		if err != nil || ok {
			return err
		}
		select {
		case <-changed:
		case <-w.lib.Closed():
			return errClosed
		case now := <-ticker.C:
			if err := tick(now); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hopeless says why no peer can ever be found: when nothing is allowed to look for one.
func (w *swarm) hopeless() error {
	web := w.haveInfo() && len(w.m.Webseeds)+len(w.webseeds) > 0 && w.useWebseeds()
	if web || w.book.size() > 0 || w.trackers != nil || w.sess.dht != nil || w.sess.lpd != nil || w.c.cfg.Port != 0 {
		return nil
	}
	return errorf(NoPeers, "nowhere to look for peers").
		withHint("name a peer with --peer, a tracker with --tracker or a webseed with --webseed, or leave the DHT on")
}

// noPeersHint is advice for a swarm in which nobody was found.
func (w *swarm) noPeersHint() string {
	for _, t := range w.trackerStatus() {
		if t.Error != "" {
			return "tracker " + t.URL + ": " + t.Error
		}
	}
	if w.sess.dht == nil {
		return "the DHT is off; --tracker or --peer would help"
	}
	return "the torrent may be dead; --tracker or --peer may help"
}

// stalledAfter is when a person is told that nothing moves.
const stalledAfter = 30 * time.Second

// stall notices when no byte comes.
type stall struct {
	w     *swarm
	limit time.Duration // 0 = never give up
	read  int64
	since time.Time
	told  bool
	seen  bool // some peer was connected
}

func newStall(w *swarm, limit time.Duration) *stall {
	return &stall{w: w, limit: limit, since: time.Now()}
}

// check reports whether the download has just begun to stall, and gives up with an error when it did for too long.
func (s *stall) check(now time.Time) (stalled bool, err error) {
	st := s.w.stats()
	s.seen = s.seen || st.peers > 0
	if st.read != s.read {
		s.read, s.since, s.told = st.read, now, false
		return false, nil
	}
	idle := now.Sub(s.since)
	if s.limit > 0 && idle >= s.limit {
		if !s.seen {
			return false, errorf(NoPeers, "found no peer within %v", s.limit).withHint(s.w.noPeersHint())
		}
		return false, errorf(Stalled, "no data for %v", s.limit).
			withHint("what came is kept; the same command goes on from there")
	}
	if idle >= stalledAfter && !s.told {
		s.told = true
		return true, nil
	}
	return false, nil
}

// meter turns byte counts into smoothed rates.
type meter struct {
	last     time.Time
	down, up int64
	dr, ur   float64
}

// rates are bytes a second, averaged over some five seconds.
func (m *meter) rates(now time.Time, down, up int64) (float64, float64) {
	if m.last.IsZero() {
		m.last, m.down, m.up = now, down, up
		return 0, 0
	}
	dt := now.Sub(m.last).Seconds()
	if dt <= 0 {
		return m.dr, m.ur
	}
	a := 1 - math.Exp(-dt/5)
	if m.dr == 0 && m.ur == 0 {
		a = 1 // the first figure need not climb from zero
	}
	m.dr += a * (float64(down-m.down)/dt - m.dr)
	m.ur += a * (float64(up-m.up)/dt - m.ur)
	m.last, m.down, m.up = now, down, up
	return m.dr, m.ur
}

// eta is how long left bytes take; negative when that cannot be said.
func eta(left int64, rate float64) time.Duration {
	if rate < 1 {
		return -1
	}
	s := float64(left) / rate
	if s > 1e8 {
		return -1
	}
	return time.Duration(s * float64(time.Second))
}
