package node

import (
	"context"
	"net/netip"
	"time"

	"shoal/bt"
)

// btNet is a Net of package bt: one session, one port.
type btNet struct{ c *bt.Client }

// maxUnverified is how much of large files may be on the way at once: the library counts whole pieces (docs/shares.md §2.3).
const maxUnverified = 512 << 20

// OpenNet is a network of package bt: one session, which Close closes. It says nothing of itself but what shares need.
func OpenNet(ctx context.Context, cfg bt.Config) (Net, error) {
	cfg.Encryption, cfg.NoName, cfg.MaxUnverified = bt.EncryptionRequire, true, maxUnverified
	c, err := bt.NewClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return btNet{c}, nil
}

func (n btNet) Meet(ctx context.Context, opts MeetOptions, onLink func(Link)) (Meeting, error) {
	m, err := n.c.Meet(ctx, bt.MeetOptions{InfoHash: opts.InfoHash, Extension: opts.Extension, Trackers: opts.Trackers, Peers: opts.Hosts, LocalOnly: opts.LANOnly,
		OnConn: func(c *bt.MeetConn) { onLink(btLink{c}) }})
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

// btLink is a connection of a meeting.
type btLink struct{ *bt.MeetConn }

func (l btLink) CloseFor(keep Link) {
	if k, ok := keep.(btLink); ok {
		l.MeetConn.CloseFor(k.MeetConn)
		return
	}
	l.MeetConn.Close()
}

// banWrong is how long an address that does not know the secret is refused, after the third time in a minute.
const banWrong = time.Hour
