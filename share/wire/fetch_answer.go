package wire

import (
	"slices"
	"time"

	"shoal/share/blob"
)

// got gives a blob to the jobs that want it.
func (f *Fetcher) got(c *Conn, id blob.ID, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.wishes[id]; w != nil {
		a := &arrival{id: id, b: b, from: c, users: len(w.jobs)}
		for _, j := range w.jobs {
			j.deliver(a)
		}
		f.drop(w)
	} else { // it came from two, or nobody wants it any more
		f.debt += len(b)
		c.took(len(b))
	}
	if p := f.peer(c); p != nil {
		p.silent = false
		f.pull(p)
	}
}

// drop forgets a wish.
func (f *Fetcher) drop(w *wish) {
	f.dequeue(w)
	f.setMissing(w, false)
	for _, p := range w.asked {
		p.landed(w)
	}
	for _, p := range f.peers {
		delete(p.no, w.id)
		delete(p.liar, w.id)
	}
	w.asked, w.jobs = nil, nil
	delete(f.wishes, w.id)
}

// landed takes a wish from those that p was asked for.
func (p *peer) landed(w *wish) {
	if i := slices.Index(p.flight, w); i >= 0 {
		p.flight = slices.Delete(p.flight, i, i+1)
	}
}

// refused lets others be asked.
func (f *Fetcher) refused(c *Conn, ids []blob.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.peer(c)
	if p == nil {
		return
	}
	p.silent = false
	for _, id := range ids {
		if w := f.wishes[id]; w != nil {
			if len(p.no) == 0 {
				p.retryAt = f.clock.Now().Add(p.retry)
			}
			p.no[id] = struct{}{}
			f.release(p, w)
		}
	}
	f.pullAll()
}

// lied is refused for good.
func (f *Fetcher) lied(c *Conn, id blob.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, w := f.peer(c), f.wishes[id]
	if p == nil || w == nil {
		return
	}
	p.liar[id] = struct{}{}
	f.release(p, w)
	f.pullAll()
}

// release ends that p is asked for w: unless another peer is, it waits again.
func (f *Fetcher) release(p *peer, w *wish) {
	p.landed(w)
	if i := slices.Index(w.asked, p); i >= 0 {
		w.asked = slices.Delete(w.asked, i, i+1)
	}
	if len(w.asked) > 0 {
		return
	}
	// Also when it waits already: peers that were to come after p by rank look at it again.
	f.dequeue(w)
	f.enqueue(w)
	f.lookMissing(w)
}

// lookMissing tells the jobs when no peer that is here may have w.
func (f *Fetcher) lookMissing(w *wish) {
	if w.missing || len(w.asked) > 0 || len(f.peers) == 0 {
		return
	}
	if !slices.ContainsFunc(f.peers, func(p *peer) bool { return p.has(w) }) {
		f.setMissing(w, true)
		for _, j := range w.jobs {
			j.report(w.id)
		}
	}
}

func (f *Fetcher) setMissing(w *wish, missing bool) {
	if w.missing == missing {
		return
	}
	w.missing = missing
	for _, j := range w.jobs {
		if missing {
			j.missing++
		} else {
			j.missing--
		}
	}
}

// gone lets others be asked for what c was.
func (f *Fetcher) gone(c *Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.peer(c)
	if p == nil {
		return
	}
	f.peers = slices.DeleteFunc(f.peers, func(q *peer) bool { return q == p })
	f.ground(p)
	f.pullAll()
}

// ground takes from p, which is silent or gone, what it was asked for. Perhaps it was the last that might have had what
// waits; where it came first by rank, others may be asked now.
func (f *Fetcher) ground(p *peer) {
	flight := p.flight
	p.flight = nil
	for _, w := range flight {
		f.release(p, w)
	}
	for _, w := range f.queue {
		if w != nil {
			f.lookMissing(w)
		}
	}
	if f.rank != nil {
		for _, q := range f.peers {
			q.next = 0
		}
	}
}

// arm lets time pass while something is wanted; f.mu is held.
func (f *Fetcher) arm() {
	if f.stop == nil && len(f.wishes) > 0 && !f.closed {
		f.stop = f.clock.AfterFunc(tick, f.onTick)
	}
}

// onTick finds silent peers, forgets old refusals, and gives idle peers what others are slow with.
func (f *Fetcher) onTick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop = nil
	now := f.clock.Now()
	for _, p := range f.peers {
		_, silent := p.conn.load(now)
		if silent && !p.silent {
			p.silent = true
			f.ground(p)
		}
		switch {
		case len(p.no) == 0:
			p.retry = retryMin
		case !now.Before(p.retryAt):
			p.retry = min(2*p.retry, retryMax)
			p.forget()
		}
	}
	f.pullAll()
	for _, p := range f.peers {
		f.steal(p, now)
	}
	f.arm()
}

// owed is how many bytes came for nothing since it was called last.
func (f *Fetcher) owed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.debt
	f.debt = 0
	return n
}

// steal asks an idle peer for what others, who do not wait for us, were asked for long ago. There is no way to take a GET
// back: what comes twice costs traffic, so it is only a few at a time, and of each the second time only.
func (f *Fetcher) steal(p *peer, now time.Time) {
	if asked, _ := p.conn.load(now); asked > 0 || p.silent {
		return
	}
	var ids []blob.ID
	for _, q := range f.peers {
		if q.conn.isHeldUp() {
			continue
		}
		for _, w := range q.flight {
			if len(ids) == MaxAsked/8 || now.Sub(w.since) < stealTime {
				break
			}
			if q != p && len(w.asked) == 1 && f.mayAsk(p, w) {
				f.ask(p, w)
				ids = append(ids, w.id)
			}
		}
	}
	f.send(p, ids)
}
