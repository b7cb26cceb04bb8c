package bt

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Of NAT-PMP (RFC 6886).
const (
	pmpPort  = 5351
	pmpTCP   = 2
	pmpReply = 128 // added to what is answered
	pmpTries = 4
	pmpFirst = 250 * time.Millisecond // the wait for an answer doubles
)

// natPMP asks a router to forward a TCP port to this machine for so long, in seconds; 0 ends it. It returns the port outside.
func natPMP(ctx context.Context, router netip.AddrPort, port uint16, lease time.Duration) (external uint16, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp4", router.String())
	if err != nil {
		return 0, errorf(Network, "asking the router: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	q := []byte{0, pmpTCP, 0, 0}
	q = binary.BigEndian.AppendUint16(q, port)
	if lease == 0 {
		q = binary.BigEndian.AppendUint16(q, 0)
	} else {
		q = binary.BigEndian.AppendUint16(q, port)
	}
	q = binary.BigEndian.AppendUint32(q, uint32(lease/time.Second))
	b := make([]byte, 64)
	for i := range pmpTries {
		if _, err = conn.Write(q); err != nil {
			return 0, errorf(Network, "asking the router: %w", err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(pmpFirst << i))
		n, readErr := conn.Read(b)
		if readErr != nil {
			if err = readErr; errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				continue
			}
			break
		}
		return parsePMP(b[:n], port)
	}
	return 0, errorf(Network, "asking the router: %w", err)
}

// parsePMP reads the answer to a request for a TCP port.
func parsePMP(b []byte, port uint16) (external uint16, err error) {
	switch {
	case len(b) < 16 || b[0] != 0 || b[1] != pmpReply+pmpTCP || binary.BigEndian.Uint16(b[8:]) != port:
		return 0, errorf(Network, "the router answers something else")
	case binary.BigEndian.Uint16(b[2:]) != 0:
		return 0, errorf(Network, "the router refuses: result %d", binary.BigEndian.Uint16(b[2:]))
	}
	return binary.BigEndian.Uint16(b[10:]), nil
}

// defaultGateway is the router that a Linux system sends everything to; false where none is known.
func defaultGateway() (netip.AddrPort, bool) {
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return netip.AddrPort{}, false
	}
	defer f.Close()
	a, err := parseRoutes(f)
	if err != nil || !a.IsPrivate() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, pmpPort), true
}

// parseRoutes finds the first gateway of a default route: lines of interface, destination, gateway and flags, addresses in
// hexadecimal, the last byte first.
func parseRoutes(r io.Reader) (netip.Addr, error) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || f[1] != "00000000" || f[2] == "00000000" {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil || len(b) != 4 {
			return netip.Addr{}, fmt.Errorf("reading the routes: %q is no gateway", f[2])
		}
		slices.Reverse(b)
		return netip.AddrFrom4([4]byte(b)), nil
	}
	return netip.Addr{}, errors.New("there is no default route")
}
