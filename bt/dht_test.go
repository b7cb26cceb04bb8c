package bt

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	peer_store "github.com/anacrolix/dht/v2/peer-store"
	"github.com/anacrolix/torrent/bencode"
)

// startDHT starts n nodes on loopback that know the first, which knows the last.
func startDHT(t *testing.T, n int) (nodes []*dhtNode) {
	t.Helper()
	tr := testTransport(t, Config{Listen: "127.0.0.1"})
	var conns []net.PacketConn
	for range n {
		pc, err := tr.listenPacket(t.Context(), "udp4")
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, pc)
	}
	for i, pc := range conns {
		first := conns[0]
		if i == 0 {
			first = conns[n-1]
		}
		d, err := newDHT(t.Context(), tr, pc, dhtConfig{Nodes: []string{first.LocalAddr().String()}})
		if err != nil {
			t.Fatal(err)
		}
		d.retry = []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}
		t.Cleanup(d.close)
		d.begin()
		nodes = append(nodes, d)
	}
	return nodes
}

func TestDHT(t *testing.T) {
	nodes := startDHT(t, 4)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	found := make(chan []netip.AddrPort, 1000)
	wg.Go(func() { nodes[1].announce(ctx, testHash, 7001, func([]netip.AddrPort) {}) })
	wg.Go(func() { nodes[2].announce(ctx, testHash, 7002, func(p []netip.AddrPort) { found <- p }) })
	wg.Go(func() {
		nodes[3].announce(ctx, InfoHash{9}, 7003, func(p []netip.AddrPort) {
			if len(p) != 1 || p[0].Port() != 7003 { // itself
				t.Errorf("strangers %v", p)
			}
		})
	})
	want := netip.MustParseAddrPort("127.0.0.1:7001")
	nodes[2].addNode(ctx, nodes[1].addr())
	for got := false; !got; {
		for _, p := range receive(t, found) {
			got = got || p == want
		}
	}
	// One that only looks is not announced.
	n := nodes[3].search(ctx, testHash, 0, func(ps []netip.AddrPort) {
		for _, p := range ps {
			if p.Port() != 7001 && p.Port() != 7002 {
				t.Errorf("peer %v", p)
			}
		}
	})
	if n == 0 {
		t.Error("the fourth node finds nobody")
	}
	cancel()
	wg.Wait()
	if nodes[0].library().Addr().String() != nodes[0].addr().String() {
		t.Error("the library sees another node")
	}
}

// hostileKRPC is what killed the library, and more of the kind.
var hostileKRPC = []string{
	"d1:q13:announce_peer1:t1:x1:y1:qe",
	"d1:q3:put1:t1:x1:y1:qe",
	"d2:ip1:x1:t1:x1:y1:re",
	"d2:ip0:1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t1:x1:y1:re",
	"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaa6:valuesl1:xee1:t1:x1:y1:re",
	"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaa5:nodes1:xe1:t1:x1:y1:re",
	"d1:t1:x1:y1:re", "d1:t1:x1:y1:ee", "d1:t1:x1:y1:qe", "d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q9:find_nodes1:t1:x1:y1:qe",
	"d1:eli201e1:xe1:t1:x1:y1:ee1:", "de", "d", "", "le", "x", "d1:ad2:id1:xe1:q4:ping1:t1:x1:y1:qe",
	"d1:a" + strings.Repeat("l", 1000), "d1:a" + strings.Repeat("l", 30) + strings.Repeat("e", 30) + "e",
	"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaa1:v0:e1:q3:put1:t1:x1:y1:qe",
}

