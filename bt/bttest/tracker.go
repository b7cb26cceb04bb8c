package bttest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// A Tracker is a small tracker over HTTP (BEP 3, 23, 48) and UDP (BEP 15, 41) on loopback. It remembers peers for its
// own lifetime and believes everybody.
type Tracker struct {
	HTTP string // announce URL
	UDP  string // announce URL

	mu        sync.Mutex
	changed   *sync.Cond
	swarms    map[[20]byte]map[netip.AddrPort]int64 // guarded by mu, as all below; the value is what is left
	announces []Announce
	interval  time.Duration
	failure   string
	conns     map[uint64]bool
}

// An Announce is one that a Tracker got.
type Announce struct {
	Proto                      string // "http" or "udp"
	InfoHash                   [20]byte
	PeerID                     [20]byte
	Peer                       netip.AddrPort
	Event                      string // "", "started", "completed", "stopped"
	Path                       string // of the URL, with its query over UDP
	Uploaded, Downloaded, Left int64
	NumWant                    int
}

// NewTracker starts a tracker that stops with the test. Its interval is half an hour.
func NewTracker(tb T) *Tracker {
	tb.Helper()
	t := &Tracker{swarms: make(map[[20]byte]map[netip.AddrPort]int64), conns: make(map[uint64]bool), interval: 30 * time.Minute}
	t.changed = sync.NewCond(&t.mu)
	srv := httptest.NewServer(http.HandlerFunc(t.serveHTTP))
	tb.Cleanup(srv.Close)
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("starting a tracker: %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { t.serveUDP(pc) })
	tb.Cleanup(func() { pc.Close(); wg.Wait() })
	t.HTTP = srv.URL + "/announce"
	t.UDP = "udp://" + pc.LocalAddr().String() + "/announce"
	return t
}

// SetInterval sets the interval that replies carry.
func (t *Tracker) SetInterval(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interval = d
}

// SetFailure makes every announce fail with a reason, or no more when it is "".
func (t *Tracker) SetFailure(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failure = reason
}

// AddPeer makes a peer known.
func (t *Tracker) AddPeer(infoHash [20]byte, p netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(infoHash, p, 0)
}

// Wait returns what was announced so far as soon as ok likes it, and fails the test if that takes above 20 s.
func (t *Tracker) Wait(tb T, ok func([]Announce) bool) []Announce {
	tb.Helper()
	late := false
	timer := time.AfterFunc(20*time.Second, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		late = true
		t.changed.Broadcast()
	})
	defer timer.Stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for !ok(t.announces) {
		if late {
			tb.Fatalf("the tracker got only %+v", t.announces)
		}
		t.changed.Wait()
	}
	return append([]Announce(nil), t.announces...)
}

func (t *Tracker) put(infoHash [20]byte, p netip.AddrPort, left int64) {
	if t.swarms[infoHash] == nil {
		t.swarms[infoHash] = make(map[netip.AddrPort]int64)
	}
	t.swarms[infoHash][p] = left
}

// announce records a and returns the other peers of the swarm.
func (t *Tracker) announce(a Announce) (peers []netip.AddrPort, seeders, leechers int, interval time.Duration, failure string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.announces = append(t.announces, a)
	t.changed.Broadcast()
	if t.failure != "" {
		return nil, 0, 0, 0, t.failure
	}
	for p, left := range t.swarms[a.InfoHash] {
		if left == 0 {
			seeders++
		} else {
			leechers++
		}
		if p != a.Peer && len(peers) < a.NumWant {
			peers = append(peers, p)
		}
	}
	if a.Event == "stopped" {
		delete(t.swarms[a.InfoHash], a.Peer)
	} else if a.Peer.Port() != 0 {
		t.put(a.InfoHash, a.Peer, a.Left)
	}
	return peers, seeders, leechers, t.interval, ""
}

