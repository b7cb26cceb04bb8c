package bt

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"time"
)

// A trackerServer is a tracker (BEP 3, 15, 23, 48) for the torrents that it is told of, and for no other. It keeps what
// peers say of themselves in memory, a bounded number of them, and forgets who does not come back. A peer is where its
// packets come from: what it says to be its address is ignored.
type trackerServer struct {
	cfg    trackerServerConfig
	secret [32]byte // of connection ids

	mu     sync.Mutex // guards what follows
	swarms map[InfoHash]*trackedSwarm
	total  int // peers of all swarms
	swept  time.Time
}

// A trackerServerConfig says how a tracker works. The functions are called from any goroutine, and must not wait.
type trackerServerConfig struct {
	Interval time.Duration // between announces of a peer; 0 = 5 min
	MaxPeers int           // remembered of one torrent; 0 = 4000
	MaxTotal int           // remembered of all; 0 = 100,000

	// Self are the addresses of the seed of this process, for somebody at client.
	Self func(client netip.Addr) []netip.AddrPort
	// OnPeer is told of peers that want data, OnComplete of those that have all.
	OnPeer     func(h InfoHash, peer netip.AddrPort)
	OnComplete func(h InfoHash, id [20]byte, peer netip.AddrPort)

	Now func() time.Time // nil = time.Now
}

// A trackedSwarm is what is known of one torrent.
type trackedSwarm struct {
	peers     map[netip.AddrPort]*trackedPeer
	seeds     int // of peers
	completed int // how often a peer became complete
	swept     time.Time
}

type trackedPeer struct {
	id      [20]byte
	seed    bool
	expires time.Time
}

const (
	serverNumWant   = 50  // when a peer does not say
	serverMaxWant   = 200 // at most
	serverPurge     = 30 * time.Second
	serverMinimum   = time.Minute // a peer need not come sooner
	serverMaxScrape = 74          // infohashes at once, as BEP 15 has it
)

