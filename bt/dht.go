package bt

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	dhtlib "github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
	analog "github.com/anacrolix/log"
	"github.com/anacrolix/torrent"
	"golang.org/x/time/rate"
)

// publicNodes are asked first when nobody names others.
var publicNodes = []string{"router.bittorrent.com:6881", "dht.libtorrent.org:25401", "dht.transmissionbt.com:6881",
	"router.utorrent.com:6881", "dht.anacrolix.link:42069"}

const (
	dhtRound    = time.Minute      // at most, for one search
	dhtInterval = 15 * time.Minute // between announces that found somebody
	dhtMaxCache = 200              // nodes kept between runs
	dhtMaxFound = 5000             // peers taken from one search
)

// A dhtConfig says how a DHT node begins.
type dhtConfig struct {
	Nodes     []string // host:port; given = only these are asked first, and no public or remembered node
	CacheFile string   // where nodes are remembered between runs; "" = nowhere
	ReadOnly  bool     // it asks and does not answer, since it will not be there for long (BEP 43)
}

// A dhtNode is a node of the DHT (BEP 5, 32, 33, 42, 43, 44).
type dhtNode struct {
	transport *transport
	server    *dhtlib.Server
	peers     *dhtPeers
	cfg       dhtConfig
	private   bool // the nodes were given
	retry     []time.Duration
	ctx       context.Context // done when the node stops
	stop      context.CancelFunc
	wg        sync.WaitGroup
	beginOnce sync.Once
	closeOnce sync.Once
}

// newDHT makes a DHT node on pc, which it owns from now on. pc should have the number of the TCP port, since others
// assume that (BEP 5, implied_port). It answers, and contacts nobody until something is looked for: a session of which
// all is for the local network sends nothing out of that. It lives until close.
func newDHT(ctx context.Context, t *transport, pc net.PacketConn, cfg dhtConfig) (*dhtNode, error) {
	if t.noUDP() || t.lanOnly {
		pc.Close()
		return nil, errorf(Usage, "starting DHT: it is off with a proxy and with only local addresses")
	}
	for _, n := range cfg.Nodes {
		if _, _, err := splitHostPort(n); err != nil {
			pc.Close()
			return nil, errorf(Usage, "checking DHT node: %w", err)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &dhtNode{transport: t, peers: newDHTPeers(), cfg: cfg, private: len(cfg.Nodes) > 0, ctx: ctx, stop: stop,
		retry: []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}}
	resend := time.Second // the library's 2 s is for the slowest of lines
	if d.private {
		resend = 300 * time.Millisecond
	}
	var err error
	d.server, err = dhtlib.NewServer(&dhtlib.ServerConfig{
		Conn: newDHTConn(pc),
		// Public nodes must have an id that goes with their address (BEP 42), a private DHT may do as it likes.
		NoSecurity:       d.private,
		StartingNodes:    func() ([]dhtlib.Addr, error) { return d.startingNodes(ctx) },
		IPBlocklist:      t.policy.nodes(),
		OnQuery:          func(m *krpc.Msg, _ net.Addr) bool { return m.A != nil }, // it would die otherwise
		QueryResendDelay: func() time.Duration { return resend },
		PeerStore:        d.peers, // without one nobody could announce to us
		Store:            newDHTItems(),
		Passive:          cfg.ReadOnly,
		Exp:              2 * time.Hour,
		DefaultWant:      []krpc.Want{krpc.WantNodes, krpc.WantNodes6},
		SendLimiter:      rate.NewLimiter(250, 100), // the library's is one for all of a process
		Logger:           analog.NewLogger("dht").WithFilterLevel(analog.Disabled),
	})
	if err != nil {
		stop()
		pc.Close()
		return nil, errorf(Network, "starting DHT: %w", err)
	}
	return d, nil
}

// begin makes the node a part of the DHT, once; after close it does nothing.
func (d *dhtNode) begin() {
	d.beginOnce.Do(func() {
		d.wg.Go(func() { d.join(d.ctx) })
		// It ends soon after close, when its last query has timed out; nothing of ours depends on it.
		go d.server.TableMaintainer()
	})
}

// join greets the first nodes: a node counts for others only after it has answered.
func (d *dhtNode) join(ctx context.Context) {
	nodes, _ := d.startingNodes(ctx)
	var wg sync.WaitGroup
	for _, n := range nodes {
		wg.Go(func() { d.ping(ctx, n) })
	}
	wg.Wait()
}

func (d *dhtNode) ping(ctx context.Context, n dhtlib.Addr) {
	d.server.Query(ctx, n, "ping", dhtlib.QueryInput{NumTries: 2})
}

// startingNodes are those to ask when none is known.
func (d *dhtNode) startingNodes(ctx context.Context) (out []dhtlib.Addr, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	names := d.cfg.Nodes
	if !d.private {
		for _, p := range readNodeCache(d.cfg.CacheFile) {
			out = append(out, dhtlib.NewAddr(net.UDPAddrFromAddrPort(p)))
		}
		names = publicNodes
	}
	found := make([][]netip.AddrPort, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			var err error
			if found[i], err = d.transport.resolve(ctx, name); err != nil {
				d.transport.log.Debug("looking up DHT node", "node", name, "err", err)
			}
		})
	}
	wg.Wait()
	for _, p := range slices.Concat(found...) {
		if usablePeer(p) {
			out = append(out, dhtlib.NewAddr(net.UDPAddrFromAddrPort(p)))
		}
	}
	return out, nil
}

