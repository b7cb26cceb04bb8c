package bt

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

const (
	maxCopies     = 10_000   // peers remembered as complete, of one torrent
	maxCopyBlocks = 64 << 20 // torrents with more blocks are not watched block by block
	maxDepartures = 1000     // peers that left and were not looked at yet
)

// A copyWatch counts the peers of a torrent that have all of it. A peer has it when it says so, or when it leaves after
// it was sent every block that it lacked: many a program leaves before it says that the last piece has come.
type copyWatch struct {
	m      *Metainfo
	blocks int // in a piece
	copied func()

	mu       sync.Mutex // guards what follows
	peers    map[*torrent.PeerConn]*copyPeer
	departed []departure
	complete map[copyKey]bool
	copies   int // peers that complete is about, and fetchers

	// Whether a peer and a fetcher (over HTTP) of one address are the same cannot be told; they count as one.
	peersAt  map[netip.Addr]bool // addresses of complete peers
	fetchers map[netip.Addr]bool // addresses of fetchers that count
}

// A copyKey tells a peer from others: its id or its address. Neither is enough, as libtorrent has another id for each
// connection, and not every program says on a connection where it listens. A peer has all keys that it was seen with.
type copyKey string

func copyKeys(id [20]byte, addr netip.AddrPort) (keys copyID) {
	keys.at = addr.Addr().Unmap()
	keys.keys = append(keys.keys, copyKey(id[:]))
	if addr.Port() != 0 {
		keys.keys = append(keys.keys, copyKey(addr.String()))
	}
	return keys
}

// A copyID is all that a peer is known by.
type copyID struct {
	keys []copyKey
	at   netip.Addr // the zero Addr when it is not known
}

// keysOf are those of a connected peer. The library's lock is held.
func keysOf(pc *torrent.PeerConn) copyID {
	from, err := netip.ParseAddrPort(pc.RemoteAddr.String())
	if err != nil {
		return copyKeys(pc.PeerID, netip.AddrPort{})
	}
	port := from.Port() // where it listens, if it was dialled
	if p := pc.PeerListenPort; p > 0 && p < 1<<16 {
		port = uint16(p)
	}
	return copyKeys(pc.PeerID, netip.AddrPortFrom(from.Addr().Unmap(), port))
}

// A copyPeer is what is known of a connected peer. Two peers that dial each other have two connections, and may use both:
// what has the same id is one peer.
type copyPeer struct {
	conns []*torrent.PeerConn // of its connections, also those that have ended
	open  int                 // how many have not

	has   bitset
	count int    // pieces in has
	asked bitset // blocks that it asked us for; nil = none yet
	bytes int64  // of these
}

// A departure is a peer that left when it could have been complete.
type departure struct {
	conns []*torrent.PeerConn
	keys  copyID
	sent  int64 // payload bytes that make it complete
}

func newCopyWatch(m *Metainfo, copied func()) *copyWatch {
	return &copyWatch{m: m, blocks: int((m.PieceLength + blockSize - 1) / blockSize), copied: copied,
		peers: map[*torrent.PeerConn]*copyPeer{}, complete: map[copyKey]bool{},
		peersAt: map[netip.Addr]bool{}, fetchers: map[netip.Addr]bool{}}
}

// note counts a peer as complete.
func (c *copyWatch) note(peer copyID) {
	c.mu.Lock()
	isNew := c.copies < maxCopies && !slices.ContainsFunc(peer.keys, func(k copyKey) bool { return c.complete[k] })
	if isNew && c.fetchers[peer.at] {
		isNew = false // it is that fetcher
		delete(c.fetchers, peer.at)
	}
	if isNew {
		c.copies++
	}
	for _, k := range peer.keys {
		if len(c.complete) < 2*maxCopies {
			c.complete[k] = true
			c.peersAt[peer.at] = true
		}
	}
	c.mu.Unlock()
	if isNew && c.copied != nil {
		c.copied()
	}
}

