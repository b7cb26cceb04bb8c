package bt

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
)

// How a meeting heard of a peer.
const (
	SourceStatic   = "static" // named in MeetOptions
	SourceTold     = "told"   // by AddPeers
	SourceTracker  = "tracker"
	SourceDHT      = "dht"
	SourceLPD      = "lpd"
	SourceIncoming = "incoming" // it dialled us
)

const (
	meetBookSize  = 2000
	meetLongest   = 5 * time.Minute  // longest wait before a peer is dialled again
	meetSteady    = 30 * time.Second // a connection that lasted so long makes the next wait short again
	strangerTries = 8                // dials in vain after which a peer is forgotten that strangers told of
)

// MeetPeer is what a meeting knows of an address.
type MeetPeer struct {
	Addr      string // host:port
	Source    string // one of the Source constants
	Connected bool
	Accepted  bool      // connected, and the caller has accepted it
	Tries     int       // dials since it last proved steady
	Next      time.Time // when it is dialled again; zero while connected
}

// meetBook remembers where peers of a meeting are, and dials those that are not connected, each after a wait that
// doubles from 1 s to 5 min. It sleeps until one is due.
type meetBook struct {
	m    *Meeting
	wake chan struct{}

	mu    sync.Mutex           // guards what follows
	peers map[string]*meetPeer // by host:port as it was told
}

type meetPeer struct {
	source string
	addr   string // that was dialled: of a host name, what it led to
	tries  int
	next   time.Time // not before
	conn   *MeetConn // the connection to it, or to the same node by another way
	proven bool      // the caller accepted it once
}

func newMeetBook(m *Meeting) *meetBook {
	b := &meetBook{m: m, wake: make(chan struct{}, 1), peers: map[string]*meetPeer{}}
	for _, addr := range m.opts.Peers {
		addr, err := SanitizePeer(addr)
		if err != nil {
			m.c.log.Warn("peer not used", "err", err)
			continue
		}
		b.peers[addr] = &meetPeer{source: SourceStatic}
	}
	return b
}

func (b *meetBook) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// add hears of addresses. A full book drops those that failed most.
func (b *meetBook) add(source string, peers []netip.AddrPort) {
	b.mu.Lock()
	for _, p := range peers {
		if !usablePeer(p) || b.m.opts.LocalOnly && !isLocal(p.Addr()) {
			continue
		}
		key := unmapPort(p).String()
		if old := b.peers[key]; old != nil {
			if source == SourceTold && old.source != SourceStatic {
				old.source = source
			}
			if source == SourceLPD && old.conn == nil {
				old.next = earlier(old.next, time.Now().Add(redialFirst)) // it has just shown that it is there
			}
		} else if len(b.peers) < meetBookSize || b.dropWorst() {
			b.peers[key] = &meetPeer{source: source}
		}
	}
	b.mu.Unlock()
	b.nudge()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// dropWorst makes room for one address; it reports false when none has failed yet. The caller holds mu.
func (b *meetBook) dropWorst() bool {
	worst, tries := "", 1
	for key, p := range b.peers {
		if p.source != SourceStatic && p.conn == nil && p.tries > tries {
			worst, tries = key, p.tries
		}
	}
	delete(b.peers, worst)
	return worst != ""
}

func (b *meetBook) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-b.wake:
		case <-b.m.ctx.Done():
			return
		}
		timer.Reset(b.dial(time.Now()))
	}
}

// dial dials the peers that are due, and returns how long it is until the next one is.
func (b *meetBook) dial(now time.Time) time.Duration {
	var due []string
	next := now.Add(time.Hour)
	b.mu.Lock()
	for key, p := range b.peers {
		if p.conn != nil {
			continue
		}
		if !now.Before(p.next) {
			if p.tries >= strangerTries && p.isStranger() {
				delete(b.peers, key)
				continue
			}
			p.next = now.Add(redialWait(p.tries))
			p.tries++
			due = append(due, key)
		}
		next = earlier(next, p.next)
	}
	b.mu.Unlock()
	for _, key := range due {
		b.dialOne(key)
	}
	return max(next.Sub(now), 10*time.Millisecond)
}

// isStranger reports whether nobody we know vouches for the address.
func (p *meetPeer) isStranger() bool {
	return !p.proven && p.source != SourceStatic && p.source != SourceTold
}

