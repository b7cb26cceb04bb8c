package node

import (
	"context"
	"net/netip"
	"sync"

	"shoal/bt"
)

// cutNet is a network that can be cut, from everybody or from some addresses: what is connected ends, and nothing new comes.
type cutNet struct {
	Net

	mu    sync.Mutex // guards what follows
	down  func(netip.Addr) bool
	links map[Link]bool
	data  map[Data]bool
}

func newCutNet(n Net) *cutNet {
	return &cutNet{Net: n, down: func(netip.Addr) bool { return false }, links: map[Link]bool{}, data: map[Data]bool{}}
}

// cut ends what leads to the addresses that down names; nil heals.
func (n *cutNet) cut(down func(netip.Addr) bool) {
	if down == nil {
		down = func(netip.Addr) bool { return false }
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for l := range n.links {
		if down(l.RemoteAddr().Addr().Unmap()) {
			l.Close()
		}
	}
	for d := range n.data {
		go d.Review()
	}
}

func (n *cutNet) isDown(a netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.down(a.Unmap())
}

func (n *cutNet) Meet(ctx context.Context, opts MeetOptions, onLink func(Link)) (Meeting, error) {
	return n.Net.Meet(ctx, opts, func(l Link) {
		n.mu.Lock()
		down := n.down(l.RemoteAddr().Addr().Unmap())
		if !down {
			n.links[l] = true
		}
		n.mu.Unlock()
		if down {
			l.Close()
			return
		}
		onLink(l)
		n.mu.Lock()
		delete(n.links, l)
		n.mu.Unlock()
	})
}

// cutData is taken from the list when it closes.
type cutData struct {
	Data
	n *cutNet
}

func (n *cutNet) OpenData(ctx context.Context, opts bt.DataOptions) (Data, error) {
	admit := opts.Admit
	opts.Admit = func(a netip.Addr) bool { return !n.isDown(a) && (admit == nil || admit(a)) }
	d, err := n.Net.OpenData(ctx, opts)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.data[d] = true
	return &cutData{d, n}, nil
}

func (d *cutData) Close() error {
	d.n.mu.Lock()
	delete(d.n.data, d.Data)
	d.n.mu.Unlock()
	return d.Data.Close()
}
