package bttest_test

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"shoal/bt/bttest"
)

func TestNamespaceSeesLeaks(t *testing.T) {
	if !bttest.Namespace(t) {
		return
	}
	leaks := bttest.WatchLeaks(t)
	if got := leaks.Packets(); len(got) != 0 {
		t.Errorf("before anything was sent: %q", got)
	}
	for _, to := range []string{"127.0.0.1:9", "192.0.2.7:53", "[2001:db8::7]:53"} {
		c, err := net.Dial("udp", to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil && !strings.HasPrefix(to, "127.") {
			t.Fatal(err)
		}
		c.Close()
	}
	bttest.Eventually(t, "seeing packets", func() bool { return len(leaks.Packets()) >= 2 })
	got := leaks.Packets()
	slices.Sort(got)
	if want := []string{"udp to 192.0.2.7:53", "udp to [2001:db8::7]:53"}; !slices.Equal(got, want) {
		t.Errorf("saw %q, want %q", got, want)
	}
}

// Multicast crosses the cable: LPD will be tested on it.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	hosts := bttest.TwoHosts(t)
	const listen = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 6771))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.192.152.143") + socket.inet_aton(sys.argv[1]))
print("listening")
print("got", *s.recvfrom(100))
`
	const send = `
import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", (sys.argv[1], 6771))
`
	bttest.Need(t, bttest.Python)
	l := hosts[0].Start(t, bttest.Python, "-u", "-c", listen, hosts[0].IPv4)
	l.WaitLine(t, "listening")
	if out, err := hosts[1].Command(bttest.Python, "-c", send, "239.192.152.143").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if got := l.WaitLine(t, "got"); !strings.Contains(got, "hello") || !strings.Contains(got, hosts[1].IPv4) {
		t.Errorf("got %s", got)
	}
	if out, err := hosts[1].Command("ip", "-o", "link").Output(); err != nil || strings.Count(string(out), "\n") != 2 {
		t.Errorf("host has other interfaces: %s %v", out, err)
	}
	if _, err := exec.Command("ip", "link", "show", "net0").Output(); err == nil {
		t.Error("the cable is in our own network")
	}
}
