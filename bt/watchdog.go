package bt

import "time"

const (
	kickAfter = 8 * time.Second // without a useful byte from connected peers
	kickLimit = 2 * time.Minute // longest wait between two kicks

	kickMessage = "no data from connected peers: asking afresh"
)

// watch keeps a download from standing still for good: after a peer rejects a request, the library sends it no new
// ones until it unchokes us again, which it may never do. Disallowing and allowing data makes it ask afresh.
func (w *swarm) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, since, wait := int64(-1), time.Now(), kickAfter
	for {
		select {
		case <-w.ctx.Done():
			return
		case now := <-tick.C:
			s := w.stats()
			if s.read != last {
				last, since, wait = s.read, now, kickAfter
			}
			if w.missing() == 0 || s.peers == 0 {
				since = now
			}
			if s.peers == 0 && w.trackers != nil && w.missing() > 0 {
				w.trackers.needPeers()
			}
			if now.Sub(since) < wait {
				continue
			}
			w.c.log.Debug(kickMessage, "infohash", w.short(), "peers", s.peers)
			w.kicks.Add(1)
			w.kick()
			since, wait = now, min(2*wait, kickLimit)
		}
	}
}

// kick makes the library ask afresh. Now and then the library checks on the way whether its lists agree, which they need
// not do between the two calls, and panics if not; the next kick makes them agree.
func (w *swarm) kick() {
	defer func() {
		if r := recover(); r != nil {
			w.c.log.Warn("asking afresh went wrong", "infohash", w.short(), "why", r)
		}
	}()
	w.lib.DisallowDataDownload()
	w.lib.AllowDataDownload()
}