func (t *Tracker) serveHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.URL.Path == "/scrape" {
		t.scrapeHTTP(w, q["info_hash"])
		return
	}
	number := func(key string) int64 {
		n, _ := strconv.ParseInt(q.Get(key), 10, 64)
		return n
	}
	a := Announce{Proto: "http", Event: q.Get("event"), Path: r.URL.Path, NumWant: 50,
		Uploaded: number("uploaded"), Downloaded: number("downloaded"), Left: number("left")}
	copy(a.InfoHash[:], q.Get("info_hash"))
	copy(a.PeerID[:], q.Get("peer_id"))
	if q.Has("numwant") {
		a.NumWant = int(number("numwant"))
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		a.Peer = netip.AddrPortFrom(from.Addr().Unmap(), uint16(number("port")))
	}
	if len(q.Get("info_hash")) != 20 || len(q.Get("peer_id")) != 20 {
		http.Error(w, "not an announce", http.StatusBadRequest)
		return
	}
	peers, seeders, leechers, interval, failure := t.announce(a)
	if failure != "" {
		fmt.Fprintf(w, "d14:failure reason%d:%se", len(failure), failure)
		return
	}
	compact := compactPeers(peers)
	fmt.Fprintf(w, "d8:completei%de10:incompletei%de8:intervali%de5:peers%d:%se",
		seeders, leechers, int(interval.Seconds()), len(compact), compact)
}

func compactPeers(peers []netip.AddrPort) (b []byte) {
	for _, p := range peers {
		if p.Addr().Is4() {
			b = append(b, p.Addr().AsSlice()...)
			b = binary.BigEndian.AppendUint16(b, p.Port())
		}
	}
	return b
}

func (t *Tracker) serveUDP(pc net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		if reply := t.udpReply(buf[:n], from.(*net.UDPAddr).AddrPort().Addr().Unmap()); reply != nil {
			pc.WriteTo(reply, from)
		}
	}
}

func (t *Tracker) udpReply(b []byte, from netip.Addr) []byte {
	if len(b) < 16 {
		return nil
	}
	be := binary.BigEndian
	conn, action, tx := be.Uint64(b), be.Uint32(b[8:]), b[12:16]
	if action == 0 && conn == 0x41727101980 {
		var id [8]byte
		rand.Read(id[:])
		t.mu.Lock()
		t.conns[be.Uint64(id[:])] = true
		t.mu.Unlock()
		return append(append([]byte{0, 0, 0, 0}, tx...), id[:]...)
	}
	refuse := func(why string) []byte { return append(append([]byte{0, 0, 0, 3}, tx...), why...) }
	t.mu.Lock()
	known := t.conns[conn]
	t.mu.Unlock()
	switch {
	case !known:
		return refuse("unknown connection id")
	case action == 2:
		return append(append([]byte{0, 0, 0, 2}, tx...), t.scrapeUDP(b[16:])...)
	case action != 1 || len(b) < 98:
		return refuse("not an announce")
	}
	a := Announce{Proto: "udp", InfoHash: [20]byte(b[16:]), PeerID: [20]byte(b[36:]),
		Downloaded: int64(be.Uint64(b[56:])), Left: int64(be.Uint64(b[64:])), Uploaded: int64(be.Uint64(b[72:])),
		Event:   [...]string{"", "completed", "started", "stopped"}[be.Uint32(b[80:])&3],
		NumWant: int(int32(be.Uint32(b[92:]))), Peer: netip.AddrPortFrom(from, be.Uint16(b[96:]))}
	if a.NumWant < 0 {
		a.NumWant = 50
	}
	for o := b[98:]; len(o) >= 2 && o[0] == 2 && len(o) >= 2+int(o[1]); o = o[2+int(o[1]):] {
		a.Path += string(o[2 : 2+int(o[1])])
	}
	peers, seeders, leechers, interval, failure := t.announce(a)
	if failure != "" {
		return refuse(failure)
	}
	out := append([]byte{0, 0, 0, 1}, tx...)
	out = be.AppendUint32(out, uint32(interval.Seconds()))
	out = be.AppendUint32(out, uint32(leechers))
	out = be.AppendUint32(out, uint32(seeders))
	return append(out, compactPeers(peers)...)
}
