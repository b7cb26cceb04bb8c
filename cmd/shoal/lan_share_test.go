package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt/bttest"
)

// watcher prints the destination of each IP packet on an interface.
const watcher = `
import ipaddress, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
s.bind((sys.argv[1], 0))
print("watching", flush=True)
while True:
    p = s.recv(65535)
    kind = p[12:14]
    if kind == b"\x08\x00":
        print("packet", ipaddress.ip_address(p[30:34]), flush=True)
    elif kind == b"\x86\xdd":
        print("packet", ipaddress.ip_address(p[38:54]), flush=True)
`

// Two machines on a cable keep a folder the same with nothing but a token: they find each other by local discovery, and
// with --lan-only no packet goes to any other address, whatever trackers and hosts they were told of.
func TestShareOnLAN(t *testing.T) {
	t.Parallel()
	hosts := bttest.TwoHosts(t)
	bttest.Need(t, "libtorrent") // and with it python3
	watch := hosts[0].Start(t, "/usr/bin/python3", "-c", watcher, hosts[0].Interface)
	watch.WaitLine(t, "watching")

	a, b := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(a, "file"), []byte("on the cable"), 0o644); err != nil {
		t.Fatal(err)
	}
	homes := [2]string{t.TempDir(), t.TempDir()}
	run := func(i int, args ...string) *bttest.Process {
		return hosts[i].Start(t, "env", append([]string{"SHOAL_HOME=" + homes[i], "shoal"}, args...)...)
	}
	wait := func(p *bttest.Process) string {
		t.Helper()
		if status := p.Wait(t); status != 0 {
			t.Fatalf("status %d:\n%s", status, p.Output())
		}
		return p.Output()
	}
	outside := []string{"--lan-only", "--host", "203.0.113.7:6881", "-t", "http://203.0.113.9:6969/announce", "-t", "udp://203.0.113.9:6969"}
	wait(run(0, append([]string{"share", "create", "docs", a}, outside...)...))
	token := filepath.Join(homes[0], "token")
	out := wait(run(0, "share", "token", "docs", "--role", "write"))
	if err := os.WriteFile(token, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	wait(run(1, append([]string{"share", "add", token, b, "--name", "docs"}, outside...)...))
	run(0, "serve", "--lan-only").WaitLine(t, "the node runs")
	wait(run(1, "share", "sync", "--lan-only", "--for", "60s"))
	bttest.CompareTrees(t, filepath.Join(b, "file"), filepath.Join(a, "file"))

	cable := []netip.Prefix{netip.MustParsePrefix("10.77.0.0/24"), netip.MustParsePrefix("fd77::/64")}
	packets := 0
	for line := range strings.SplitSeq(watch.Output(), "\n") {
		text, ok := strings.CutPrefix(line, "packet ")
		if !ok {
			continue
		}
		packets++
		to, err := netip.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if !cable[0].Contains(to) && !cable[1].Contains(to) && !to.IsMulticast() && !to.IsLinkLocalUnicast() {
			t.Errorf("a packet went to %s", to)
		}
	}
	if packets == 0 {
		t.Error("no packet was seen at all")
	}
}
