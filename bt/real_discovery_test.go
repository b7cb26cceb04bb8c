package bt_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// single is a torrent of one file, with the paths of both.
func single(t *testing.T, size int, opts bt.CreateOptions) (m *bt.Metainfo, torrent, path string) {
	t.Helper()
	opts.Path = bttest.RandomFile(t, t.TempDir(), "song.bin", size)
	m, torrent = created(t, opts)
	return m, torrent, opts.Path
}

// copied is a copy of a file, since two sessions do not share one.
func copied(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	if err == nil {
		err = os.WriteFile(to, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestRealTracker(t *testing.T) {
	t.Parallel()
	for i, scheme := range []string{"http", "udp"} {
		for _, by := range []string{"torrent", "magnet"} {
			t.Run(scheme+"/"+by, func(t *testing.T) {
				t.Parallel()
				m, torrent, path := single(t, 300_000, bt.CreateOptions{})
				httpURL, udpURL := bttest.OpenTracker(t, [20]byte(m.InfoHash))
				tracker := []string{[]string{httpURL, udpURL}[i]}
				seeded(t, session(t, bt.Config{}), m, path, bt.SeedOptions{Trackers: tracker})
				arg := torrent
				if by == "magnet" {
					arg = magnet(m)
				}
				var status []bt.TrackerStatus
				download(t, session(t, bt.Config{}), arg, path, bt.DownloadOptions{
					Trackers: tracker, Progress: func(p bt.Progress) {
						if p.Trackers != nil {
							status = p.Trackers
						}
					},
				})
				if len(status) > 0 && (status[0].URL != tracker[0] || status[0].Error != "") {
					t.Errorf("status %+v", status)
				}
			})
		}
	}
}

// Two sessions meet through a third that is but a DHT node.
func TestRealDHT(t *testing.T) {
	t.Parallel()
	m, torrent, path := single(t, 300_000, bt.CreateOptions{})
	node := dhtNode(t)
	seeded(t, session(t, bt.Config{DHTNodes: []string{node}}), m, path, bt.SeedOptions{})
	for _, arg := range []string{torrent, magnet(m)} {
		download(t, session(t, bt.Config{DHTNodes: []string{node}}), arg, path, bt.DownloadOptions{})
	}
}

// dhtNode starts a session that is a DHT node for others, and returns its address.
func dhtNode(t *testing.T) string {
	t.Helper()
	m, _, path := single(t, 1000, bt.CreateOptions{Source: "of the node"})
	dead, err := net.ListenPacket("udp4", "127.0.0.1:0") // nobody else is there yet
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dead.Close() })
	c := session(t, bt.Config{DHTNodes: []string{dead.LocalAddr().String()}})
	seeded(t, c, m, path, bt.SeedOptions{})
	return c.Addr().String()
}

// libtorrent is the node, and a seed that announces itself in the DHT.
func TestRealDHTLibtorrent(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "libtorrent")
	m, torrent, path := single(t, 300_000, bt.CreateOptions{})
	node := dhtNode(t)
	seed := bttest.LibtorrentWith(t, torrent, filepath.Dir(path), "", "enable_dht=1", "dht_bootstrap_nodes="+node,
		"dht_restrict_routing_ips=0", "dht_restrict_search_ips=0", "dht_enforce_node_id=0", "dht_prefer_verified_node_ids=0",
		"alert_mask=2147483647")
	seed.WaitComplete(t)
	download(t, session(t, bt.Config{DHTNodes: []string{node}}), magnet(m), path, bt.DownloadOptions{})
}