// addNode makes a node known that somebody told us of. It does not wait for the node's answer; ctx bounds that. It must
// not be called after close.
func (d *dhtNode) addNode(ctx context.Context, p netip.AddrPort) {
	if usablePeer(p) {
		d.begin()
		d.wg.Go(func() { d.ping(ctx, dhtlib.NewAddr(net.UDPAddrFromAddrPort(p))) })
	}
}

// library is the node for the library to tell of nodes that peers mention. Periodic announcing must be off there.
func (d *dhtNode) library() torrent.DhtServer {
	return torrent.AnacrolixDhtServerWrapper{Server: d.server}
}

// addr is where the node listens.
func (d *dhtNode) addr() netip.AddrPort {
	return unmapPort(d.server.Addr().(*net.UDPAddr).AddrPort())
}

// announce tells the DHT, until ctx is done, that we are a peer of an infohash at a port (0: we only look), and
// reports the peers found. It searches at once, soon again while nobody is found, and then every 15 minutes. Private
// torrents must not be announced (BEP 27). begin must have been called. It returns after the last call of onPeers.
func (d *dhtNode) announce(ctx context.Context, h InfoHash, port uint16, onPeers func([]netip.AddrPort)) {
	for try := 0; ctx.Err() == nil; try++ {
		wait := dhtInterval
		if found := d.search(ctx, h, port, onPeers); found == 0 && try < len(d.retry) {
			wait = d.retry[try]
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// search looks once for peers of h, announces if port is not 0, and returns how many it found that cannot be ourselves:
// the DHT tells us of us, and our address out there is not known. Others with our port are reported, but not counted.
func (d *dhtNode) search(ctx context.Context, h InfoHash, port uint16, onPeers func([]netip.AddrPort)) int {
	ctx, cancel := context.WithTimeout(ctx, dhtRound)
	defer cancel()
	var opts []dhtlib.AnnounceOpt
	if port != 0 {
		opts = append(opts, dhtlib.AnnouncePeer(dhtlib.AnnouncePeerOpts{Port: int(port)}))
	}
	a, err := d.server.AnnounceTraversal(h, opts...)
	if err != nil {
		d.transport.log.Debug("searching the DHT", "infohash", h, "err", err)
		return 0
	}
	defer context.AfterFunc(ctx, a.Close)()
	seen, others := make(map[netip.AddrPort]bool), 0
	// Until it is closed the channel must be read, or the search never ends.
	for values := range a.Peers {
		var fresh []netip.AddrPort
		for _, na := range values.Peers {
			p, ok := nodeAddrPort(na)
			if ok && !seen[p] && len(seen) < dhtMaxFound {
				seen[p] = true
				fresh = append(fresh, p)
				if p.Port() != port {
					others++
				}
			}
		}
		if len(fresh) > 0 && ctx.Err() == nil {
			onPeers(fresh)
		}
	}
	return others
}

// close stops the node and remembers its nodes. announce must have been stopped before. It may be called twice.
func (d *dhtNode) close() {
	d.closeOnce.Do(func() {
		d.beginOnce.Do(func() {}) // from now on nothing begins
		if d.cfg.CacheFile != "" && !d.private {
			if err := d.saveNodes(); err != nil {
				d.transport.log.Debug("remembering DHT nodes", "err", err)
			}
		}
		d.stop()
		d.server.Close()
	})
	d.wg.Wait()
}

// saveNodes writes the nodes known, a line each; a file of none is left as it was.
func (d *dhtNode) saveNodes() error {
	var text strings.Builder
	for i, n := range d.server.Nodes() {
		if p, ok := nodeAddrPort(n.Addr); ok && i < dhtMaxCache {
			text.WriteString(p.String() + "\n")
		}
	}
	if text.Len() == 0 {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(d.cfg.CacheFile), ".dht-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text.String())
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), d.cfg.CacheFile)
}

// readNodeCache reads what saveNodes wrote. A file that is not there or damaged gives what can be had of it.
func readNodeCache(name string) (out []netip.AddrPort) {
	f, err := os.Open(name)
	if name == "" || err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() && len(out) < dhtMaxCache {
		if p, err := netip.ParseAddrPort(strings.TrimSpace(lines.Text())); err == nil && usablePeer(p) {
			out = append(out, p)
		}
	}
	return out
}