// noteFetcher counts who has fetched everything over HTTP, unless a peer at that address counts.
func (c *copyWatch) noteFetcher(at netip.Addr) {
	c.mu.Lock()
	isNew := c.copies < maxCopies && !c.peersAt[at] && !c.fetchers[at]
	if isNew {
		c.fetchers[at] = true
		c.copies++
	}
	c.mu.Unlock()
	if isNew && c.copied != nil {
		c.copied()
	}
}

// count is how many peers were seen complete. It looks at those that left, which cannot be done while they leave.
func (c *copyWatch) count() int {
	c.mu.Lock()
	departed := c.departed
	c.departed = nil
	c.mu.Unlock()
	for _, d := range departed {
		written := int64(0)
		for _, pc := range d.conns {
			s := pc.Stats()
			written += s.BytesWrittenData.Int64()
		}
		if written >= d.sent {
			c.note(d.keys)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.copies
}

// met takes note of a new connection. The library's lock is held.
func (c *copyWatch) met(pc *torrent.PeerConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &copyPeer{has: newBitset(c.m.NumPieces)}
	for other, known := range c.peers {
		if other.PeerID == pc.PeerID {
			p = known
			break
		}
	}
	p.conns, p.open = append(p.conns, pc), p.open+1
	c.peers[pc] = p
}

// heard takes note of a message. The library's lock is held.
func (c *copyWatch) heard(pc *torrent.PeerConn, m *pp.Message) {
	switch m.Type {
	case pp.Bitfield, pp.Have, pp.HaveAll, pp.HaveNone, pp.Request:
	default:
		return
	}
	if m.Keepalive {
		return
	}
	c.mu.Lock()
	p := c.peers[pc]
	if p == nil { // it has left
		c.mu.Unlock()
		return
	}
	switch m.Type {
	case pp.HaveAll:
		for i := range c.m.NumPieces {
			p.set(i)
		}
	case pp.Bitfield:
		for i, has := range m.Bitfield[:min(len(m.Bitfield), c.m.NumPieces)] {
			if has {
				p.set(i)
			}
		}
	case pp.Have:
		if int64(m.Index) < int64(c.m.NumPieces) {
			p.set(int(m.Index))
		}
	case pp.Request:
		c.request(p, m)
	}
	complete := p.count == c.m.NumPieces
	c.mu.Unlock()
	if complete {
		c.note(keysOf(pc))
	}
}

func (p *copyPeer) set(i int) {
	if !p.has.has(i) {
		p.has.set(i)
		p.count++
	}
}

// request notes the block that a peer asks for. The caller holds mu.
func (c *copyWatch) request(p *copyPeer, m *pp.Message) {
	total := int64(c.m.NumPieces) * int64(c.blocks)
	if int64(m.Index) >= int64(c.m.NumPieces) || int64(m.Begin) >= c.m.PieceLength || m.Begin%blockSize != 0 || total > maxCopyBlocks {
		return
	}
	if p.asked == nil {
		p.asked = newBitset(int(total))
	}
	if at := int(m.Index)*c.blocks + int(m.Begin/blockSize); !p.asked.has(at) {
		p.asked.set(at)
		p.bytes += int64(m.Length)
	}
}

// left takes note of a connection that ends. The library's lock is held.
func (c *copyWatch) left(pc *torrent.PeerConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.peers[pc]
	delete(c.peers, pc)
	if p == nil {
		return
	}
	if p.open--; p.open > 0 {
		return // it has another connection
	}
	if p.asked == nil || p.count == c.m.NumPieces || len(c.departed) >= maxDepartures {
		return
	}
	for i := range c.m.NumPieces {
		if !p.has.has(i) && !c.askedAll(p, i) {
			return
		}
	}
	c.departed = append(c.departed, departure{p.conns, keysOf(pc), p.bytes})
}

// askedAll reports whether a peer asked for every block of a piece.
func (c *copyWatch) askedAll(p *copyPeer, piece int) bool {
	for b := range int((c.m.PieceSize(piece) + blockSize - 1) / blockSize) {
		if !p.asked.has(piece*c.blocks + b) {
			return false
		}
	}
	return true
}
