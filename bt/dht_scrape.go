package bt

import (
	"context"
	"math"
	"math/bits"
	"net/netip"

	dhtlib "github.com/anacrolix/dht/v2"
)

// A bloomFilter is a set of addresses as DHT nodes describe it (BEP 33): two bits for each address.
type bloomFilter [256]byte

// add makes b hold what o holds.
func (b *bloomFilter) add(o *[256]byte) {
	for i, bits := range o {
		b[i] |= bits
	}
}

// estimate is about how many addresses b holds, at most 7,806: then it is full.
func (b *bloomFilter) estimate() int {
	const size = 8 * len(b)
	zeros := size
	for _, c := range b {
		zeros -= bits.OnesCount8(c)
	}
	if zeros == size {
		return 0
	}
	n := math.Log(float64(max(zeros, 1))/float64(size)) / (2 * math.Log(1-1/float64(size)))
	return max(1, int(math.Round(n)))
}

// A dhtCount is what the DHT knows of a swarm.
type dhtCount struct {
	Answers int // of nodes
	Counted bool
	Seeders int // estimates, when Counted
	Leechers,
	Peers int // addresses that nodes named
}

// scrape asks the nodes nearest to h how many peers they know (BEP 33) until there is nobody left to ask, a minute
// is over, or ctx is done.
func (d *dhtNode) scrape(ctx context.Context, h InfoHash) (n dhtCount, err error) {
	ctx, cancel := context.WithTimeout(ctx, dhtRound)
	defer cancel()
	d.begin()
	a, err := d.server.AnnounceTraversal(h, dhtlib.Scrape())
	if err != nil {
		return n, errorf(Network, "searching the DHT: %w", err)
	}
	defer context.AfterFunc(ctx, a.Close)()
	var seeds, leeches bloomFilter
	peers := make(map[netip.AddrPort]bool)
	// Until it is closed the channel must be read, or the search never ends.
	for reply := range a.Peers {
		n.Answers++
		if reply.BFsd != nil && reply.BFpe != nil {
			n.Counted = true
			seeds.add((*[256]byte)(reply.BFsd))
			leeches.add((*[256]byte)(reply.BFpe))
		}
		for _, na := range reply.Peers {
			if p, ok := nodeAddrPort(na); ok && len(peers) < dhtMaxFound {
				peers[p] = true
			}
		}
	}
	if n.Answers == 0 {
		return n, errorf(Network, "searching the DHT: no node answers")
	}
	n.Seeders, n.Leechers, n.Peers = seeds.estimate(), leeches.estimate(), len(peers)
	return n, nil
}
