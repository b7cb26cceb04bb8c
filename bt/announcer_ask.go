package bt

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A trackerState is what is known of one tracker.
type trackerState struct {
	status    TrackerStatus // its Next is when the tracker is due
	earliest  time.Time     // no announce before, even out of need
	sent      bool          // a started event went out to it: unless it refuses, it may count us
	started   bool          // it took our started event
	trackerID string
	fails     int
	never     bool // it cannot be used, or told us never to come again
}

// ask announces to one tracker and keeps what it says.
func (a *announcer) ask(ctx context.Context, s *trackerState, event announceEvent) bool {
	req := announceRequest{InfoHash: a.cfg.InfoHash, PeerID: a.cfg.PeerID, Port: a.cfg.Port, Key: a.cfg.Key,
		NumWant: a.cfg.NumWant, Event: event}
	if event == eventStopped {
		req.NumWant = 0
	}
	req.Uploaded, req.Downloaded, req.Left = a.cfg.Stats()
	a.mu.Lock()
	url := s.status.URL
	req.TrackerID = s.trackerID
	a.mu.Unlock()
	req.Sent = func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		s.sent = true
	}
	reply, err := a.client.announce(ctx, url, req)
	if err != nil && ctx.Err() != nil {
		return false // not the tracker's fault
	}
	a.note(s, reply, err)
	if err == nil && len(reply.Peers) > 0 && event != eventStopped {
		a.cfg.OnPeers(reply.Peers)
	}
	return err == nil
}

// note updates a tracker's state after an announce.
func (a *announcer) note(s *trackerState, reply *announceReply, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if err != nil {
		s.fails++
		s.status.Working, s.status.Error = false, err.Error()
		wait := a.cfg.Backoff << min(s.fails-1, 20)
		wait = jitter(min(wait, a.cfg.MaxBackoff))
		var refused *trackerError
		if errors.As(err, &refused) {
			wait = max(wait, refused.RetryIn)
			s.never = refused.Never
			s.sent = false
		}
		s.status.Next, s.earliest = now.Add(wait), now.Add(wait)
		return
	}
	interval, least := reply.Interval, reply.MinInterval
	if interval == 0 {
		interval = a.cfg.Interval
	}
	if least == 0 {
		least = min(a.cfg.Early, interval)
	}
	least = max(least, a.cfg.Floor)
	interval = max(interval, least)
	s.started, s.fails = true, 0
	if reply.TrackerID != "" {
		s.trackerID = reply.TrackerID
	}
	s.earliest = now.Add(least)
	s.status.Next = now.Add(interval)
	s.status.Working, s.status.Error = true, reply.Warning
	s.status.Peers, s.status.Seeders, s.status.Leechers = len(reply.Peers), reply.Seeders, reply.Leechers
	a.gotPeers = a.gotPeers || len(reply.Peers) > 0
	a.hungryNow = false
}

// jitter is d more or less a fifth, so that the clients of a tracker that comes back do not all come at once.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
