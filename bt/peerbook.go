package bt

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
)

const (
	bookSize     = 2000             // addresses remembered per torrent
	redialFirst  = time.Second      // first wait before a failed peer is dialled again; doubles
	redialStatic = 30 * time.Second // longest wait for a peer the user named
	redialOther  = 10 * time.Minute // longest wait for a peer we heard of
)

// peerBook remembers where the peers of a torrent are. The library forgets an address as soon as it has dialled it,
// so the book offers those that are not connected again, each after a wait that doubles.
type peerBook struct {
	w     *swarm
	wake  chan struct{}
	limit time.Duration // longest wait for a peer that is not static
	once  bool          // who was dialled is not dialled again until it is heard of again

	mu    sync.Mutex
	peers map[string]*bookPeer // by host:port
}

type bookPeer struct {
	source torrent.PeerSource
	static bool // named by the user or the magnet
	tries  int
	next   time.Time // not before
	met    bool      // connected since it was dialled
	read   int64     // useful bytes of the torrent when it was dialled
}

func newPeerBook(w *swarm, opts joinOptions) *peerBook {
	b := &peerBook{w: w, wake: make(chan struct{}, 1), limit: redialOther, peers: map[string]*bookPeer{}}
	if opts.Alone {
		b.limit = redialStatic
	}
	b.once = opts.Once
	named := opts.Peers
	if opts.Magnet != nil {
		named = append(named[:len(named):len(named)], opts.Magnet.Peers...)
	}
	for _, addr := range named {
		addr, err := SanitizePeer(addr)
		if err != nil {
			w.c.log.Warn("peer not used", "err", err)
			continue
		}
		b.peers[addr] = &bookPeer{source: torrent.PeerSourceDirect, static: true}
	}
	if opts.Known != nil {
		b.learn(opts.Known)
	}
	return b
}

// learn takes over the addresses of another book.
func (b *peerBook) learn(from *peerBook) {
	from.mu.Lock()
	defer from.mu.Unlock()
	for addr, p := range from.peers {
		if b.peers[addr] == nil {
			b.peers[addr] = &bookPeer{source: p.source, static: p.static}
		}
	}
}

// heard adds addresses. A full book drops those that failed most.
func (b *peerBook) heard(source torrent.PeerSource, peers []netip.AddrPort) {
	b.mu.Lock()
	for _, p := range peers {
		key := peerKey(p.String())
		if old := b.peers[key]; old != nil && b.once {
			old.tries, old.next = 0, time.Time{}
		}
		if b.peers[key] == nil && (len(b.peers) < bookSize || b.dropWorst()) {
			b.peers[key] = &bookPeer{source: source}
		}
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// dropWorst makes room for one address; it reports false when none has failed yet. The caller holds mu.
func (b *peerBook) dropWorst() bool {
	worst, tries := "", 1
	for key, p := range b.peers {
		if !p.static && p.tries > tries {
			worst, tries = key, p.tries
		}
	}
	delete(b.peers, worst)
	return worst != ""
}

func (b *peerBook) run() {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		due := tick.C
		if b.size() == 0 {
			due = nil // nobody to offer: wait without waking up
		} else {
			b.offer(time.Now())
		}
		select {
		case <-due:
		case <-b.wake:
		case <-b.w.ctx.Done():
			return
		}
	}
}

// offer gives the library the addresses that are due and not connected.
func (b *peerBook) offer(now time.Time) {
	connected, read := b.connected(), b.w.stats().read
	var due []torrent.PeerInfo
	b.mu.Lock()
	for key, p := range b.peers {
		if p.met && read > p.read {
			p.tries, p.met = 0, false // it may have been cut off since, but it was of use
			p.next = now.Add(redialFirst)
		}
		if connected[key] {
			p.tries, p.next = 0, now.Add(redialFirst)
			continue
		}
		if now.Before(p.next) || b.once && p.tries > 0 {
			continue
		}
		limit := b.limit
		if p.static {
			limit = redialStatic
		}
		p.next = now.Add(min(redialFirst<<min(p.tries, 10), limit))
		p.tries++
		p.met, p.read = false, read
		due = append(due, torrent.PeerInfo{Addr: torrent.StringAddr(key), Source: p.source, Trusted: p.static})
	}
	b.mu.Unlock()
	for i := range due {
		due[i].Addr = b.resolve(due[i].Addr.String())
	}
	if len(due) > 0 {
		b.w.lib.AddPeers(due)
	}
}

// connectedTo hears that a handshake with addr is done. The library's lock is held.
func (b *peerBook) connectedTo(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.peers[peerKey(addr)]; p != nil {
		p.met = true
	}
}

// resolve turns a host name into an address, so that the blocklist sees it; a proxy resolves by itself.
func (b *peerBook) resolve(addr string) torrent.StringAddr {
	host, _, err := net.SplitHostPort(addr)
	if _, perr := netip.ParseAddr(host); err != nil || perr == nil || b.w.c.cfg.Proxy != "" {
		return torrent.StringAddr(addr)
	}
	ctx, cancel := context.WithTimeout(b.w.ctx, 10*time.Second)
	defer cancel()
	addrs, err := b.w.c.net.resolve(ctx, addr)
	if err != nil || len(addrs) == 0 {
		return torrent.StringAddr(addr)
	}
	return torrent.StringAddr(addrs[0].String())
}

// connected is the remote addresses of live connections.
func (b *peerBook) connected() map[string]bool {
	conns := b.w.lib.PeerConns()
	set := make(map[string]bool, len(conns))
	for _, pc := range conns {
		set[peerKey(pc.RemoteAddr.String())] = true
	}
	return set
}

// peerKey is the form in which the book keeps an address.
func peerKey(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return addr
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()).String()
}

// size is how many addresses are known.
func (b *peerBook) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.peers)
}
