package node

import (
	"net/netip"

	"shoal/share/wire"
)

// maxGossip is how many addresses a new peer is told at once, of the 200 that a PEERS may have.
const maxGossip = 50

// introduce tells a new peer where the others are, and them where it is (docs/shares.md §5.1).
func (s *swarm) introduce(p *peer) {
	var others []netip.AddrPort
	at := p.conn.RemoteAddr().Addr()
	for _, q := range s.all() {
		if q == p {
			continue
		}
		there := q.conn.RemoteAddr().Addr()
		if addrs := useful(p.addrs(), there); len(addrs) > 0 {
			_ = q.conn.Send(&wire.Peers{Addrs: addrs})
		}
		others = append(others, useful(q.addrs(), at)...)
	}
	if others = others[:min(len(others), maxGossip)]; len(others) > 0 {
		_ = p.conn.Send(&wire.Peers{Addrs: others})
	}
}

// useful are the addresses that mean the same to who is at an address as they do here: those of this machine are for this
// machine, those of a private network for who is in one.
func useful(addrs []netip.AddrPort, at netip.Addr) (all []netip.AddrPort) {
	at = at.Unmap()
	for _, a := range addrs {
		ip := a.Addr().Unmap()
		switch {
		case ip.IsUnspecified() || ip.IsMulticast() || a.Port() == 0:
		case ip.IsLoopback() && !at.IsLoopback():
		case !ip.IsLoopback() && isLocal(ip) && !isLocal(at):
		default:
			all = append(all, netip.AddrPortFrom(ip, a.Port()))
		}
	}
	return all
}

// isLocal reports whether an address is of this machine or its network.
func isLocal(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}
