package bt

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// isLocalName reports whether a host name means this machine by itself, without asking anyone.
func isLocalName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// splitHostPort splits and checks host:port, as users and torrents write it.
func splitHostPort(s string) (host string, port uint16, err error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errorf(BadInput, "reading address %q: want host:port", s)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 || host == "" || len(host) > 255 {
		return "", 0, errorf(BadInput, "reading address %q: want host:port", s)
	}
	return host, uint16(n), nil
}

// resolve is the addresses of host:port. With a proxy only literal addresses can be had: see dial.
func (t *transport) resolve(ctx context.Context, hostPort string) ([]netip.AddrPort, error) {
	return t.resolveBy(ctx, t.resolver(), hostPort)
}

func (t *transport) resolveBy(ctx context.Context, r *net.Resolver, hostPort string) ([]netip.AddrPort, error) {
	host, port, err := splitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), port)}, nil
	}
	if t.proxy != nil {
		return nil, errorf(Network, "looking up %s: names are left to the proxy", host)
	}
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, errorf(Network, "looking up %s: %w", host, err)
	}
	var out []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), 16)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), port))
	}
	return out, nil
}

// resolvePeer is what to hand to dialPeer for a peer that the user named: its addresses, or with a proxy the name
// itself.
func (t *transport) resolvePeer(ctx context.Context, hostPort string) ([]string, error) {
	if host, _, err := splitHostPort(hostPort); err == nil && t.proxy != nil {
		if _, err := netip.ParseAddr(host); err != nil {
			return []string{hostPort}, nil
		}
	}
	addrs, err := t.resolve(ctx, hostPort)
	var out []string
	for _, a := range addrs {
		if usablePeer(a) {
			out = append(out, a.String())
		}
	}
	if err == nil && len(out) == 0 {
		return nil, errorf(BadInput, "reading address %q: no peer can be there", hostPort)
	}
	return out, err
}
