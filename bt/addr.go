package bt

import "net/netip"

// isLocal reports whether a belongs to this machine or its own networks: loopback, link-local, private (RFC 1918,
// RFC 4193).
func isLocal(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// isInner reports whether a stranger outside must not be able to send us to a: what only this machine, or only its
// link, can reach. An unspecified address counts, since connecting to it means this machine.
func isInner(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast()
}

// usablePeer reports whether p can be the address of a peer at all, whoever says so.
func usablePeer(p netip.AddrPort) bool {
	a := p.Addr().Unmap()
	if p.Port() == 0 || !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
		return false
	}
	if a.Is4() {
		b := a.As4()
		return b[0] != 0 && b[0] < 240 // "this network", and the reserved block with the broadcast address
	}
	return true
}

// unmapPort is p with an IPv4 address in its own form, so that one peer has one spelling.
func unmapPort(p netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
