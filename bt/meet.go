package bt

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// Bounds of what strangers can make a meeting hold. A connection costs some 300 KiB.
const (
	meetMaxConns    = 200 // connections that the caller accepted
	meetMaxNew      = 64  // connections that it has not accepted yet
	meetMaxNewPerIP = 16  // of those from one address: a household may come at once
	meetMaxBans     = 4096
	meetPatience    = 10 * time.Second // docs/shares.md §5.1
)

// MeetOptions say where to meet, and how to talk.
type MeetOptions struct {
	InfoHash  InfoHash // names the swarm; it need not be the hash of anything
	Extension string   // name of the BEP 10 extension that carries frames, 1 to 64 bytes; not one that others use
	Trackers  []string // announce URLs to ask besides the DHT and local discovery
	Peers     []string // host:port, dialled for as long as the meeting lasts

	// OnConn is called, in a goroutine of its own, for each connection to a peer that offers the extension: the
	// handshakes of BEP 3 and 10 are done, and no frame has been sent. It must call Accept in time. Meeting.Close waits
	// for it to return, so it must not call that, and must return once the connection is over.
	OnConn func(*MeetConn)

	LocalOnly bool // no tracker, no DHT, and only peers with local addresses, as Config.LANOnly of one meeting

	Patience time.Duration // how long a connection may last that is not accepted; 0 = 10 s
}

// A Meeting is a swarm without a torrent: its peers exchange the caller's frames, and no data (docs/shares.md §5.1).
// Who knows the infohash can connect, learns the name of the extension, and is cut off unless the caller accepts it.
type Meeting struct {
	c    *Client
	sess *session
	opts MeetOptions
	lib  *torrent.Torrent
	book *meetBook

	ctx      context.Context // done when the meeting ends
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	trackers *announcer // nil without trackers
	once     sync.Once  // closes

	mu     sync.Mutex // guards what follows; the library's lock may be held before it, never after
	conns  map[*MeetConn]bool
	banned map[netip.Addr]time.Time // until when
	closed bool
}

// Meet joins a swarm, and looks for its peers wherever Config allows: local discovery, the DHT, trackers and the given
// ones. The session must require encryption (Usage), and have no other business with the infohash (Busy). ctx bounds
// only the start.
func (c *Client) Meet(ctx context.Context, opts MeetOptions) (*Meeting, error) {
	if opts.Extension == "" || len(opts.Extension) > 64 || strings.HasPrefix(opts.Extension, "ut_") {
		return nil, errorf(Usage, "meeting: %q is no name for an extension of ours", opts.Extension)
	}
	if opts.InfoHash.IsZero() || opts.OnConn == nil {
		return nil, errorf(Usage, "meeting: without an infohash, or nobody to take connections")
	}
	if opts.Patience <= 0 {
		opts.Patience = meetPatience
	}
	sess, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	m := &Meeting{c: c, sess: sess, opts: opts, conns: map[*MeetConn]bool{}, banned: map[netip.Addr]time.Time{}}
	m.ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.book = newMeetBook(m)
	if err := c.keepDoor(opts.InfoHash, m); err != nil {
		m.cancel()
		return nil, err
	}
	lt, isNew := sess.lib.AddTorrentOpt(torrent.AddTorrentOpts{InfoHash: [20]byte(opts.InfoHash), Storage: noStorage{}})
	if !isNew {
		m.cancel()
		c.keepers.Delete(opts.InfoHash)
		return nil, errorf(Busy, "meeting: %s is a torrent of this session", opts.InfoHash)
	}
	m.lib = lt
	// Full, the library would cut off those that were there longest; meet keeps count instead.
	lt.SetMaxEstablishedConns(1 << 16)
	m.findPeers()
	if !opts.LocalOnly {
		c.wantPorts(sess)
	}
	m.wg.Go(m.book.run)
	if err := sess.enter(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// findPeers starts looking for peers wherever the session allows.
func (m *Meeting) findPeers() {
	h := m.opts.InfoHash
	if len(m.opts.Trackers) > 0 && !m.c.cfg.LANOnly && !m.opts.LocalOnly {
		var tiers [][]string
		for _, t := range m.opts.Trackers {
			tiers = append(tiers, []string{t})
		}
		m.trackers = newAnnouncer(m.sess.trackers, announcerConfig{
			InfoHash: h, PeerID: m.sess.lib.PeerID(), Port: uint16(m.sess.port), Tiers: tiers,
			OnPeers: func(p []netip.AddrPort) { m.book.add(SourceTracker, p) },
			Stats:   func() (up, down, left int64) { return 0, 0, 1 }, // a seed might be told of no other
			Hungry:  func() bool { return m.accepted() == 0 },
		})
		m.wg.Go(func() { m.trackers.run(m.ctx) })
	}
	if m.sess.dht != nil && !m.opts.LocalOnly {
		m.sess.dht.begin()
		m.wg.Go(func() {
			m.sess.dht.announce(m.ctx, h, uint16(m.sess.port), func(p []netip.AddrPort) { m.book.add(SourceDHT, p) })
		})
	}
	if m.sess.lpd != nil {
		m.sess.lpd.add(h, func(p netip.AddrPort) { m.book.add(SourceLPD, []netip.AddrPort{p}) })
	}
}

// meet is told of a connection, see doorkeeper.
func (m *Meeting) meet(pc *torrent.PeerConn) door {
	c := newMeetConn(m, pc)
	if !m.seat(c) {
		c.end(errRefused)
		return refuse(pc)
	}
	pc.LocalLtepProtocolMap = &torrent.LocalLtepProtocolMap{
		Index: []pp.ExtensionName{pp.ExtensionNameMetadata, pp.ExtensionName(m.opts.Extension)}, NumBuiltin: 1,
	}
	c.begin()
	m.book.met(c)
	return c
}

// seat takes a new connection in, if there is room for it.
func (m *Meeting) seat(c *MeetConn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.isBanned(c.addr.Addr(), time.Now()) || m.opts.LocalOnly && !isLocal(c.addr.Addr()) {
		return false
	}
	accepted, fresh, same := 0, 0, 0
	for other := range m.conns {
		switch {
		case other.isAccepted():
			accepted++
		case other.addr.Addr() == c.addr.Addr() && !other.dialled:
			same++
			fallthrough
		default:
			fresh++
		}
	}
	// Strangers must not keep us from dialling those we know.
	if accepted >= meetMaxConns || !c.dialled && (fresh >= meetMaxNew || same >= meetMaxNewPerIP) {
		return false
	}
	m.conns[c] = true
	return true
}

// offered hears that a peer offers the extension. The library's lock is held.
func (m *Meeting) offered(c *MeetConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.wg.Go(func() { m.opts.OnConn(c) })
	}
}

// lost forgets a connection that is over.
func (m *Meeting) lost(c *MeetConn) {
	m.mu.Lock()
	delete(m.conns, c)
	m.mu.Unlock()
	m.book.lost(c)
}

// accepted is how many connections there are that the caller accepted.
func (m *Meeting) accepted() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		if c.isAccepted() {
			n++
		}
	}
	return n
}

