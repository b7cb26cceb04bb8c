package node

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// simNet is a network in memory: every node that meets under an infohash finds the others, as far as who knows whom and
// what is cut allow it. It runs on the clock of the bubble it was made in.
type simNet struct {
	mu    sync.Mutex // guards what follows
	rnd   *rand.Rand
	hosts map[netip.AddrPort]*simHost
	apart func(a, b netip.AddrPort) bool     // those who cannot reach each other; nil = nobody
	mute  func(from, to netip.AddrPort) bool // who sends whom no piece of a torrent; nil = nobody
	delay time.Duration                      // the longest a frame travels
	links map[*simLink]bool                  // the ends of those who dialled
}

var errApart = errors.New("it cannot be reached")

func newSimNet(rnd *rand.Rand) *simNet {
	return &simNet{rnd: rnd, hosts: map[netip.AddrPort]*simHost{}, links: map[*simLink]bool{}, delay: 20 * time.Millisecond}
}

// part sets who cannot reach whom, and cuts what goes between them.
func (w *simNet) part(apart func(a, b netip.AddrPort) bool) {
	w.mu.Lock()
	w.apart = apart
	w.mu.Unlock()
	if apart != nil {
		w.cut(apart)
	}
}

// silence sets who sends whom no piece of a torrent.
func (w *simNet) silence(mute func(from, to netip.AddrPort) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute = mute
}

// cut ends the connections between some.
func (w *simNet) cut(between func(a, b netip.AddrPort) bool) {
	for _, l := range w.all() {
		if between(l.from, l.RemoteAddr()) {
			l.Cut()
		}
	}
}

// all are the ends of those who dialled, in an order that the seed decides.
func (w *simNet) all() []*simLink {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Collect(maps.Keys(w.links))
	slices.SortFunc(all, func(a, b *simLink) int {
		if c := a.from.Compare(b.from); c != 0 {
			return c
		}
		return a.RemoteAddr().Compare(b.RemoteAddr())
	})
	return all
}

// sorted are the hosts by their addresses. The caller holds mu.
func (w *simNet) sorted() (all []*simHost) {
	for _, addr := range slices.SortedFunc(maps.Keys(w.hosts), netip.AddrPort.Compare) {
		all = append(all, w.hosts[addr])
	}
	return all
}

// reaches reports whether a can dial b. The caller holds mu.
func (w *simNet) reaches(a, b netip.AddrPort) bool { return w.apart == nil || !w.apart(a, b) }

// simHost is the Net of one node.
type simHost struct {
	w    *simNet
	addr netip.AddrPort
	stop context.CancelFunc
	ctx  context.Context
	wg   sync.WaitGroup

	// Guarded by w.mu.
	closed   bool
	meetings map[[20]byte]*simMeeting
	data     map[[20]byte]*simData

	mostOpen, mostOwn, mostServed int // torrents open at once: of all, of those that fetch, of all when one was opened for others
}