// TestDHTOnePacketKill sends what killed the library's server, each in one packet, to a node that must still answer.
func TestDHTOnePacketKill(t *testing.T) {
	node := startDHT(t, 2)[0]
	c, err := net.Dial("udp4", node.addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range append(hostileKRPC, strings.Repeat("d", 60000)) {
		c.Write([]byte(p))
		c.Write([]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:zz1:y1:qe"))
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		for buf := make([]byte, 2048); ; {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatalf("no answer after %.60q: %v", p, err)
			}
			if bytes.Contains(buf[:n], []byte("2:zz")) {
				break
			}
		}
	}
}

func FuzzGoodKRPC(f *testing.F) {
	for _, p := range hostileKRPC {
		f.Add([]byte(p))
	}
	f.Add([]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:zz1:y1:qe"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !goodKRPC(b) {
			return
		}
		var m krpc.Msg // as the server does it, unguarded
		if err := bencode.Unmarshal(b, &m); err != nil {
			if _, ok := err.(bencode.ErrUnusedTrailingBytes); !ok {
				t.Fatalf("the server would log %v", err)
			}
		}
		if m.Y == "q" && (m.A == nil || !knownQuery(m.Q)) {
			t.Fatalf("%+v", m)
		}
	})
}

func TestDHTPeersBounded(t *testing.T) {
	s := newDHTPeers()
	now := time.Now()
	s.now = func() time.Time { return now }
	ip := net.IPv4(127, 0, 0, 1)
	for port := range 3 * dhtMaxPeers {
		s.AddPeer(peer_store.InfoHash{1}, krpc.NodeAddr{IP: ip, Port: port})
	}
	for i := range 2 * dhtMaxHashes {
		s.AddPeer(peer_store.InfoHash{2, byte(i), byte(i >> 8)}, krpc.NodeAddr{IP: ip, Port: 1})
	}
	s.AddPeer(peer_store.InfoHash{3}, krpc.NodeAddr{IP: net.IP{1}, Port: 1})
	s.AddPeer(peer_store.InfoHash{3}, krpc.NodeAddr{IP: ip, Port: 70000})
	if len(s.hashes) > dhtMaxHashes || len(s.hashes[peer_store.InfoHash{1}]) != dhtMaxPeers {
		t.Errorf("%d infohashes, %d peers", len(s.hashes), len(s.hashes[peer_store.InfoHash{1}]))
	}
	if n := len(s.GetPeers(peer_store.InfoHash{1})); n != dhtMaxReply {
		t.Errorf("%d peers in a reply", n)
	}
	now = now.Add(dhtPeerLifetime + time.Second)
	if n := len(s.GetPeers(peer_store.InfoHash{1})); n != 0 {
		t.Errorf("%d peers are still there", n)
	}
	s.AddPeer(peer_store.InfoHash{3}, krpc.NodeAddr{IP: ip, Port: 1})
	if len(s.hashes) != 1 {
		t.Errorf("%d infohashes are still there", len(s.hashes))
	}
}

func TestDHTNodeCache(t *testing.T) {
	nodes := startDHT(t, 3)
	d := nodes[0]
	for len(d.server.Nodes()) == 0 {
		d.search(t.Context(), testHash, 0, func([]netip.AddrPort) {})
	}
	d.cfg.CacheFile = filepath.Join(t.TempDir(), "nodes")
	if err := d.saveNodes(); err != nil {
		t.Fatal(err)
	}
	got := readNodeCache(d.cfg.CacheFile)
	if len(got) == 0 || got[0].Addr().String() != "127.0.0.1" {
		t.Errorf("remembered %v", got)
	}
	junk := "junk\n\x00\n0.0.0.0:1\n127.0.0.1:0\n10.0.0.1:6881\n" + strings.Repeat("10.0.0.2:6881\n", 100000)
	if err := os.WriteFile(d.cfg.CacheFile, []byte(junk), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readNodeCache(d.cfg.CacheFile); len(got) != dhtMaxCache || got[0].String() != "10.0.0.1:6881" {
		t.Errorf("%d nodes of junk", len(got))
	}
	if got := readNodeCache(filepath.Join(t.TempDir(), "nosuch")); got != nil {
		t.Errorf("%v", got)
	}
}

func TestDHTNotWithProxy(t *testing.T) {
	for _, cfg := range []Config{{Proxy: "socks5://127.0.0.1:1"}, {LANOnly: true}} {
		pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, err = newDHT(t.Context(), testTransport(t, cfg), pc, dhtConfig{})
		wantCode(t, err, Usage)
		if pc.Close() == nil {
			t.Error("the socket was left open")
		}
	}
}
