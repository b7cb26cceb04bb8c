package node

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/wire"
)

// swarm is the peers of a share that are connected, and what is said to them.
type swarm struct {
	e       *engine
	config  api.ShareConfig // as it was at the start
	fetcher *wire.Fetcher
	index   *indexer
	data    *wire.Job
	wake    chan struct{} // the state that peers are told of may have changed

	beside sync.WaitGroup // what answers peers

	mu       sync.Mutex // guards what follows
	ended    bool       // nothing may be spawned
	meeting  Meeting    // nil at first
	peers    map[peerID]*peer
	said     wire.State // last told
	whole    [32]byte   // the frontier of which a peer last said that it wants nothing more, also one that has left; zero = none
	failures failures   // of handshakes, by address
	others   others
	moves    map[blob.ID]bool // MOVEDs that are being fetched, or are known
}

// peerID is a process: a key, and which of those that have it. A machine that was cloned is as many peers as it has clones,
// and one that was started again is not kept out by what is left of its last connection.
type peerID struct {
	pk  [32]byte
	run [8]byte
}

// peer is a connected node.
type peer struct {
	pk    [32]byte
	conn  *wire.Conn
	link  Link
	since time.Time
	local bool // the share is for the local network alone

	// Guarded by swarm.mu.
	state    wire.State
	hasState bool
	heads    map[blob.ID]bool // that it has announced
	told     bool             // our state, as it is now
	wants    int              // WANTs that are being looked at
	keeps    int              // KEEPs that wait for an answer
	moves    int              // MOVEDs that it has named
}

func idOf(c *wire.Conn) peerID { return peerID{c.Hello().PK, c.Hello().Run} }

func (p *peer) id() peerID { return idOf(p.conn) }

func newSwarm(e *engine) *swarm {
	s := &swarm{e: e, config: parseConfig(e.row.Options), fetcher: wire.NewFetcher(wire.FetcherOptions{Pace: e.taking}), peers: map[peerID]*peer{}, wake: make(chan struct{}, 1)}
	s.index = newIndexer(s)
	bring := e.brought
	if e.store != nil {
		bring = e.store.take
	}
	s.data = s.fetcher.NewLasting(bring, e.missed, e.poke)
	return s
}

// run meets peers until the engine ends.
func (s *swarm) run() {
	e := s.e
	config := s.config
	defer s.fetcher.Close()
	for {
		m, err := e.node.net.Meet(e.ctx, MeetOptions{InfoHash: e.keys.Rendezvous, Extension: e.keys.Extension,
			Trackers: slices.Concat(config.Trackers, e.node.trackers), Hosts: slices.Concat(config.Hosts, e.node.hosts), LANOnly: config.LANOnly}, s.meet)
		if err == nil {
			s.mu.Lock()
			s.meeting = m
			s.mu.Unlock()
			break
		}
		e.log.Error("peers cannot be met", "why", err)
		if !sleep(e.ctx, 10*time.Second) {
			return
		}
	}
	m := s.meets()
	m.AddPeers(s.remembered())
	var wg sync.WaitGroup
	wg.Go(func() { s.index.run(e.ctx) })
	wg.Go(func() { s.runData() })
	wg.Go(s.tell)
	<-e.ctx.Done()
	m.Close()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.beside.Wait()
	wg.Wait()
}

// spawn runs f beside, unless the swarm is ending; the end waits for it.
func (s *swarm) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.beside.Go(f)
	}
}

// meets is the meeting; nil while there is none yet.
func (s *swarm) meets() Meeting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meeting
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// runData fetches what is ordered, to the end.
func (s *swarm) runData() {
	if err := s.data.Run(s.e.ctx); err != nil && s.e.ctx.Err() == nil {
		s.e.log.Error("fetching stopped", "why", err)
	}
}

// wantData orders a blob from whoever has it.
func (s *swarm) wantData(id blob.ID) { s.data.Want(id) }

// remembered are addresses where members were met before.
func (s *swarm) remembered() (addrs []netip.AddrPort) {
	_ = s.e.node.db.View(s.e.ctx, func(t *db.Tx) error {
		all, err := t.Peers(s.e.n, 100)
		if l := s.e.link; l != nil { // who is in the share that the link is in, or leads to, may be in this one
			for _, n := range []int64{l.In, l.Of} {
				more, _ := t.Peers(n, 100)
				all = append(all, more...)
			}
		}
		for _, p := range all {
			if a, err := netip.ParseAddrPort(p.Addr); err == nil {
				addrs = append(addrs, a)
			}
		}
		return err
	})
	return addrs
}

// meet makes a member of a connection, and serves it to its end.
func (s *swarm) meet(link Link) {
	e := s.e
	c, err := wire.Open(e.ctx, link, wire.Config{Keys: e.keys, Identity: e.self, Hello: s.hello, Serve: e.serveLimited, Pace: e.sending, Run: e.node.run, Handler: s, Counters: &e.counters})
	if err != nil {
		s.metOther(link.RemoteAddr().Addr(), err)
		e.log.Debug("a connection came to nothing", "addr", link.RemoteAddr(), "why", err)
		return
	}
	link.Accept()
	p := &peer{pk: c.Hello().PK, conn: c, link: link, since: e.node.now(), local: s.config.LANOnly, heads: map[blob.ID]bool{}}
	if keep := s.enter(p); keep != nil {
		link.CloseFor(keep)
		return
	}
	defer s.leave(p)
	s.fetcher.Add(c)
	defer s.fetcher.Remove(c)
	s.spawn(func() { s.greeted(p) })
	err = c.Run(e.ctx)
	e.log.Debug("a peer is gone", "addr", c.RemoteAddr(), "why", err)
}