// host puts a node on the network, in the place of one that was there.
func (w *simNet) host(ctx context.Context, addr netip.AddrPort) *simHost {
	h := &simHost{w: w, addr: addr, meetings: map[[20]byte]*simMeeting{}, data: map[[20]byte]*simData{}}
	h.ctx, h.stop = context.WithCancel(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts[addr] = h
	return h
}

func (h *simHost) Port() int { return int(h.addr.Port()) }

func (h *simHost) Close() error {
	h.w.mu.Lock()
	h.closed = true
	if h.w.hosts[h.addr] == h {
		delete(h.w.hosts, h.addr)
	}
	h.w.mu.Unlock()
	h.stop()
	h.w.cut(func(a, b netip.AddrPort) bool { return a == h.addr || b == h.addr })
	h.wg.Wait()
	return nil
}

// simMeeting is a host's part of a meeting.
type simMeeting struct {
	h      *simHost
	hash   [20]byte
	onLink func(Link)
	stop   context.CancelFunc
	banned map[netip.Addr]bool // guarded by w.mu
}

func (h *simHost) Meet(_ context.Context, opts MeetOptions, onLink func(Link)) (Meeting, error) {
	ctx, stop := context.WithCancel(h.ctx)
	m := &simMeeting{h: h, hash: opts.InfoHash, onLink: onLink, stop: stop, banned: map[netip.Addr]bool{}}
	h.w.mu.Lock()
	h.meetings[opts.InfoHash] = m
	wait := time.Duration(1+h.w.rnd.IntN(1000)) * time.Millisecond
	h.w.mu.Unlock()
	h.wg.Go(func() { m.dialAll(ctx, wait) })
	return m, nil
}

// dialAll dials those who are not connected, every few seconds.
func (m *simMeeting) dialAll(ctx context.Context, wait time.Duration) {
	w := m.h.w
	for sleep(ctx, wait) {
		w.mu.Lock()
		var to []*simMeeting
		for _, h := range w.sorted() {
			o := h.meetings[m.hash]
			if o != nil && h != m.h && w.reaches(m.h.addr, h.addr) && !m.banned[h.addr.Addr()] && !o.banned[m.h.addr.Addr()] && !w.linked(m, o) {
				to = append(to, o)
			}
		}
		for _, o := range to {
			w.connect(m, o)
		}
		wait = time.Second + time.Duration(w.rnd.IntN(1500))*time.Millisecond
		w.mu.Unlock()
	}
}

// linked reports whether there is a connection between two. The caller holds mu.
func (w *simNet) linked(a, b *simMeeting) bool {
	for l := range w.links {
		if l.hash == a.hash && (l.from == a.h.addr && l.RemoteAddr() == b.h.addr || l.from == b.h.addr && l.RemoteAddr() == a.h.addr) {
			return true
		}
	}
	return false
}

// connect makes a connection, and now and then the other side dials at the same moment. The caller holds mu.
func (w *simNet) connect(from, to *simMeeting) {
	w.dial(from, to)
	if w.rnd.IntN(8) == 0 {
		w.dial(to, from)
	}
}

func (w *simNet) dial(from, to *simMeeting) {
	d := time.Duration(1+w.rnd.Int64N(int64(w.delay)/1000)) * time.Microsecond
	a, b := wiretest.Pair(wiretest.Options{Dialler: from.h.addr, Listener: to.h.addr, Schedule: wiretest.Delay(wire.System{}, d)})
	l := &simLink{Link: a, from: from.h.addr, hash: from.hash}
	w.links[l] = true
	context.AfterFunc(from.h.ctx, l.Cut)
	context.AfterFunc(to.h.ctx, l.Cut)
	from.h.wg.Go(func() {
		from.onLink(l)
		l.Close()
		w.mu.Lock()
		delete(w.links, l)
		w.mu.Unlock()
	})
	to.h.wg.Go(func() {
		r := &simLink{Link: b, from: to.h.addr, hash: to.hash}
		to.onLink(r)
		r.Close()
	})
}

func (m *simMeeting) AddPeers([]netip.AddrPort) {}

func (m *simMeeting) Ban(addr netip.Addr, d time.Duration) {
	m.h.w.mu.Lock()
	defer m.h.w.mu.Unlock()
	m.banned[addr] = true
	time.AfterFunc(d, func() {
		m.h.w.mu.Lock()
		defer m.h.w.mu.Unlock()
		delete(m.banned, addr)
	})
}

func (m *simMeeting) Close() error {
	m.stop()
	m.h.w.mu.Lock()
	defer m.h.w.mu.Unlock()
	if m.h.meetings[m.hash] == m {
		delete(m.h.meetings, m.hash)
	}
	return nil
}

// simLink is one end of a connection.
type simLink struct {
	*wiretest.Link
	from netip.AddrPort
	hash [20]byte
}

func (l *simLink) Accept()       {}
func (l *simLink) CloseFor(Link) { l.Close() }
