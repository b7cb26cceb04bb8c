package bt

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxReach bounds how many of our addresses others are told.
const maxReach = 8

// reachable are the addresses under which others find a listener: its own, or those of the interfaces when it listens
// on all. IPv4 comes first, and addresses that only this machine can reach are left out unless it has no other.
func (t *transport) reachable(listener net.Addr) []netip.AddrPort {
	ap, err := netip.ParseAddrPort(listener.String())
	if err != nil {
		return nil
	}
	if !ap.Addr().IsUnspecified() {
		return []netip.AddrPort{unmapPort(ap)}
	}
	var near, far []netip.AddrPort
	for _, p := range t.ownPrefixes() {
		a := p.Addr()
		switch {
		case t.listenIP.Is4() && !a.Is4(), t.listenIP.Is6() && a.Is4(), a.IsLinkLocalUnicast():
		case a.IsLoopback():
			near = append(near, netip.AddrPortFrom(a, ap.Port()))
		default:
			far = append(far, netip.AddrPortFrom(a, ap.Port()))
		}
	}
	if len(far) == 0 {
		far = near
	}
	slices.SortStableFunc(far, func(a, b netip.AddrPort) int { return addrRank(a.Addr()) - addrRank(b.Addr()) })
	return far[:min(len(far), maxReach)]
}

// ownPrefixes are the addresses of this machine with their networks, or of the interface that is to be used.
func (t *transport) ownPrefixes() (out []netip.Prefix) {
	var list []net.Addr
	if t.device == "" {
		list, _ = net.InterfaceAddrs()
	} else if ifi, err := net.InterfaceByName(t.device); err == nil {
		list, _ = ifi.Addrs()
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			if p.Addr().Is4In6() {
				p = netip.PrefixFrom(p.Addr().Unmap(), max(0, p.Bits()-96))
			}
			out = append(out, p)
		}
	}
	return out
}

// reachableFrom are those of our addresses that somebody at client should use: the one in a network of both, else all.
func (t *transport) reachableFrom(client netip.Addr, listener net.Addr) []netip.AddrPort {
	all := t.reachable(listener)
	ap, err := netip.ParseAddrPort(listener.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return all
	}
	for _, p := range t.ownPrefixes() {
		if p.Masked().Contains(client) {
			return []netip.AddrPort{netip.AddrPortFrom(p.Addr(), ap.Port())}
		}
	}
	return all
}

// listenService opens a port for others than peers: addr is HOST:PORT, :PORT or PORT, the host an IP address. Without
// one it is where the session listens. With wantUDP the UDP port of the same number comes with it.
func (t *transport) listenService(ctx context.Context, addr string, wantUDP bool) (net.Listener, net.PacketConn, error) {
	if t.proxy != nil {
		return nil, nil, errorf(Usage, "listening on %s: nobody comes in through a proxy", clip(addr)).withHint("--proxy none uses none")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		host, port = "", addr
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, nil, errorf(Usage, "listening on %q: want ADDRESS:PORT, or a port", clip(addr))
	}
	own := *t
	own.port = int(n)
	if host != "" {
		a, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil {
			return nil, nil, errorf(Usage, "listening on %q: want an IP address", clip(addr))
		}
		own.listenIP = a.Unmap()
	}
	l, pc, err := own.listen(ctx, wantUDP)
	if err != nil {
		return nil, nil, err
	}
	return policedListener{l, t.policy}, pc, nil
}

// A policedListener takes no connection from whom the session does not talk to.
type policedListener struct {
	net.Listener
	policy *policy
}

func (l policedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if from, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && l.policy.refuses(from.Addr()) == "" {
			return c, nil
		}
		c.Close()
	}
}
