package bt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// checkEvery is how often the files that are served are looked at.
const checkEvery = 3 * time.Second

// A server is one call of Client.Serve on its way. Its goroutine decides and reports; others tell it through lost and
// wake.
type server struct {
	c     *Client
	opts  ServeOptions
	start time.Time
	wake  chan struct{}

	trackerAt net.Listener // nil, as tracker, without one
	trackerIn net.PacketConn
	tracker   *trackerServer
	webAt     net.Listener // nil, as web, without one
	web       *webServer
	services  []*http.Server
	wg        sync.WaitGroup

	opened int             // items that came to be served
	saved  map[string]bool // paths of .torrents
	meter  meter

	mu    sync.Mutex // guards what follows
	items []*servedItem
	hash  map[InfoHash]*servedItem
	lost  []*servedItem // changed on disk, to be withdrawn
}

// A servedItem is one torrent of a server.
type servedItem struct {
	source  string
	m       *Metainfo
	seeding *Seeding
	copies  int          // that were told of
	sent    atomic.Int64 // bytes over HTTP
	err     error        // why it is withdrawn; guarded by server.mu
}

// Serve seeds what opts names until one of its goals is reached, all of it had to be withdrawn (Damaged), an event could
// not be told, or ctx is done. Files and folders become v1 torrents. An item that cannot be served is told of as an event,
// and the others are.
//
// Every byte that goes out is of a file that has the size, the time of modification and the inode that it had when it was
// hashed; otherwise the torrent is withdrawn.
func (c *Client) Serve(ctx context.Context, opts ServeOptions) (err error) {
	s := &server{c: c, opts: opts, start: time.Now(), wake: make(chan struct{}, 1), saved: map[string]bool{}, hash: map[InfoHash]*servedItem{}}
	if err := s.listen(ctx); err != nil {
		s.close()
		return err
	}
	defer s.close()
	if opts.Memory != "" {
		pruneSeedRecords(opts.Memory)
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	s.wg.Go(func() { s.watch(watching) })
	for _, arg := range opts.Items {
		ok, err := s.open(ctx, arg)
		if err != nil {
			return err
		}
		if !ok && opts.FailFast {
			return nil
		}
	}
	if s.opened == 0 {
		return nil
	}
	return s.run(ctx)
}

// listen starts the tracker and the web server.
func (s *server) listen(ctx context.Context) (err error) {
	if addr := s.opts.TrackerListen; addr != "" {
		if s.trackerAt, s.trackerIn, err = s.c.net.listenService(ctx, addr, true); err != nil {
			return fmt.Errorf("starting the tracker: %w", err)
		}
		s.tracker = newTrackerServer(trackerServerConfig{Self: s.self, OnPeer: s.heard, OnComplete: s.completed})
		s.serveHTTP(s.trackerAt, s.tracker)
		s.wg.Go(func() { s.tracker.serveUDP(s.trackerIn, s.c.policy.refuses) })
	}
	if addr := s.opts.HTTPListen; addr != "" {
		if s.webAt, _, err = s.c.net.listenService(ctx, addr, false); err != nil {
			return fmt.Errorf("starting the web server: %w", err)
		}
		s.web = newWebServer(s.c.up)
		s.serveHTTP(s.webAt, s.web)
	}
	return nil
}

func (s *server) serveHTTP(l net.Listener, h http.Handler) {
	service := newHTTPServer(h)
	s.services = append(s.services, service)
	s.wg.Go(func() { _ = service.Serve(limited(l)) }) // Close ends it
}

// self is where somebody at client finds the seed of this process.
func (s *server) self(client netip.Addr) []netip.AddrPort {
	if a := s.c.Addr(); a != nil {
		return s.c.net.reachableFrom(client, a)
	}
	return nil
}

// heard is told by the tracker of a peer that wants data. Who cannot be dialled may be able to dial, hence both try.
func (s *server) heard(h InfoHash, peer netip.AddrPort) {
	if it := s.item(h); it != nil {
		it.seeding.hear(peer)
	}
}

// completed is told by the tracker of a peer that has everything.
func (s *server) completed(h InfoHash, id [20]byte, peer netip.AddrPort) {
	if it := s.item(h); it != nil {
		it.seeding.copies.note(copyKeys(id, peer))
	}
}

func (s *server) item(h InfoHash) *servedItem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hash[h]
}

