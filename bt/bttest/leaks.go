package bttest

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
)

// Leaks watches for packets that leave the machine.
type Leaks struct {
	socket *os.File
	wait   sync.WaitGroup
	mu     sync.Mutex // guards seen
	seen   []string
}

// WatchLeaks gives a test that is inside its Namespace a default route, to a cable that ends in nothing, and notes each
// packet that takes it. Without a route a program that tries to reach the internet would fail unnoticed.
func WatchLeaks(t *testing.T) *Leaks {
	t.Helper()
	if os.Getenv(insideVar) != t.Name() {
		t.Fatalf("WatchLeaks outside of a Namespace")
	}
	// Neighbours are given, since nobody would answer for them; the kernel's own IPv6 chatter is filtered below.
	runTool(t, "sh", "-ec", `
		ip link add out0 type veth peer name end0
		ip link set end0 up
		ip addr add 198.51.100.1/24 dev out0
		ip link set out0 up
		ip neigh add 198.51.100.254 lladdr 02:00:00:00:00:01 dev out0
		ip route add default via 198.51.100.254
		if [ -e /proc/sys/net/ipv6 ]; then
			ip -6 addr add fd51::1/64 dev out0 nodad
			ip -6 neigh add fd51::fe lladdr 02:00:00:00:00:01 dev out0
			ip -6 route add default via fd51::fe
		fi`)
	l := &Leaks{socket: packetSocket(t, "end0")}
	l.wait.Go(l.read)
	t.Cleanup(func() { l.socket.Close(); l.wait.Wait() })
	return l
}

// packetSocket reads the IP packets that arrive at an interface.
func packetSocket(t T, name string) *os.File {
	t.Helper()
	dev, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatalf("watching packets: %v", err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err == nil {
		all := binary.NativeEndian.Uint16([]byte{0, syscall.ETH_P_ALL})
		err = syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: dev.Index})
	}
	if err != nil {
		t.Fatalf("watching packets of %s: %v", name, err)
	}
	return os.NewFile(uintptr(fd), "packets")
}

func (l *Leaks) read() {
	b := make([]byte, 64<<10)
	for {
		n, err := l.socket.Read(b)
		if err != nil {
			return
		}
		if s := describePacket(b[:n]); s != "" {
			l.mu.Lock()
			l.seen = append(l.seen, s)
			l.mu.Unlock()
		}
	}
}

// Packets are those seen so far, as "udp to 192.0.2.1:6881".
func (l *Leaks) Packets() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.seen...)
}

// describePacket is "" for what the kernel sends by itself.
func describePacket(b []byte) string {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		to, _ := netip.AddrFromSlice(b[16:20])
		return describe(int(b[9]), to, b[min(len(b), int(b[0]&15)*4):])
	case len(b) >= 40 && b[0]>>4 == 6:
		to, _ := netip.AddrFromSlice(b[24:40])
		const hopByHop, icmp6 = 0, 58 // of neighbour discovery and multicast reports
		if b[6] == hopByHop || b[6] == icmp6 {
			return ""
		}
		return describe(int(b[6]), to, b[40:])
	}
	return ""
}

func describe(protocol int, to netip.Addr, payload []byte) string {
	names := map[int]string{syscall.IPPROTO_TCP: "tcp", syscall.IPPROTO_UDP: "udp"}
	if name := names[protocol]; name != "" && len(payload) >= 4 {
		return fmt.Sprintf("%s to %s", name, netip.AddrPortFrom(to, binary.BigEndian.Uint16(payload[2:])))
	}
	if protocol == syscall.IPPROTO_IGMP {
		return "" // of joining a group, which LPD may do; its packets count
	}
	return fmt.Sprintf("protocol %d to %s", protocol, to)
}
