package bt

import "net/netip"

// A Blocklist is a set of addresses never to talk to.
type Blocklist struct {
	ranges []addrRange // sorted by first, merged
}

type addrRange struct{ first, last netip.Addr }
