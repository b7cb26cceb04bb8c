package bt

import (
	"context"
	"net"
	"net/netip"

	utp "github.com/anacrolix/go-utp"
	"github.com/anacrolix/torrent"
)

// wantUDP reports whether the session needs the UDP side of its port.
func (c *Client) wantUDP() bool { return (c.wantDHT() || c.cfg.UTP) && !c.net.noUDP() }

func (c *Client) wantDHT() bool { return !c.cfg.NoDHT && !c.cfg.LANOnly && !c.net.noUDP() }

// startUDP puts uTP and the DHT on the UDP side of the session's port, as the configuration says. It owns pc.
func (c *Client) startUDP(ctx context.Context, s *session, pc net.PacketConn) (err error) {
	if pc == nil {
		return nil
	}
	s.udp = pc
	if c.cfg.UTP {
		sock, err := utp.NewSocketFromPacketConn(pc)
		if err != nil {
			return errorf(Network, "starting uTP: %w", err)
		}
		s.udp = sock // closes pc too
		s.lib.AddListener(sock)
		s.lib.AddDialer(torrent.NetworkDialer{Network: "udp", Dialer: sock})
		pc = sock
	}
	if !c.wantDHT() {
		return nil
	}
	if s.dht, err = newDHT(ctx, c.net, pc, dhtConfig{Nodes: c.cfg.DHTNodes, CacheFile: c.cfg.DHTCache}); err != nil {
		return err
	}
	s.lib.AddDhtServer(s.dht.library())
	return nil
}

// findPeers starts looking for peers wherever the session and the torrent allow.
func (w *swarm) findPeers(opts joinOptions) {
	if opts.Alone {
		return
	}
	if tiers := w.tiers(opts); len(tiers) > 0 {
		w.startTrackers(tiers)
	}
	if w.m != nil && w.m.Private {
		return
	}
	if w.sess.dht != nil {
		w.sess.dht.begin()
		w.wg.Go(func() {
			w.sess.dht.announce(w.public, w.short(), uint16(w.sess.port), func(p []netip.AddrPort) {
				w.addPeers(torrent.PeerSourceDhtGetPeers, p)
			})
		})
		if w.m != nil {
			w.wg.Go(func() { w.addNodes(w.m.Nodes) })
		}
	}
	if w.sess.lpd != nil {
		w.sess.lpd.add(w.short(), func(p netip.AddrPort) { w.addPeers(torrent.PeerSourceLPD, []netip.AddrPort{p}) })
	}
}

// addNodes tells the DHT of the nodes that a torrent names (BEP 5).
func (w *swarm) addNodes(nodes []string) {
	for _, n := range nodes[:min(len(nodes), maxTorrentNodes)] {
		addrs, err := w.c.net.resolve(w.public, n)
		if err != nil {
			continue
		}
		for _, a := range addrs {
			w.sess.dht.addNode(w.public, a)
		}
	}
}

// maxTorrentNodes bounds how many nodes a torrent may make us ask.
const maxTorrentNodes = 20

// leavePublic ends what a private torrent must not do (BEP 27), once the metadata of a magnet says so.
func (w *swarm) leavePublic() {
	w.leave()
	if w.sess.lpd != nil {
		w.sess.lpd.remove(w.short())
	}
}

// tiers are the trackers to use: those the caller adds, then the torrent's own unless they are off.
func (w *swarm) tiers(opts joinOptions) (tiers [][]string) {
	if w.c.cfg.LANOnly {
		return nil
	}
	for _, t := range opts.Trackers {
		tiers = append(tiers, []string{t})
	}
	if w.c.cfg.NoTrackers {
		return tiers
	}
	if opts.Metainfo != nil {
		return append(tiers, opts.Metainfo.Trackers...)
	}
	for _, t := range opts.Magnet.Trackers {
		tiers = append(tiers, []string{t})
	}
	return tiers
}

func (w *swarm) startTrackers(tiers [][]string) {
	w.trackers = newAnnouncer(w.sess.trackers, announcerConfig{
		InfoHash: w.short(), PeerID: w.sess.lib.PeerID(), Port: uint16(w.sess.port), Tiers: tiers,
		OnPeers: func(p []netip.AddrPort) { w.addPeers(torrent.PeerSourceTracker, p) },
		Stats:   w.transfer,
		Hungry:  func() bool { return w.stats().peers == 0 },
	})
	w.wg.Go(func() { w.trackers.run(w.ctx) })
}