// wrongSecret bans an address after the third failure in a minute (docs/shares.md §5.2).
func (s *swarm) wrongSecret(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures.third(a, s.e.node.now()) && s.meeting != nil {
		s.meeting.Ban(a, banWrong)
	}
}

// failures are handshakes that failed, by address. The zero value has none.
type failures map[netip.Addr][]time.Time

// third notes one more, and reports whether it is the third in a minute; then they are counted anew.
func (f *failures) third(a netip.Addr, now time.Time) bool {
	if *f == nil || len(*f) > 4096 {
		*f = failures{}
	}
	recent := append(slices.DeleteFunc((*f)[a], func(t time.Time) bool { return now.Sub(t) > time.Minute }), now)
	if len(recent) >= 3 {
		delete(*f, a)
		return true
	}
	(*f)[a] = recent
	return false
}

// enter adds a peer. When there are two connections to it, both sides keep the same: the link of the one that stays, when
// that is not the new one.
func (s *swarm) enter(p *peer) (keep Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.peers[p.id()]; old != nil {
		if !wire.Stays(s.e.pk, p.pk, p.conn.Dialled()) {
			return old.link
		}
		old.link.CloseFor(p.link)
	}
	s.peers[p.id()] = p
	return nil
}

func (s *swarm) leave(p *peer) {
	s.mu.Lock()
	if s.peers[p.id()] == p {
		delete(s.peers, p.id())
	}
	s.mu.Unlock()
	s.index.left(p)
	s.e.promise.waiting.left(p.conn)
	s.e.node.transfers.left(p.conn.RemoteAddr().Addr())
	s.e.stir()
}

// addrs are where a peer can be dialled.
func (p *peer) addrs() (all []netip.AddrPort) {
	at := p.conn.RemoteAddr()
	if p.conn.Dialled() {
		all = append(all, at)
	}
	for _, a := range p.conn.Hello().Addrs {
		if a.Addr().IsUnspecified() { // "wherever you see me"
			a = netip.AddrPortFrom(at.Addr(), a.Port())
		}
		if p.local && !isLocal(a.Addr()) { // whoever says so: nothing of the share leaves the local network
			continue
		}
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func (s *swarm) remember(p *peer) {
	e := s.e
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for _, a := range p.addrs() {
			if err := t.PutPeer(e.n, &db.Peer{Addr: a.String(), PK: p.pk[:], Last: e.node.now()}); err != nil {
				return err
			}
		}
		return t.TrimPeers(e.n)
	})
	if err != nil && e.ctx.Err() == nil {
		e.log.Warn("an address is not remembered", "why", err)
	}
}

// Message takes what a peer says; it does not block.
func (s *swarm) Message(c *wire.Conn, m wire.Message) {
	p := s.byConn(c)
	if p == nil {
		return
	}
	switch m := m.(type) {
	case *wire.Heads:
		s.heard(p, m.IDs)
	case *wire.State:
		s.mu.Lock()
		p.state, p.hasState = *m, true
		if m.Want == 0 {
			s.whole = m.Frontier
		}
		s.mu.Unlock()
		s.fetcher.Retry(c)
		s.e.stir()
	case *wire.Want:
		if !s.begin(&p.wants, maxWants) {
			_ = c.Send(&wire.No{IDs: []blob.ID{m.ID}, Want: true})
			return
		}
		s.spawn(func() {
			defer s.end(&p.wants)
			s.e.wanted(p, m.ID)
		})
	case *wire.Keep:
		s.e.promise.asked(p, m)
	case *wire.Kept:
		s.e.promise.waiting.end(c, m.N, m)
	case *wire.Moved:
		s.spawn(func() { s.heardMoved(p, m.ID) })
	case *wire.Peers:
		if meeting := s.meets(); meeting != nil {
			meeting.AddPeers(m.Addrs)
		}
	}
}

// maxWants is how many WANTs of one peer are looked at at a time; more are refused.
const maxWants = 64

// begin counts one more of what a peer keeps this node busy with, unless there are too many; end counts it off.
func (s *swarm) begin(n *int, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *n >= most {
		return false
	}
	*n++
	return true
}

func (s *swarm) end(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n--
}

// Lied notes that a peer sent something else than it was asked for.
func (s *swarm) Lied(c *wire.Conn, id blob.ID) {
	s.e.log.Warn("a peer sent a wrong blob", "addr", c.RemoteAddr(), "id", id)
}

func (s *swarm) byConn(c *wire.Conn) *peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.peers[idOf(c)]; p != nil && p.conn == c {
		return p
	}
	return nil
}

// heard takes note of heads that a peer has.
func (s *swarm) heard(p *peer, ids []blob.ID) {
	s.mu.Lock()
	for _, id := range ids {
		if len(p.heads) < 4096 {
			p.heads[id] = true
		}
	}
	s.mu.Unlock()
	s.fetcher.Retry(p.conn)
	s.index.want(p, ids)
	if s.byConn(p.conn) == nil { // it has left meanwhile
		s.index.left(p)
	}
}

// hasTold reports whether a peer has said that it has a head.
func (s *swarm) hasTold(p *peer, id blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.heads[id]
}

func (s *swarm) all() (all []*peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *peer) int {
		x, y := a.id(), b.id()
		return cmp.Or(slices.Compare(x.pk[:], y.pk[:]), slices.Compare(x.run[:], y.run[:]))
	})
	return all
}
