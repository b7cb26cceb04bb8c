package wire

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"shoal/share/blob"
)

// Times of a Fetcher.
const (
	tick      = time.Second
	stealTime = 2 * time.Second // an id that was asked for so long ago may be asked of an idle peer too
	retryMin  = 2 * time.Second // a peer that refused is asked again after this, then after twice as long, …
	retryMax  = time.Minute
)

// FetcherOptions are those of NewFetcher; the zero value will do.
type FetcherOptions struct {
	Clock Clock // nil: System
	// Rank orders peers for an id: one is asked only when all present peers of smaller rank have refused or are silent
	// (docs/shares.md §5.4: holders that placement predicts come first). It is pure, and called with locks held. nil:
	// whoever has room.
	Rank func(id blob.ID, c *Conn) int
	// Pace waits until n bytes that have come may be used, before they are: only then does the peer send more. An error
	// is one of the sink. nil: at once.
	Pace func(ctx context.Context, n int) error
}

// A Fetcher gets blobs from all peers of one share. Each peer with room takes the ids that have waited longest, so that
// who is faster gets more; an id goes on to the next peer on NO, after SilentTimeout without anything from the peer, or
// when the peer leaves. A peer that refused an id is asked again later, with growing patience, or when Retry says so.
type Fetcher struct {
	clock Clock
	rank  func(id blob.ID, c *Conn) int
	pace  func(ctx context.Context, n int) error

	mu      sync.Mutex // guards what follows and the fields of peers, wishes and jobs; taken before that of a Conn
	peers   []*peer
	wishes  map[blob.ID]*wish
	queue   []*wish // a wish is at queue[wish.at]; other entries of it are void
	waiting int     // wishes in the queue
	stop    func()  // of the timer; nil when none runs
	closed  bool
	debt    int // bytes that came and were no use, for which nobody has waited yet; who uses a blob next does
}

// A wish is an id that some job wants.
type wish struct {
	id      blob.ID
	jobs    []*Job
	at      int       // in the queue; -1 while it is asked for
	asked   []*peer   // who was asked and has not answered
	since   time.Time // when it was asked for last
	missing bool      // it was reported that nobody has it
}

// A peer is a Conn that is asked.
type peer struct {
	conn   *Conn
	next   int                  // of the queue: what is before was offered to this peer
	flight []*wish              // what it was asked for, oldest first
	no     map[blob.ID]struct{} // what it refused
	liar   map[blob.ID]struct{} // what it gave something else for: it is never asked for these again
	silent bool                 // it is not asked before it says something

	retryAt time.Time // when no is forgotten
	retry   time.Duration
}

var errFetcherClosed = errors.New("the fetcher is closed")

// NewFetcher is a Fetcher without peers.
func NewFetcher(opts FetcherOptions) *Fetcher {
	if opts.Clock == nil {
		opts.Clock = System{}
	}
	return &Fetcher{clock: opts.Clock, rank: opts.Rank, pace: opts.Pace, wishes: make(map[blob.ID]*wish)}
}

// Add makes c a peer until it is over. A Conn has one Fetcher at most: false when it has another, or is over.
func (f *Fetcher) Add(c *Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || !c.attach(f) {
		return false
	}
	p := &peer{conn: c, no: make(map[blob.ID]struct{}), liar: make(map[blob.ID]struct{}), retry: retryMin}
	f.peers = append(f.peers, p)
	for _, w := range f.wishes {
		f.setMissing(w, false)
	}
	f.pull(p)
	return true
}

// Remove ends what Add began; ids on their way from c are asked of others.
func (f *Fetcher) Remove(c *Conn) {
	c.detach()
	f.gone(c)
}

// Retry forgets what c refused: its STATE or HEADS say that it has something new.
func (f *Fetcher) Retry(c *Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.peer(c); p != nil {
		p.retry = retryMin
		p.forget()
		f.pull(p)
	}
}

// Close ends all jobs, and lets go of all peers, which it does not close.
func (f *Fetcher) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, p := range f.peers {
		p.conn.detach()
	}
	f.peers = nil
	for _, w := range f.wishes {
		for _, j := range w.jobs {
			j.fail(errFetcherClosed)
		}
	}
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

func (f *Fetcher) peer(c *Conn) *peer {
	for _, p := range f.peers {
		if p.conn == c {
			return p
		}
	}
	return nil
}

// forget lets a peer be asked again for what it refused.
func (p *peer) forget() {
	clear(p.no)
	p.next = 0
}

func (p *peer) has(w *wish) bool {
	_, no := p.no[w.id]
	_, liar := p.liar[w.id]
	return !no && !liar && !p.silent
}

// enqueue lets a wish wait for a peer; f.mu is held.
func (f *Fetcher) enqueue(w *wish) {
	w.at = len(f.queue)
	f.queue = append(f.queue, w)
	f.waiting++
	if len(f.queue) > 2*f.waiting+1024 {
		f.compact()
	}
}

// compact removes void entries.
func (f *Fetcher) compact() {
	n := 0
	moved := make([]int, len(f.queue)+1) // where an index of a peer goes
	for i, w := range f.queue {
		moved[i] = n
		if w != nil && w.at == i {
			f.queue[n], w.at = w, n
			n++
		}
	}
	moved[len(f.queue)] = n
	clear(f.queue[n:])
	f.queue = f.queue[:n]
	for _, p := range f.peers {
		p.next = moved[p.next]
	}
}

// dequeue makes the entry of a wish void.
func (f *Fetcher) dequeue(w *wish) {
	if w.at >= 0 {
		f.queue[w.at] = nil
		w.at = -1
		f.waiting--
	}
}

// pullAll gives all peers something to do; f.mu is held.
func (f *Fetcher) pullAll() {
	for _, p := range f.peers {
		f.pull(p)
	}
}

// pull asks a peer for what waits, when at least half of its room is free, so that ids travel many at a time. What is
// left is shared out.
func (f *Fetcher) pull(p *peer) {
	asked := 0
	if f.waiting == 0 || p.silent || p.next >= len(f.queue) {
		return
	}
	if asked, _ = p.conn.load(time.Time{}); asked > MaxAsked/2 {
		return
	}
	room := min(MaxAsked-asked, f.waiting/len(f.peers)+1)
	ids := make([]blob.ID, 0, room)
	for ; p.next < len(f.queue) && len(ids) < room; p.next++ {
		w := f.queue[p.next]
		if w == nil || w.at != p.next || !f.mayAsk(p, w) {
			continue
		}
		f.dequeue(w)
		f.ask(p, w)
		ids = append(ids, w.id)
	}
	f.send(p, ids)
}

func (f *Fetcher) ask(p *peer, w *wish) {
	w.asked = append(w.asked, p)
	w.since = f.clock.Now()
	p.flight = append(p.flight, w)
}

// send asks; an error ends the connection, and gone brings the ids back.
func (f *Fetcher) send(p *peer, ids []blob.ID) {
	if len(ids) > 0 {
		_ = p.conn.get(ids)
	}
}

// mayAsk reports whether p may be asked for w now.
func (f *Fetcher) mayAsk(p *peer, w *wish) bool {
	if !p.has(w) || p.conn.isAsked(w.id) {
		return false
	}
	if f.rank == nil {
		return true
	}
	r := f.rank(w.id, p.conn)
	return !slices.ContainsFunc(f.peers, func(q *peer) bool {
		return q != p && q.has(w) && f.rank(w.id, q.conn) < r
	})
}