// nudge makes the server look at its state.
func (s *server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// open starts to serve an item; ok is false when that failed and was told.
func (s *server) open(ctx context.Context, arg string) (ok bool, err error) {
	it := &servedItem{source: arg}
	if err := s.withdraw(); err != nil { // hashing may take long
		return false, err
	}
	e, err := s.join(ctx, it)
	if err != nil && ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil {
		return false, s.tell(ServeEvent{Event: "failed", Source: arg, Err: err})
	}
	s.opened++
	return true, s.tell(it.event("serving", e, nil))
}

// join does what open promises.
func (s *server) join(ctx context.Context, it *servedItem) (*ServedItem, error) {
	load, err := s.load(ctx, it.source, func(err error) { s.lose(it, err) })
	if err != nil {
		return nil, err
	}
	it.m = load.m
	if other := s.item(it.m.Short()); other != nil {
		return nil, errorf(Exists, "serving %s: %s is the same torrent, and served already", it.source, other.source)
	}
	pub := s.publish(it.m)
	path, err := s.save(pub)
	if err != nil {
		return nil, err
	}
	it.seeding, err = s.c.seed(ctx, load.files, SeedOptions{
		Trackers: s.opts.Trackers, Peers: s.opts.Peers, Copied: s.nudge,
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.items = append(s.items, it)
	for _, h := range shorts(it.m) {
		s.hash[h] = it
	}
	s.mu.Unlock()
	magnet := MagnetOf(pub, MagnetOptions{Peers: it.seeding.Addrs()})
	e := &ServedItem{Magnet: magnet.String(), Torrent: path, Files: len(it.m.Files), Bytes: it.m.Length, Hashed: load.hashed}
	if s.tracker != nil {
		s.tracker.add(it.m)
	}
	if s.web != nil {
		s.web.add(it.m, &webItem{files: load.files, torrent: pub.Bytes(), sent: &it.sent, copies: newWebCopies(it.m, it.seeding.copies.noteFetcher)})
		e.TorrentURL = fmt.Sprintf("http://%s/%s.torrent", s.c.net.reachable(s.webAt.Addr())[0], webName(it.m))
	}
	return e, nil
}

// event is something that happened to an item.
func (it *servedItem) event(what string, served *ServedItem, totals *ServeTotals) ServeEvent {
	e := ServeEvent{Event: what, Source: it.source, Name: it.m.Name, ServedItem: served, ServeTotals: totals}
	if it.m.HasV1() {
		e.InfoHash = it.m.InfoHash.String()
	}
	if it.m.HasV2() {
		e.InfoHashV2 = it.m.InfoHashV2.String()
	}
	return e
}

func (s *server) tell(e ServeEvent) error {
	if s.opts.Event == nil {
		return nil
	}
	return s.opts.Event(e)
}

func (s *server) report(p Progress) {
	if s.opts.Progress != nil {
		s.opts.Progress(p)
	}
}

// lose notes that an item has changed on disk. It is called from any goroutine.
func (s *server) lose(it *servedItem, err error) {
	s.mu.Lock()
	it.err = err
	s.lost = append(s.lost, it)
	s.mu.Unlock()
	s.nudge()
}

// close leaves the swarms and ends the services.
func (s *server) close() {
	for _, it := range s.items {
		it.seeding.swarm.cancel() // all begin to leave before the first is waited for
	}
	for _, it := range s.items {
		it.seeding.Close()
	}
	for _, service := range s.services {
		service.Close()
	}
	for _, l := range []net.Listener{s.trackerAt, s.webAt} {
		if l != nil {
			l.Close()
		}
	}
	if s.trackerIn != nil {
		s.trackerIn.Close()
	}
	s.wg.Wait()
}

// errNothingLeft is why serving ends when every torrent was withdrawn.
var errNothingLeft = errors.New("every file or folder that was served has changed or is gone")
