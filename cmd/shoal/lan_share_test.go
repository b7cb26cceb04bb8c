package main

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt/bttest"
	"shoal/share/secret"
)

// watcher prints the destination of each IP packet on an interface, and the packet.
const watcher = `
import ipaddress, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
s.bind((sys.argv[1], 0))
print("watching", flush=True)
while True:
    p = s.recv(65535)
    kind = p[12:14]
    if kind == b"\x08\x00":
        print("packet", ipaddress.ip_address(p[30:34]), p.hex(), flush=True)
    elif kind == b"\x86\xdd":
        print("packet", ipaddress.ip_address(p[38:54]), p.hex(), flush=True)
`

// dhtNode answers every query of the DHT, so that more are asked.
const dhtNode = `
import re, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print("answering", flush=True)
while True:
    p, who = s.recvfrom(65535)
    m = re.search(rb"1:t(\d+):", p)
    if m and b"1:y1:q" in p:
        t = p[m.end():m.end() + int(m[1])]
        s.sendto(b"d1:rd2:id20:" + b"x" * 20 + b"5:nodes0:5:token1:xe1:t%d:%b1:y1:re" % (len(t), t), who)
`

// lan is two machines on a cable, of which the second is the world outside as well: it has addresses that are not local,
// and the first goes there for all of them.
type lan struct {
	t     *testing.T
	hosts [2]bttest.Host
	homes [2]string
	watch *bttest.Process
}

// The world outside of a lan: somebody told of as a host and as trackers of a share, and who all else is.
const lanDead, lanOutside = "203.0.113.7", "203.0.113.9"

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{t: t, hosts: bttest.TwoHosts(t), homes: [2]string{t.TempDir(), t.TempDir()}}
	bttest.Need(t, "libtorrent") // and with it python3
	for _, addr := range []string{lanDead, lanOutside} {
		if out, err := l.hosts[1].Command("ip", "addr", "add", addr+"/32", "dev", "lo").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	l.watch = l.hosts[0].Start(t, "/usr/bin/python3", "-c", watcher, l.hosts[0].Interface)
	l.watch.WaitLine(t, "watching")
	return l
}

func (l *lan) start(i int, args ...string) *bttest.Process {
	l.t.Helper()
	return l.hosts[i].Start(l.t, "env", append([]string{"SHOAL_HOME=" + l.homes[i], "shoal"}, args...)...)
}

func (l *lan) run(i int, args ...string) string {
	l.t.Helper()
	p := l.start(i, args...)
	if status := p.Wait(l.t); status != 0 {
		l.t.Fatalf("status %d:\n%s", status, p.Output())
	}
	return p.Output()
}

// join gives the second machine a share of the first; the token is returned.
func (l *lan) join(name, dir string, flags ...string) (token string) {
	l.t.Helper()
	token = strings.TrimSpace(l.run(0, "share", "token", name, "--role", "write"))
	file := filepath.Join(l.homes[1], name)
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.run(1, append([]string{"share", "add", file, dir, "--name", name}, flags...)...)
	return token
}

// left are the packets that went out of the network of the cable so far, and inside is how many did not.
func (l *lan) left() (out []lanPacket, inside int) {
	l.t.Helper()
	cable := []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24"), netip.MustParsePrefix("fd77::/64")}
	const ssdp = "239.255.255.250" // a router may pass on what it is asked there
	for line := range strings.SplitSeq(l.watch.Output(), "\n") {
		text, ok := strings.CutPrefix(line, "packet ")
		if !ok {
			continue
		}
		addr, packet, _ := strings.Cut(text, " ")
		to, err := netip.ParseAddr(addr)
		if err != nil {
			l.t.Fatal(err)
		}
		b, err := hex.DecodeString(packet)
		if err != nil {
			l.t.Fatal(err)
		}
		if addr != ssdp && (cable[0].Contains(to) || cable[1].Contains(to) || to.IsMulticast() || to.IsLinkLocalUnicast()) {
			inside++
			continue
		}
		out = append(out, lanPacket{addr, string(b)})
	}
	if inside == 0 {
		l.t.Error("no packet was seen at all")
	}
	return out, inside
}