func redialWait(tries int) time.Duration {
	return jitter(min(redialFirst<<min(tries, 10), meetLongest))
}

// dialOne gives an address to the library, which dials it in its own time.
func (b *meetBook) dialOne(key string) {
	if ap, err := netip.ParseAddrPort(key); err == nil || b.m.c.cfg.Proxy != "" {
		if err == nil && b.m.bans(ap.Addr()) {
			return
		}
		b.offer(key, key)
		return
	}
	// A name server may take its time, and need not hold up the others.
	b.m.wg.Go(func() {
		ctx, cancel := context.WithTimeout(b.m.ctx, 10*time.Second)
		defer cancel()
		names := b.m.c.net.resolver()
		if b.m.opts.LocalOnly {
			names = b.m.c.net.localResolver()
		}
		addrs, err := b.m.c.net.resolveBy(ctx, names, key)
		if err != nil || len(addrs) == 0 {
			b.m.c.log.Debug("looking up peer", "peer", key, "err", err)
			return
		}
		a := unmapPort(addrs[0])
		if !b.m.bans(a.Addr()) {
			b.offer(key, a.String())
		}
	})
}

func (b *meetBook) offer(key, addr string) {
	there := b.m.dialledTo(addr)
	b.mu.Lock()
	if p := b.peers[key]; p != nil {
		p.addr, p.conn = addr, there
	}
	b.mu.Unlock()
	if there != nil {
		return
	}
	peer := torrent.PeerInfo{Addr: torrent.StringAddr(addr), Source: torrent.PeerSourceDirect, Trusted: true}
	b.m.c.unlimited(func() { b.m.lib.AddPeers([]torrent.PeerInfo{peer}) })
}

// dialledTo is the connection that was made to an address, nil when there is none.
func (m *Meeting) dialledTo(addr string) *MeetConn {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		if c.dialled && peerKey(c.pc.RemoteAddr.String()) == addr && c.ctx.Err() == nil {
			return c
		}
	}
	return nil
}

// bans reports whether an address is refused.
func (m *Meeting) bans(a netip.Addr) bool {
	if m.opts.LocalOnly && !isLocal(a) {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.isBanned(a.Unmap(), time.Now())
}

// of are the entries of an address that was dialled. The caller holds mu.
func (b *meetBook) of(c *MeetConn) (out []*meetPeer) {
	if !c.dialled {
		return nil
	}
	addr := peerKey(c.pc.RemoteAddr.String())
	if p := b.peers[addr]; p != nil {
		out = append(out, p)
	}
	for key, p := range b.peers {
		if p.source == SourceStatic && key != addr && p.addr == addr {
			out = append(out, p)
		}
	}
	return out
}

// met hears of a new connection. The library's lock is held.
func (b *meetBook) met(c *MeetConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.of(c) {
		if p.conn == nil {
			p.conn = c
		}
	}
}

// accepted hears that the caller accepted a connection.
func (b *meetBook) accepted(c *MeetConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.of(c) {
		p.proven = true
	}
}

// same hears that a connection leads where keep leads, so that its address need not be dialled.
func (b *meetBook) same(c, keep *MeetConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if keep.ctx.Err() != nil {
		return
	}
	for _, p := range b.of(c) {
		p.conn, p.proven = keep, true
	}
}

// lost hears that a connection is over. The library's lock may be held.
func (b *meetBook) lost(c *MeetConn) {
	now, steady := time.Now(), c.isAccepted() && time.Since(c.since) >= meetSteady
	b.mu.Lock()
	for _, p := range b.peers {
		if p.conn != c {
			continue
		}
		p.conn = nil
		if steady {
			p.tries = 0
		}
		// The first try counts from when it was dialled; this one from the loss.
		p.next = now.Add(redialWait(max(p.tries-1, 0)))
	}
	b.mu.Unlock()
	b.nudge()
}

// list is what is known of each address.
func (b *meetBook) list() []MeetPeer {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]MeetPeer, 0, len(b.peers))
	for key, p := range b.peers {
		mp := MeetPeer{Addr: key, Source: p.source, Tries: p.tries, Next: p.next}
		if p.conn != nil {
			mp.Connected, mp.Accepted, mp.Next = true, p.conn.isAccepted(), time.Time{}
		}
		out = append(out, mp)
	}
	return out
}
