package bt

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// router is one that speaks NAT-PMP, after it has passed over so many requests.
func router(t *testing.T, deaf int, result uint16) (netip.AddrPort, <-chan uint32) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	leases := make(chan uint32, 8)
	go func() {
		b := make([]byte, 64)
		for {
			n, from, err := conn.ReadFromUDP(b)
			if err != nil {
				return
			}
			if deaf--; deaf >= 0 || n != 12 || b[0] != 0 || b[1] != 2 {
				continue
			}
			leases <- binary.BigEndian.Uint32(b[8:])
			out := []byte{0, 130, byte(result >> 8), byte(result), 0, 0, 0, 1, b[4], b[5], 0x12, 0x34}
			_, _ = conn.WriteToUDP(append(out, b[8:12]...), from)
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String()), leases
}

func TestNatPMP(t *testing.T) {
	t.Parallel()
	at, leases := router(t, 1, 0)
	got, err := natPMP(t.Context(), at, 4711, time.Hour)
	if err != nil || got != 0x1234 || <-leases != 3600 {
		t.Fatalf("port %d, %v", got, err)
	}
	if _, err := natPMP(t.Context(), at, 4711, 0); err != nil || <-leases != 0 {
		t.Fatalf("giving it back: %v", err)
	}
	refuses, _ := router(t, 0, 2)
	if _, err := natPMP(t.Context(), refuses, 4711, time.Hour); err == nil || !strings.Contains(err.Error(), "result 2") {
		t.Errorf("refused: %v", err)
	}
	deaf, _ := router(t, 1000, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := natPMP(ctx, deaf, 4711, time.Hour); err == nil {
		t.Error("an answer of nobody")
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	const head = "Iface\tDestination\tGateway \tFlags\n"
	for text, want := range map[string]string{
		head + "eth0\t0002000A\t00000000\t0001\neth0\t00000000\t0102000A\t0003\n": "10.0.2.1",
		head + "eth0\t00000000\txyz\t0003\n":                                      "",
		head:                                                                      "", "": "",
	} {
		if a, err := parseRoutes(strings.NewReader(text)); err == nil != (want != "") || err == nil && a.String() != want {
			t.Errorf("%q: %v, %v", text, a, err)
		}
	}
}

// An answer says the port outside, or is refused.
func FuzzNatPMP(f *testing.F) {
	f.Add([]byte{0, 130, 0, 0, 0, 0, 0, 1, 0, 80, 0x12, 0x34, 0, 0, 14, 16})
	f.Add([]byte{0, 130, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		if port, err := parsePMP(b, 80); err == nil && (len(b) < 16 || port != binary.BigEndian.Uint16(b[10:])) {
			t.Errorf("%x gives %d", b, port)
		}
	})
}

// The router is asked for meetings that may be joined from everywhere, and nothing keeps the session from it.
func TestWhoWantsPorts(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {TryUPnP: true, LANOnly: true}, {TryUPnP: true, Interface: "lo"}, {TryUPnP: true, Proxy: "socks5://x"},
		{TryUPnP: true, Listen: "127.0.0.1"}, {TryUPnP: true, UPnP: true}} {
		s := &session{port: 1}
		(&Client{cfg: c}).wantPorts(s)
		if s.ports != nil {
			s.ports.close()
			t.Errorf("%+v asks", c)
		}
	}
}