type lanPacket struct{ to, bytes string }

// outside are flags of a share that is for the local network alone, and was told of others all the same.
var outside = []string{"--lan-only", "--host", lanDead + ":6881", "-t", "http://" + lanDead + ":6969/announce", "-t", "udp://" + lanDead + ":6969"}

// Two machines on a cable keep a folder the same with nothing but a token: they find each other by local discovery, and
// with --lan-only no packet goes to any other address, whatever trackers and hosts they were told of.
func TestShareOnLAN(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	a, b := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(a, "file"), []byte("on the cable"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.run(0, append([]string{"share", "create", "docs", a}, outside...)...)
	l.join("docs", b, outside...)
	l.start(0, "serve", "--lan-only").WaitLine(t, "the node runs")
	l.run(1, "share", "sync", "--lan-only", "--for", "60s")
	bttest.CompareTrees(t, filepath.Join(b, "file"), filepath.Join(a, "file"))
	out, _ := l.left()
	for _, p := range out {
		t.Errorf("a packet went to %s", p.to)
	}
}

// A share can be for the local network alone on a node that is not: while that is its only share nothing leaves, and once
// there is another, the DHT, trackers and the router hear of that one and nothing of the first.
func TestLANShareOnPlainNode(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.hosts[1].Start(t, "/usr/bin/python3", "-c", dhtNode, lanOutside, "6881").WaitLine(t, "answering")
	a, b := t.TempDir(), t.TempDir()
	small, large := filepath.Join(a, "small"), bttest.RandomFile(t, a, "large", 600_000)
	if err := os.WriteFile(small, []byte("on the cable"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.run(0, append([]string{"share", "create", "inside", a}, outside...)...)
	inside := l.join("inside", b, outside...)
	l.start(0, "serve", "--dht-node", lanOutside+":6881").WaitLine(t, "the node runs")
	l.run(1, "share", "sync", "--for", "60s", "--dht-node", lanOutside+":6881")
	bttest.CompareTrees(t, filepath.Join(b, "large"), large)
	out, before := l.left()
	for _, p := range out {
		t.Errorf("with no other share a packet went to %s", p.to)
	}

	other := t.TempDir()
	l.run(0, "share", "create", "outside", other, "-t", "http://"+lanOutside+":6969/announce")
	announced := rendezvous(t, strings.TrimSpace(l.run(0, "share", "token", "outside", "--role", "store")))
	l.watch.WaitLine(t, hex.EncodeToString([]byte("9:info_hash20:"+announced)))
	if err := os.WriteFile(small, []byte("on the cable again"), 0o644); err != nil {
		t.Fatal(err)
	}
	l.run(1, "share", "sync", "--for", "60s", "--dht-node", lanOutside+":6881")
	bttest.CompareTrees(t, filepath.Join(b, "small"), small)
	out, after := l.left()
	if after == before {
		t.Error("nothing was seen of the second time")
	}
	l.checkHashes(out, announced, rendezvous(t, inside))
}

// checkHashes looks for what a share's strangers are told.
func (l *lan) checkHashes(out []lanPacket, announced, hidden string) {
	l.t.Helper()
	for _, p := range out {
		if p.to == lanDead {
			l.t.Errorf("a packet went to a host, or tracker, of a share for the local network: %x", p.bytes)
		}
		if strings.Contains(p.bytes, hidden) || strings.Contains(strings.ToLower(p.bytes), hex.EncodeToString([]byte(hidden))) {
			l.t.Errorf("%s hears of a share for the local network: %q", p.to, p.bytes)
		}
		for rest, more := p.bytes, true; more; {
			if _, rest, more = strings.Cut(rest, "9:info_hash20:"); more && !strings.HasPrefix(rest, announced) {
				l.t.Errorf("%s is asked for %x", p.to, rest[:min(20, len(rest))])
			}
		}
	}
}

// rendezvous is the infohash under which members of a share meet.
func rendezvous(t *testing.T, token string) string {
	t.Helper()
	parsed, err := secret.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := parsed.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return string(keys.Rendezvous[:])
}
