package bt

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"

	liblog "github.com/anacrolix/log"
	"github.com/anacrolix/torrent"
	lib "github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/mse"
	pp "github.com/anacrolix/torrent/peer_protocol"
	"github.com/anacrolix/torrent/storage"
	"golang.org/x/time/rate"
)

// version is what peers and trackers are told; the peer id prefix follows BEP 20.
const (
	defaultUserAgent = "shoal/0.1"
	peerIDPrefix     = "-SH0010-"
	libraryName      = "anacrolix/torrent" // for who is not to be named
)

// limiterBurst bounds how far a rate limit may be overdrawn: a few blocks, so that a low limit is smooth.
const (
	limiterBurst = 256 << 10
	minBurst     = 16 << 10
)

// A Client is one session: one listening port and any number of torrents. It opens no socket before it needs one, so
// that a download which turns out to be complete stays offline.
type Client struct {
	cfg    Config
	log    *slog.Logger
	up     *rate.Limiter
	down   *rate.Limiter
	limits sync.Mutex // held while up and down change
	policy *policy
	net    *transport
	http   *http.Client // for .torrent files
	web    *http.Client // for webseeds
	seeds  *handlePool  // of files that are seeded where they lie

	byTorrent sync.Map // *torrent.Torrent → *swarm, for callbacks of the library
	keepers   sync.Map // InfoHash → doorkeeper, of torrents that are not for everybody
	doors     sync.Map // *torrent.PeerConn → door, of connections that have one

	mu     sync.Mutex // guards what follows
	sess   *session
	closed bool
}

// session is what a Client has once it is on the network.
type session struct {
	lib    *torrent.Client
	listen net.Listener   // nil when nobody may connect to us
	udp    net.PacketConn // nil when neither DHT nor uTP is on
	dht    *dhtNode       // nil when off
	lpd    *lpd           // nil when off
	port   int            // 0 when nobody may connect to us

	trackers *trackerClient

	mu      sync.Mutex      // guards what follows
	members map[member]bool // those that have not left
	ports   *portMapper     // nil while the router is not asked
	closed  bool
}

// A member is what ends with the session: it has goroutines of its own.
type member interface {
	stop() // makes them end
	wait() // returns after the last
}

var errClosed = errors.New("the session is closed")

// NewClient prepares a session. It checks cfg, but does not touch the network yet. ctx bounds only the checks.
func NewClient(ctx context.Context, cfg Config) (*Client, error) {
	switch {
	case cfg.NoName:
		cfg.UserAgent = libraryName
	case cfg.UserAgent == "":
		cfg.UserAgent = defaultUserAgent
	}
	if cfg.UPnP && (cfg.Interface != "" || cfg.Proxy != "") {
		return nil, errorf(Usage, "port mapping would not keep to the interface or proxy").withHint("leave --upnp out")
	}
	cfg.LPD = cfg.LPD || cfg.LANOnly
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	tr, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Proxy != "" {
		log.Info("a proxy carries TCP alone: DHT, local discovery, uTP and UDP trackers are off")
	}
	c := &Client{
		cfg: cfg, log: log, net: tr, policy: newPolicy(cfg), http: tr.httpClient(false), web: tr.httpClient(true),
		seeds: newHandlePool(os.OpenFile, maxHandles),
		up:    rate.NewLimiter(rate.Inf, limiterBurst),
		down:  rate.NewLimiter(rate.Inf, limiterBurst),
	}
	c.SetLimits(cfg.DownloadLimit, cfg.UploadLimit)
	return c, nil
}

// SetLimits changes the limits of the session, in bytes a second; 0 = unlimited.
func (c *Client) SetLimits(down, up int64) {
	c.limits.Lock()
	defer c.limits.Unlock()
	// Who waits for a limiter goes on waiting when the limit is raised, so one read must not be worth long.
	c.down.SetBurst(int(min(max(down/2, minBurst), limiterBurst)))
	if down <= 0 {
		c.down.SetBurst(limiterBurst)
	}
	c.down.SetLimit(limitOf(down))
	c.up.SetLimit(limitOf(up))
}

