package bt

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// seed keeps serving a download that is complete, for as long as the options say.
func (d *download) seed(ctx context.Context) error {
	if !d.opts.Seed && d.opts.SeedRatio <= 0 && d.opts.SeedTime <= 0 {
		return nil
	}
	sent := int64(0) // before the swarm was joined again
	if d.swarm != nil && !d.m.HasV1() {
		// The library was told where files end, for their hashes; now it may know of whole pieces, see mendInfo.
		sent = d.swarm.stats().written
		d.swarm.close()
		d.swarm = nil
	}
	if d.swarm == nil {
		if err := d.join(ctx, d.files); err != nil {
			return err
		}
	}
	start, size := time.Now(), d.files.Total()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		s := d.swarm.stats()
		s.written += sent
		p := Progress{
			State: "seeding", Done: size, Total: size, Uploaded: s.written, Peers: s.peers, Seeds: s.seeds,
			ETA: -1, Trackers: d.swarm.trackerStatus(),
		}
		p.Down, p.Up = d.meter.rates(time.Now(), s.read, s.written)
		d.report(p)
		switch {
		case d.opts.SeedTime > 0 && time.Since(start) >= d.opts.SeedTime:
			return nil
		case d.opts.SeedRatio > 0 && float64(s.written) >= d.opts.SeedRatio*float64(size):
			return nil
		}
		select {
		case <-ticker.C:
		case <-d.swarm.lib.Closed():
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// SeedOptions say what Client.Seed serves.
type SeedOptions struct {
	Dir      string   // the folder that holds the torrent's file or folder
	Trackers []string // besides those of the torrent
	Peers    []string // host:port to dial
}

// A Seeding is a torrent that a session serves.
type Seeding struct {
	m     *Metainfo
	swarm *swarm
	files *FileStorage
}

// Seed serves a torrent whose data is in place: it hashes the data, joins the swarm and returns. Data that is missing
// or wrong is Damaged.
func (c *Client) Seed(ctx context.Context, m *Metainfo, opts SeedOptions) (_ *Seeding, err error) {
	root, paths, err := Layout(m, &DownloadOptions{Dir: opts.Dir})
	if err != nil {
		return nil, err
	}
	s := &Seeding{m: m}
	if s.files, err = OpenFiles(ctx, m, FileOptions{Root: root, Paths: paths}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if n := len(s.files.Missing()); n > 0 {
		return nil, errorf(Damaged, "seeding %s: %d of %d pieces are missing or damaged", m.Name, n, m.NumPieces)
	}
	s.swarm, err = c.join(ctx, joinOptions{Metainfo: m, Storage: s.files, Peers: opts.Peers, Trackers: opts.Trackers})
	return s, err
}

// Magnet names the torrent, with the addresses of this session to dial.
func (s *Seeding) Magnet() *Magnet {
	g := MagnetOf(s.m, MagnetOptions{})
	g.Peers = s.Addrs()
	return g
}

// Addrs are the addresses that peers can dial, host:port.
func (s *Seeding) Addrs() []string {
	l := s.swarm.sess.listen
	if l == nil {
		return nil
	}
	ap, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return nil
	}
	if !ap.Addr().IsUnspecified() {
		return []string{ap.String()}
	}
	var addrs []string
	ifaces, _ := net.InterfaceAddrs()
	for _, a := range ifaces {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && !ip.IsLinkLocalUnicast() {
				addrs = append(addrs, netip.AddrPortFrom(ip.Unmap(), ap.Port()).String())
			}
		}
	}
	return addrs
}

// Close leaves the swarm and closes the files. It may be called twice.
func (s *Seeding) Close() error {
	if s.swarm != nil {
		s.swarm.close()
		s.swarm = nil
	}
	return s.files.Close()
}