func newTrackerServer(cfg trackerServerConfig) *trackerServer {
	if cfg.Interval == 0 {
		cfg.Interval = 5 * time.Minute
	}
	if cfg.MaxPeers == 0 {
		cfg.MaxPeers = 4000
	}
	if cfg.MaxTotal == 0 {
		cfg.MaxTotal = 100_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &trackerServer{cfg: cfg, swarms: map[InfoHash]*trackedSwarm{}}
	rand.Read(t.secret[:])
	return t
}

// shorts are the infohashes that trackers and handshakes use for a torrent: two for a hybrid.
func shorts(m *Metainfo) (all []InfoHash) {
	if m.HasV1() {
		all = append(all, m.InfoHash)
	}
	if m.HasV2() {
		all = append(all, m.InfoHashV2.Short())
	}
	return all
}

// add makes the tracker know a torrent.
func (t *trackerServer) add(m *Metainfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range shorts(m) {
		if t.swarms[h] == nil {
			t.swarms[h] = &trackedSwarm{peers: map[netip.AddrPort]*trackedPeer{}}
		}
	}
}

// remove makes it forget one, with its peers.
func (t *trackerServer) remove(m *Metainfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range shorts(m) {
		if s := t.swarms[h]; s != nil {
			t.total -= len(s.peers)
			delete(t.swarms, h)
		}
	}
}

// A serverAnnounce is what a peer says.
type serverAnnounce struct {
	InfoHash InfoHash
	PeerID   [20]byte
	Peer     netip.AddrPort // unmapped
	Left     uint64
	Event    announceEvent
	NumWant  int // negative: not said
}

// A serverReply is what it is told.
type serverReply struct {
	Interval        time.Duration
	Seeds, Leechers int
	Peers           []trackedAddr
}

type trackedAddr struct {
	addr netip.AddrPort
	id   [20]byte // zero = not known
}

// errNotServed is what is said of torrents that are not ours.
const errNotServed = "torrent not served here"

// announce takes note of a peer, and tells it of others; ok is false when the torrent is not served.
func (t *trackerServer) announce(a serverAnnounce) (r serverReply, ok bool) {
	now := t.cfg.Now()
	t.mu.Lock()
	s := t.swarms[a.InfoHash]
	if s == nil {
		t.mu.Unlock()
		return r, false
	}
	t.purge(s, now)
	old := s.peers[a.Peer]
	// Who comes with nothing left need not have anything: aria2 says so, too, of a magnet whose metadata it lacks.
	complete := a.Left == 0 && (a.Event == eventCompleted || old != nil && !old.seed)
	if complete && (old == nil || !old.seed) {
		s.completed++
	}
	if a.Event == eventStopped {
		t.forget(s, a.Peer)
	} else {
		t.put(s, a, now)
	}
	r = t.reply(s, a)
	t.mu.Unlock()
	if complete && t.cfg.OnComplete != nil {
		t.cfg.OnComplete(a.InfoHash, a.PeerID, a.Peer)
	}
	if a.Left > 0 && a.Event != eventStopped && t.cfg.OnPeer != nil {
		t.cfg.OnPeer(a.InfoHash, a.Peer)
	}
	return r, true
}

// put remembers a peer if there is room or can be made. The caller holds mu.
func (t *trackerServer) put(s *trackedSwarm, a serverAnnounce, now time.Time) {
	t.forget(s, a.Peer)
	if t.total >= t.cfg.MaxTotal && now.Sub(t.swept) > serverPurge {
		t.swept = now
		for _, other := range t.swarms {
			t.purge(other, now)
		}
	}
	if len(s.peers) >= t.cfg.MaxPeers || t.total >= t.cfg.MaxTotal {
		t.evict(s)
	}
	if t.total >= t.cfg.MaxTotal {
		return
	}
	s.peers[a.Peer] = &trackedPeer{id: a.PeerID, seed: a.Left == 0, expires: now.Add(2*t.cfg.Interval + serverMinimum)}
	t.total++
	if a.Left == 0 {
		s.seeds++
	}
}

// evict forgets one of the peers that have not come for longest. The caller holds mu.
func (t *trackerServer) evict(s *trackedSwarm) {
	var oldest netip.AddrPort
	var at time.Time
	looked := 0
	for addr, p := range s.peers { // some of them, by chance
		if looked == 0 || p.expires.Before(at) {
			oldest, at = addr, p.expires
		}
		if looked++; looked == 16 {
			break
		}
	}
	t.forget(s, oldest)
}

// forget removes a peer. The caller holds mu.
func (t *trackerServer) forget(s *trackedSwarm, addr netip.AddrPort) {
	p := s.peers[addr]
	if p == nil {
		return
	}
	delete(s.peers, addr)
	t.total--
	if p.seed {
		s.seeds--
	}
}

// purge forgets who did not come back, once in a while. The caller holds mu.
func (t *trackerServer) purge(s *trackedSwarm, now time.Time) {
	if now.Sub(s.swept) < serverPurge {
		return
	}
	s.swept = now
	for addr, p := range s.peers {
		if p.expires.Before(now) {
			t.forget(s, addr)
		}
	}
}

// reply is for a peer of a swarm: some others, those of this process first. A seed is told of no other seeds; of this
// process it is, as it may be none, see announce. The caller holds mu.
func (t *trackerServer) reply(s *trackedSwarm, a serverAnnounce) serverReply {
	r := serverReply{Interval: t.cfg.Interval, Seeds: s.seeds + 1, Leechers: len(s.peers) - s.seeds}
	want := a.NumWant
	if want < 0 {
		want = serverNumWant
	}
	if want = min(want, serverMaxWant); a.Event == eventStopped {
		want = 0
	}
	if t.cfg.Self != nil {
		for _, addr := range t.cfg.Self(a.Peer.Addr()) {
			if len(r.Peers) < want && addr != a.Peer {
				r.Peers = append(r.Peers, trackedAddr{addr: addr})
			}
		}
	}
	for addr, p := range s.peers {
		if len(r.Peers) >= want {
			break
		}
		if addr != a.Peer && !(p.seed && a.Left == 0) {
			r.Peers = append(r.Peers, trackedAddr{addr, p.id})
		}
	}
	return r
}

// A servedCount is what a scrape tells of a torrent (BEP 48).
type servedCount struct{ seeds, completed, leechers int }

// scrape counts the peers of a torrent; ok is false when it is not served.
func (t *trackerServer) scrape(h InfoHash) (c servedCount, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.swarms[h]
	if s == nil {
		return c, false
	}
	t.purge(s, t.cfg.Now())
	return servedCount{s.seeds + 1, s.completed, len(s.peers) - s.seeds}, true
}
