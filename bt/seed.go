package bt

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent"
)

// seed keeps serving a download that is complete, for as long as the options say, or until a file of it is not any more
// what was verified.
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
	look := start
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
		if now := time.Now(); now.After(look) {
			_ = d.files.Check() // what it finds it keeps
			look = time.Now().Add(max(checkEvery, 50*time.Since(now)))
		}
		if err := d.files.Changed(); err != nil {
			return err
		}
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
	Files    []string // where each of the torrent's Files lies, instead
	Partial  bool     // files may be missing, and those of Files "": the pieces that are there are served
	Trackers []string // besides those of the torrent
	Peers    []string // host:port to dial
	Memory   string   // folder that remembers what was hashed, so that it is not hashed again; "" = none

	// Progress is called about twice a second while the data is hashed, with bytes.
	Progress func(done, total int64)
	// Changed is called once, from any goroutine, when a file is no longer what was hashed, or, with Partial, one has
	// come: from then on nothing of the torrent is served.
	Changed func(error)
	// Copied is called, from any goroutine, for each peer that is seen to have everything for the first time. It must
	// not call the Seeding, nor wait.
	Copied func()
}

// A Seeding is a torrent that a session serves.
type Seeding struct {
	m      *Metainfo
	c      *Client
	swarm  *swarm
	files  *seedFiles
	copies *copyWatch
	once   sync.Once // closes

	sent     atomic.Int64             // bytes over HTTP, by a Web
	webseeds atomic.Pointer[[]string] // of a Web; nil = none

	mu    sync.Mutex // guards meter
	meter meter
}

// Seed serves a torrent whose data is in place: it hashes the data unless it remembers to have done so, joins the swarm
// and returns. Data that is missing or wrong is Damaged; with Partial it is NotFound when no piece is there, and Mismatch
// when all that are there are wrong. Nothing is written where the data lies.
func (c *Client) Seed(ctx context.Context, m *Metainfo, opts SeedOptions) (*Seeding, error) {
	names := opts.Files
	if names == nil {
		root, paths, err := Layout(m, &DownloadOptions{Dir: opts.Dir})
		if err != nil {
			return nil, err
		}
		if names, err = namesBelow(root, paths); err != nil {
			return nil, err
		}
	}
	look := newSeedFiles
	if opts.Partial {
		look = newPartialSeed
	}
	if len(names) != len(m.Files) {
		return nil, errorf(BadInput, "seeding %s: %d paths for %d files", clip(m.Name), len(names), len(m.Files))
	}
	files, err := look(m, names, c.seeds, opts.Changed)
	if err != nil {
		return nil, err
	}
	if _, err := c.trust(ctx, files, opts); err != nil {
		return nil, err
	}
	return c.seed(ctx, files, opts)
}

// trust makes sure that the files are what the torrent says: it remembers so, or hashes them.
func (c *Client) trust(ctx context.Context, s *seedFiles, opts SeedOptions) (hashed int64, err error) {
	hash := s.m.Short().String()
	path := seedRecordPath(opts.Memory, "torrent", hash+"\x00"+s.key())
	if s.vouched(readSeedRecord(path), hash) {
		return 0, nil
	}
	if err := rest(ctx, s.youngest); err != nil {
		return 0, err
	}
	if err := s.verify(ctx, opts.Progress); err != nil {
		return 0, err
	}
	c.remember(path, &seedRecord{InfoHash: hash}, s)
	return s.there(), nil
}

// remember writes a record of files whose stamps can be believed. That it cannot be written costs only time later.
func (c *Client) remember(path string, r *seedRecord, s *seedFiles) {
	if !s.settled {
		return
	}
	if err := writeSeedRecord(path, r, s.names, s.stamps); err != nil {
		c.log.Warn("what was hashed is not remembered", "err", err)
	}
}

// seed joins the swarm with files that are good.
func (c *Client) seed(ctx context.Context, files *seedFiles, opts SeedOptions) (_ *Seeding, err error) {
	s := &Seeding{m: files.m, c: c, files: files, copies: newCopyWatch(files.m, opts.Copied)}
	s.swarm, err = c.join(ctx, joinOptions{
		Metainfo: s.m, Storage: files, Peers: opts.Peers, Trackers: opts.Trackers, Copies: s.copies,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Whole reports whether all of the torrent is there.
func (s *Seeding) Whole() bool { return s.files.have == nil || s.files.have.count() == s.m.NumPieces }

// Magnet names the torrent, with the addresses of this session to dial, and of its web server.
func (s *Seeding) Magnet() *Magnet { return MagnetOf(s.publish(), MagnetOptions{Peers: s.Addrs()}) }

// Addrs are the addresses that peers can dial, host:port: of this machine only if it has no other.
func (s *Seeding) Addrs() (addrs []string) {
	if l := s.swarm.sess.listen; l != nil {
		for _, a := range s.c.net.reachable(l.Addr()) {
			addrs = append(addrs, a.String())
		}
	}
	return addrs
}

// Copies is how many peers were seen to have everything.
func (s *Seeding) Copies() int { return s.copies.count() }

// Uploaded is how many payload bytes were sent, to peers and by a Web.
func (s *Seeding) Uploaded() int64 { return s.swarm.stats().written + s.sent.Load() }

// Progress is a snapshot. Its rate is an average since the snapshot before, of some five seconds at least.
func (s *Seeding) Progress() Progress {
	st := s.swarm.stats()
	p := Progress{State: "seeding", Name: s.m.Name, InfoHash: webName(s.m), Done: s.files.there(), Total: s.m.Length,
		Uploaded: st.written + s.sent.Load(), Peers: st.peers, Seeds: st.seeds, ETA: -1, Trackers: s.swarm.trackerStatus()}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Down, p.Up = s.meter.rates(time.Now(), 0, p.Uploaded)
	return p
}

// Check looks whether every file is still what was hashed. A Damaged error says that the torrent is served no more.
func (s *Seeding) Check() error { return s.files.check() }

// hear tells of a peer that wants data.
func (s *Seeding) hear(peer netip.AddrPort) {
	s.swarm.addPeers(torrent.PeerSourceTracker, []netip.AddrPort{peer})
}

// Close leaves the swarm. It may be called twice.
func (s *Seeding) Close() error {
	s.once.Do(func() {
		s.swarm.close()
		_ = s.files.Close() // they were only read
	})
	return nil
}
