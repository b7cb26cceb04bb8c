package node

import (
	"context"
	"net/netip"
	"time"

	"shoal/bt"
)

// btNet is a Net of package bt: one session, one port.
type btNet struct{ c *bt.Client }

// NewNet is the network of a session, which Close closes. The session must require encryption.
func NewNet(c *bt.Client) Net { return btNet{c} }

func (n btNet) Meet(ctx context.Context, opts MeetOptions, onLink func(Link)) (Meeting, error) {
	m, err := n.c.Meet(ctx, bt.MeetOptions{InfoHash: opts.InfoHash, Extension: opts.Extension, Trackers: opts.Trackers, Peers: opts.Hosts,
		OnConn: func(c *bt.MeetConn) { onLink(c) }})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (n btNet) OpenData(ctx context.Context, opts bt.DataOptions) (Data, error) {
	d, err := n.c.OpenData(ctx, opts)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (n btNet) Port() int {
	a := n.c.Addr()
	if a == nil {
		return 0
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return 0
	}
	return int(p.Port())
}

func (n btNet) Close() error { return n.c.Close() }

// banWrong is how long an address that does not know the secret is refused, after the third time in a minute.
const banWrong = time.Hour