// C knows only A, which has one of two files; B has both, and A knows it.
func TestRealPEX(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		t.Run(fmt.Sprint("off ", off), func(t *testing.T) {
			t.Parallel()
			root := mkdir(t, t.TempDir(), "two")
			bttest.RandomFile(t, root, "one", 64<<10)
			bttest.RandomFile(t, root, "two", 100_000)
			m, torrent := created(t, bt.CreateOptions{Path: root})
			a, b := session(t, bt.Config{}), session(t, bt.Config{})
			seeded(t, b, m, root, bt.SeedOptions{})
			background(t, a, torrent, bt.DownloadOptions{
				Dir: t.TempDir(), Peers: []string{b.Addr().String()}, Select: bt.Selection{Include: []string{"one"}},
			})
			opts := bt.DownloadOptions{Dir: t.TempDir(), Peers: []string{a.Addr().String()}, StallTimeout: 3 * time.Second}
			_, err := session(t, bt.Config{NoPEX: off}).Download(t.Context(), source(t, torrent), opts)
			if off && bt.CodeOf(err) != bt.Stalled || !off && err != nil {
				t.Error(err)
			}
		})
	}
}

// A private torrent is announced to its trackers and to nobody else (BEP 27).
func TestRealPrivate(t *testing.T) {
	t.Parallel()
	m, torrent, path := single(t, 300_000, bt.CreateOptions{Private: true})
	node := dhtNode(t)
	seeded(t, session(t, bt.Config{DHTNodes: []string{node}}), m, path, bt.SeedOptions{})
	seedAddr := ""
	tracker := bttest.NewTracker(t)
	c := session(t, bt.Config{})
	seeded(t, c, m, copied(t, path), bt.SeedOptions{Trackers: []string{tracker.HTTP}})
	seedAddr = c.Addr().String()
	t.Run("no DHT", func(t *testing.T) {
		_, err := session(t, bt.Config{DHTNodes: []string{node}}).Download(t.Context(), source(t, torrent),
			bt.DownloadOptions{Dir: t.TempDir(), Peers: []string{"127.0.0.1:1"}, StallTimeout: 3 * time.Second})
		if bt.CodeOf(err) != bt.NoPeers {
			t.Errorf("found somebody: %v", err)
		}
	})
	t.Run("tracker", func(t *testing.T) {
		download(t, session(t, bt.Config{DHTNodes: []string{node}}), torrent, path, bt.DownloadOptions{Trackers: []string{tracker.UDP}})
	})
	t.Run("magnet", func(t *testing.T) {
		download(t, session(t, bt.Config{}), magnet(m, seedAddr), path, bt.DownloadOptions{})
	})
}

// The address to listen on is the one that connections come from, and a port is kept or refused.
func TestRealListen(t *testing.T) {
	t.Parallel()
	m, torrent, path := single(t, 100_000, bt.CreateOptions{})
	tracker := bttest.NewTracker(t)
	port := bttest.FreePort(t)
	c := session(t, bt.Config{Listen: "127.0.0.9", Port: port})
	seeded(t, c, m, path, bt.SeedOptions{Trackers: []string{tracker.HTTP}})
	want := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), uint16(port))
	got := tracker.Wait(t, func(a []bttest.Announce) bool { return len(a) > 0 })
	if got[0].Peer != want {
		t.Errorf("announced from %v, want %v", got[0].Peer, want)
	}
	download(t, session(t, bt.Config{Listen: "127.0.0.8"}), torrent, path, bt.DownloadOptions{Trackers: []string{tracker.HTTP}})
	_, err := session(t, bt.Config{Listen: "127.0.0.9", Port: port}).Seed(t.Context(), m, bt.SeedOptions{Dir: filepath.Dir(copied(t, path))})
	if bt.CodeOf(err) != bt.Network {
		t.Errorf("the same port again: %v", err)
	}
}

func TestRealInterface(t *testing.T) {
	t.Parallel()
	m, torrent, path := single(t, 100_000, bt.CreateOptions{})
	c := session(t, bt.Config{Interface: "lo"})
	s := seeded(t, c, m, path, bt.SeedOptions{})
	download(t, session(t, bt.Config{Interface: "lo"}), torrent, path, bt.DownloadOptions{Peers: s.Addrs()})
}
