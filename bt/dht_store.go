package bt

import (
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/bep44"
	"github.com/anacrolix/dht/v2/krpc"
	peer_store "github.com/anacrolix/dht/v2/peer-store"
)

// Bounds of what strangers can make us keep.
const (
	dhtPeerLifetime = 30 * time.Minute
	dhtMaxHashes    = 2000
	dhtMaxPeers     = 200 // of one infohash
	dhtMaxReply     = 40  // peers told at once: an answer fits one packet
	dhtMaxItems     = 1000
)

// A dhtPeers is what nodes announced to us, by address and port: several peers may be behind one address.
type dhtPeers struct {
	mu      sync.Mutex
	hashes  map[peer_store.InfoHash]map[netip.AddrPort]time.Time // guarded by mu; when announced
	expired time.Time                                            // guarded by mu; when all were looked through last
	now     func() time.Time
}

var _ peer_store.Interface = (*dhtPeers)(nil)

func newDHTPeers() *dhtPeers {
	return &dhtPeers{hashes: make(map[peer_store.InfoHash]map[netip.AddrPort]time.Time), now: time.Now}
}

// AddPeer keeps a peer for 30 minutes, if there is room.
func (s *dhtPeers) AddPeer(h peer_store.InfoHash, na krpc.NodeAddr) {
	p, ok := nodeAddrPort(na)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	peers := s.hashes[h]
	if peers == nil {
		if len(s.hashes) >= dhtMaxHashes {
			s.expireAll()
		}
		if len(s.hashes) >= dhtMaxHashes {
			return
		}
		peers = make(map[netip.AddrPort]time.Time)
		s.hashes[h] = peers
	}
	if _, known := peers[p]; !known && len(peers) >= dhtMaxPeers {
		if s.expire(peers); len(peers) >= dhtMaxPeers {
			return
		}
	}
	peers[p] = s.now()
}

// GetPeers returns some of the peers of an infohash.
func (s *dhtPeers) GetPeers(h peer_store.InfoHash) (out []krpc.NodeAddr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(s.hashes[h])
	for p := range s.hashes[h] { // the order of a map differs each time, as it should
		if len(out) == dhtMaxReply {
			break
		}
		out = append(out, krpc.NodeAddr{IP: p.Addr().AsSlice(), Port: int(p.Port())})
	}
	return out
}

func (s *dhtPeers) expire(peers map[netip.AddrPort]time.Time) {
	for p, at := range peers {
		if s.now().Sub(at) > dhtPeerLifetime {
			delete(peers, p)
		}
	}
}

// expireAll makes room, at most once a minute: a flood must not cost a pass over everything for each packet.
func (s *dhtPeers) expireAll() {
	if s.now().Sub(s.expired) < time.Minute {
		return
	}
	s.expired = s.now()
	for h, peers := range s.hashes {
		if s.expire(peers); len(peers) == 0 {
			delete(s.hashes, h)
		}
	}
}

// nodeAddrPort is an address of the library as one of ours, if there can be a peer.
func nodeAddrPort(na krpc.NodeAddr) (netip.AddrPort, bool) {
	a, ok := netip.AddrFromSlice(na.IP)
	if !ok || na.Port < 1 || na.Port > 65535 {
		return netip.AddrPort{}, false
	}
	p := netip.AddrPortFrom(a.Unmap(), uint16(na.Port))
	return p, usablePeer(p)
}

// A dhtItems keeps small values for others (BEP 44), as many as there is room for.
type dhtItems struct {
	mu    sync.Mutex
	items map[bep44.Target]*bep44.Item // guarded by mu
}

var _ bep44.Store = (*dhtItems)(nil)

func newDHTItems() *dhtItems { return &dhtItems{items: make(map[bep44.Target]*bep44.Item)} }

// Put keeps an item; when there are too many, any other goes.
func (s *dhtItems) Put(i *bep44.Item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := i.Target()
	if _, known := s.items[t]; !known && len(s.items) >= dhtMaxItems {
		for other := range s.items {
			delete(s.items, other)
			break
		}
	}
	s.items[t] = i
	return nil
}

// Get returns an item, or bep44.ErrItemNotFound.
func (s *dhtItems) Get(t bep44.Target) (*bep44.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.items[t]; ok {
		return i, nil
	}
	return nil, bep44.ErrItemNotFound
}

// Del forgets an item.
func (s *dhtItems) Del(t bep44.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, t)
	return nil
}