// unlimited calls f, which makes the library dial, without the download limit: at its limit the library dials nobody, so
// that one long download would keep a node from its other peers.
func (c *Client) unlimited(f func()) {
	c.limits.Lock()
	defer c.limits.Unlock()
	if limit := c.down.Limit(); limit != rate.Inf && c.down.Tokens() <= 0 {
		c.down.SetLimit(rate.Inf)
		defer c.down.SetLimit(limit)
	}
	f()
}

func limitOf(bytesPerSecond int64) rate.Limit {
	if bytesPerSecond <= 0 {
		return rate.Inf
	}
	return rate.Limit(bytesPerSecond)
}

// HTTP is an HTTP client that keeps to the session's interface, proxy and address rules.
func (c *Client) HTTP() *http.Client { return c.http }

// Addr is the address the session listens on; nil before it is on the network, or when nobody may connect to it.
func (c *Client) Addr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sess == nil || c.sess.listen == nil {
		return nil
	}
	return c.sess.listen.Addr()
}

// session puts the Client on the network, once.
func (c *Client) session(ctx context.Context) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if c.sess != nil {
		return c.sess, nil
	}
	s, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	c.sess = s
	return s, nil
}

func (c *Client) start(ctx context.Context) (_ *session, err error) {
	if err := c.net.checkProxy(ctx); err != nil {
		return nil, err
	}
	s := &session{trackers: newTrackerClient(c.net), members: map[member]bool{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var udp net.PacketConn
	if s.listen, udp, err = c.net.listen(ctx, c.wantUDP()); err != nil {
		return nil, err
	}
	if s.listen != nil {
		s.port = portOf(s.listen.Addr())
	}
	if s.lib, err = torrent.NewClient(c.libConfig()); err != nil {
		return nil, errorf(Network, "starting the session: %w", err)
	}
	s.lib.AddDialer(torrent.NetworkDialer{Network: "tcp", Dialer: peerDialer{c.net}})
	if s.listen != nil {
		s.lib.AddListener(s.listen)
	}
	if err := c.startUDP(ctx, s, udp); err != nil {
		return nil, err
	}
	if (c.cfg.LPD || c.cfg.TryLPD) && !c.net.noUDP() {
		if s.lpd, err = newLPD(c.net, uint16(s.port)); err != nil && c.cfg.LPD {
			return nil, err
		} else if err != nil {
			c.log.Info("nobody is looked for in the local network", "err", err)
		}
	}
	c.log.Info("session started", "port", s.port)
	return s, nil
}

// libConfig switches off all that the library would do by itself with the network, the disk or a terminal.
func (c *Client) libConfig() *torrent.ClientConfig {
	quietLibrary()
	cfg := torrent.NewDefaultClientConfig()
	cfg.DisableTCP, cfg.DisableUTP, cfg.NoDHT = true, true, true // sockets are ours, see transport
	cfg.DisableTrackers, cfg.PeriodicallyAnnounceTorrentsToDht = true, false
	// After one handshake for a torrent that is not here, the library would refuse all of a /24 for a quarter of an hour:
	// who comes too early, or too late, is no enemy.
	cfg.DisableAcceptRateLimiting = true
	cfg.NoDefaultPortForwarding = !c.cfg.UPnP || c.cfg.LANOnly
	cfg.DisableWebtorrent = true
	cfg.DefaultStorage = noStorage{}
	cfg.ListenPort = 0
	cfg.DisablePEX = c.cfg.NoPEX
	cfg.DisableWebseeds = c.cfg.NoWebseeds
	cfg.AcceptPeerConnections = true
	cfg.Seed = true
	cfg.Slogger = c.log.WithGroup("library")
	cfg.IPBlocklist = c.policy
	cfg.UploadRateLimiter, cfg.DownloadRateLimiter = c.up, c.down
	cfg.DialRateLimiter = rate.NewLimiter(50, 50)
	cfg.AlwaysWantConns = true // else it refuses who comes while a download is at its limit
	if c.cfg.MaxUnverified > 0 {
		cfg.MaxUnverifiedBytes = c.cfg.MaxUnverified
	}
	if !c.cfg.NoName {
		cfg.Bep20 = peerIDPrefix
	}
	// The library's own would name the program that it is part of.
	cfg.HTTPUserAgent, cfg.ExtendedHandshakeClientVersion, cfg.UpnpID = c.cfg.UserAgent, c.cfg.UserAgent, c.cfg.UserAgent
	cfg.Callbacks.ReadMessage = func(pc *torrent.PeerConn, m *pp.Message) {
		guardMessage(pc, m)
		if w := c.copyWatch(pc); w != nil {
			w.heard(pc, m)
		}
	}
	cfg.Callbacks.PeerConnClosed = func(pc *torrent.PeerConn) {
		if w := c.copyWatch(pc); w != nil {
			w.left(pc)
		}
	}
	cfg.Callbacks.PeerConnAdded = append(cfg.Callbacks.PeerConnAdded, func(pc *torrent.PeerConn) {
		// The library's lock is held: nothing here may call it or wait.
		if w, ok := c.byTorrent.Load(pc.Torrent()); ok {
			w.(*swarm).book.connectedTo(pc.RemoteAddr.String())
		}
		if w := c.copyWatch(pc); w != nil {
			w.met(pc)
		}
	})
	c.guardLibrary(&cfg.Callbacks)
	cfg.WebTransport = newWebseedTransport(c.web.Transport)
	if c.cfg.MaxPeers > 0 {
		cfg.EstablishedConnsPerTorrent = c.cfg.MaxPeers
	}
	c.setEncryption(cfg)
	return cfg
}

// copyWatch is who counts the copies of the torrent that a connection is about, nil when nobody does.
func (c *Client) copyWatch(pc *torrent.PeerConn) *copyWatch {
	if w, ok := c.byTorrent.Load(pc.Torrent()); ok {
		return w.(*swarm).copies
	}
	return nil
}

// quietLibrary keeps what the library logs through package variables off standard error.
var quietLibrary = sync.OnceFunc(func() {
	liblog.Default.Handlers = []liblog.Handler{liblog.DiscardHandler}
})

// Close ends all torrents and returns after the last goroutine of the session. It may be called twice.
func (c *Client) Close() error {
	c.mu.Lock()
	s := c.sess
	c.sess, c.closed = nil, true
	c.mu.Unlock()
	if s != nil {
		s.close()
	}
	c.web.CloseIdleConnections()
	c.http.CloseIdleConnections()
	c.seeds.close()
	return nil
}

// enter counts a member in, so that it ends with the session.
func (s *session) enter(m member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.members[m] = true
	return nil
}

func (s *session) left(m member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, m)
}

// end makes the goroutines of all members end.
func (s *session) end() {
	s.mu.Lock()
	s.closed = true
	members := slices.Collect(maps.Keys(s.members))
	s.mu.Unlock()
	for _, m := range members {
		m.stop()
	}
	for _, m := range members {
		m.wait()
	}
}

func (s *session) close() {
	s.end()
	s.mu.Lock()
	ports := s.ports
	s.mu.Unlock()
	ports.close()
	if s.lpd != nil {
		s.lpd.close()
	}
	if s.dht != nil {
		s.dht.close()
	}
	if s.lib != nil {
		s.lib.Close()
	}
	if s.listen != nil {
		s.listen.Close() // not before: the library would accept and fail until it is closed
	}
	if s.udp != nil {
		s.udp.Close()
	}
	s.trackers.close()
}

func portOf(a net.Addr) int {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.Port
	}
	return 0
}

// setEncryption says which connections the library makes and takes.
func (c *Client) setEncryption(cfg *torrent.ClientConfig) {
	switch c.cfg.Encryption {
	case EncryptionRequire:
		cfg.HeaderObfuscationPolicy = torrent.HeaderObfuscationPolicy{Preferred: true, RequirePreferred: true}
		cfg.CryptoProvides = mse.CryptoMethodRC4
		cfg.CryptoSelector = func(mse.CryptoMethod) mse.CryptoMethod { return mse.CryptoMethodRC4 }
	case EncryptionOff:
		cfg.HeaderObfuscationPolicy = torrent.HeaderObfuscationPolicy{Preferred: false, RequirePreferred: true}
	}
}

// noStorage is the library's default storage, which is never used: each torrent is given its own.
type noStorage struct{}

func (noStorage) OpenTorrent(context.Context, *lib.Info, lib.Hash) (storage.TorrentImpl, error) {
	return storage.TorrentImpl{}, errors.New("no storage was given")
}

// peerDialer makes connections to peers for the library.
type peerDialer struct{ t *transport }

func (d peerDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.t.dialPeer(ctx, network, addr)
}
