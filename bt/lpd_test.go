package bt

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParseLPD(t *testing.T) {
	h1, h2 := strings.Repeat("aB", 20), strings.Repeat("01", 20)
	head := "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n"
	m, ok := parseLPD([]byte(head + "PORT: 6881\r\nInfohash: " + h1 + "\r\ninfohash:" + h2 + "\r\ncookie: x\r\n\r\n\r\n"))
	if !ok || m.port != 6881 || len(m.hashes) != 2 || m.hashes[0].String() != strings.ToLower(h1) || m.cookie != "x" {
		t.Errorf("%+v, %v", m, ok)
	}
	for _, bad := range []string{
		"", "\r\n", "GET / HTTP/1.1\r\nPort: 1\r\nInfohash: " + h1,
		head + "Port: 6881\r\nInfohash: zz\r\n",
		head + "Port: 6881\r\nInfohash: " + strings.Repeat("zz", 20),
		head + "Port: 0\r\nInfohash: " + h1, head + "Port: 65536\r\nInfohash: " + h1, head + "Port: -1\r\nInfohash: " + h1,
		head + "Infohash: " + h1, head + "Port: 1\r\n\r\nInfohash: " + h1, head + "no colon\r\nPort: 1\r\nInfohash: " + h1,
		head + "Port: 1\r\nInfohash: " + h1 + strings.Repeat("\r\na: b", 400),
	} {
		if m, ok := parseLPD([]byte(bad)); ok {
			t.Errorf("%q passes as %+v", bad, m)
		}
	}
}

func FuzzParseLPD(f *testing.F) {
	f.Add(lpdMessage{6881, []InfoHash{{1}, {2}}, "cookie"}.packet(lpdGroup4))
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\nPort: 1\nInfohash: " + strings.Repeat("z", 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseLPD(b)
		if !ok {
			return
		}
		again, ok := parseLPD(m.packet(lpdGroup4))
		if len(m.packet(lpdGroup4)) <= lpdMaxPacket && (!ok || !reflect.DeepEqual(m, again)) {
			t.Fatalf("%+v comes back as %+v", m, again)
		}
	})
}

func TestLPDHeedsLittle(t *testing.T) {
	l := &lpd{transport: testTransport(t, Config{}), cookie: "ours", torrents: make(map[InfoHash]func(netip.AddrPort))}
	var got []netip.AddrPort
	l.torrents[testHash] = func(p netip.AddrPort) { got = append(got, p) }
	from := netip.MustParseAddrPort("10.0.0.1:6771")
	l.heed(lpdMessage{80, []InfoHash{{9}}, ""}.packet(""), from)
	l.heed(lpdMessage{80, []InfoHash{testHash}, "ours"}.packet(""), from)
	l.heed(lpdMessage{80, []InfoHash{testHash}, ""}.packet(""), netip.MustParseAddrPort("224.0.0.1:1"))
	if len(got) > 0 {
		t.Errorf("heeded %v", got)
	}
	for range 100 {
		l.heed(lpdMessage{80, []InfoHash{{9}, testHash}, "other"}.packet(""), from)
	}
	if len(got) != lpdPerMinute-1 || got[0].String() != "10.0.0.1:80" {
		t.Errorf("heeded %d packets of one source in a minute", len(got))
	}
	for i := range 2 * lpdSources {
		l.allow(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), time.Now())
	}
	if len(l.sources) > lpdSources {
		t.Errorf("%d sources remembered", len(l.sources))
	}
}

func TestLPDNotWithProxy(t *testing.T) {
	_, err := newLPD(testTransport(t, Config{Proxy: "socks5://127.0.0.1:1"}), 1)
	wantCode(t, err, Network)
}

func TestLPDSchedule(t *testing.T) {
	l := &lpd{torrents: map[InfoHash]func(netip.AddrPort){testHash: nil}, sent: make(map[InfoHash]time.Time)}
	now := time.Now()
	due := func(after time.Duration) int { h, _ := l.due(now.Add(after)); return len(h) }
	if due(0) != 1 || due(4*time.Minute) != 0 || due(5*time.Minute) != 1 {
		t.Error("not announced at once and each 5 minutes")
	}
	l.remove(testHash)
	due(5*time.Minute + time.Second)
	l.torrents[testHash] = nil
	if due(5*time.Minute+30*time.Second) != 0 {
		t.Error("announced twice in a minute")
	}
}

// TestLPD has two sessions of one machine that hear each other, on the loopback interface of a network namespace if
// there can be one.
func TestLPD(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("multicast over loopback is sure on Linux only")
	}
	const inner = "SHOAL_TEST_IN_NAMESPACE"
	if os.Getenv(inner) == "" && exec.Command("unshare", "-rn", "true").Run() == nil {
		script := `ip link set lo up multicast on && ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up && ip addr add fd00::1/64 dev v0 nodad && exec "$0" -test.run '^TestLPD$' -test.v`
		cmd := exec.CommandContext(t.Context(), "unshare", "-rn", "sh", "-c", script, os.Args[0])
		cmd.Env = append(os.Environ(), inner+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if os.Getenv(inner) == "" {
		t.Skip("no user namespaces, or no ip command: packets would leave the machine")
	}
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	for _, cfg := range []Config{{Listen: "127.0.0.1"}, {Interface: "lo"}, {Listen: "fd00::1"}} {
		t.Run(fmt.Sprint(cfg.Listen, cfg.Interface), func(t *testing.T) {
			a, err := newLPDOn(testTransport(t, cfg), 7001, port)
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			b, err := newLPDOn(testTransport(t, cfg), 7002, port)
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			heardA, heardB := make(chan netip.AddrPort, 100), make(chan netip.AddrPort, 100)
			// What killed others: a hash that is no hash (reference of the library's own discovery).
			for _, c := range a.conns {
				c.send(lpdMessage{1, nil, hex.EncodeToString([]byte("junk")) + "\r\nInfohash: zz"})
			}
			a.add(testHash, func(p netip.AddrPort) { heardA <- p })
			b.add(testHash, func(p netip.AddrPort) { heardB <- p })
			b.add(InfoHash{7}, func(netip.AddrPort) { t.Error("nobody else has this") })
			p := receive(t, heardA)
			if !isLocal(p.Addr()) || p.Port() != 7002 {
				t.Errorf("heard of %v", p)
			}
			if cfg.Listen != "" && p.Addr().String() != cfg.Listen {
				t.Errorf("heard of %v", p)
			}
			a.close()
			b.close()
			a.close()
			for len(heardA) > 0 {
				if p := <-heardA; p.Port() == 7001 {
					t.Error("heard itself")
				}
			}
		})
	}
}