// AddPeers tells of peers: they are dialled, and again with growing waits.
func (m *Meeting) AddPeers(peers []netip.AddrPort) { m.book.add(SourceTold, peers) }

// Ban refuses an address for a while: no connection from or to it is made, and those that are not accepted yet end.
func (m *Meeting) Ban(addr netip.Addr, d time.Duration) {
	addr, now := addr.Unmap(), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.banned) >= meetMaxBans {
		for a, until := range m.banned {
			if !now.Before(until) || len(m.banned) >= meetMaxBans {
				delete(m.banned, a)
			}
		}
	}
	m.banned[addr] = now.Add(d)
	for c := range m.conns {
		if c.addr.Addr() == addr && !c.isAccepted() {
			c.end(errRefused)
		}
	}
}

// isBanned reports whether an address is refused. The caller holds mu.
func (m *Meeting) isBanned(a netip.Addr, now time.Time) bool {
	until, ok := m.banned[a]
	return ok && now.Before(until)
}

// Trackers is what each tracker last said.
func (m *Meeting) Trackers() []TrackerStatus {
	if m.trackers == nil {
		return nil
	}
	return m.trackers.status()
}

// Peers are the addresses known, and the connections there are, in no order.
func (m *Meeting) Peers() []MeetPeer {
	peers := m.book.list()
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		if !c.dialled {
			peers = append(peers, MeetPeer{Addr: c.addr.String(), Source: SourceIncoming, Connected: true,
				Accepted: c.isAccepted()})
		}
	}
	return peers
}

// stop ends all connections and goroutines, see member.
func (m *Meeting) stop() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
}

func (m *Meeting) wait() { m.wg.Wait() }

// Close leaves the swarm, and returns after the last goroutine and the last OnConn. It may be called twice.
func (m *Meeting) Close() error {
	m.once.Do(func() {
		m.stop()
		if m.sess.lpd != nil {
			m.sess.lpd.remove(m.opts.InfoHash)
		}
		m.lib.Drop()
		m.wait()
		m.sess.left(m)
		m.c.keepers.Delete(m.opts.InfoHash)
	})
	return nil
}

var (
	errRefused = errors.New("the peer is refused")
	errLate    = errors.New("the peer did not prove itself in time")
)
