package bt

import (
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/anacrolix/torrent/iplist"
)

// A policy says which addresses a session talks to, in one place: the blocklist, the allowlist and LANOnly together.
// The library asks it for each address it dials, accepts or is told of; it may change while the session runs.
type policy struct {
	rules atomic.Pointer[policyRules]
}

type policyRules struct {
	blocked *Blocklist
	allow   []netip.Prefix // not empty: only these
	lanOnly bool
}

var _ iplist.Ranger = (*policy)(nil)

func newPolicy(cfg Config) *policy {
	p := &policy{}
	p.set(cfg.Blocklist, cfg.Allow, cfg.LANOnly)
	return p
}

// set replaces the rules.
func (p *policy) set(blocked *Blocklist, allow []netip.Prefix, lanOnly bool) {
	p.rules.Store(&policyRules{blocked, append([]netip.Prefix(nil), allow...), lanOnly})
}

// refuses is why a peer at a is not talked to, "" when it may be.
func (p *policy) refuses(a netip.Addr) string {
	r := p.rules.Load()
	a = a.Unmap().WithZone("")
	if why := r.refusesNode(a); why != "" {
		return why
	}
	if len(r.allow) == 0 {
		return ""
	}
	for _, prefix := range r.allow {
		if prefix.Contains(a) {
			return ""
		}
	}
	return "not in the allowlist"
}

func (r *policyRules) refusesNode(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "not an address"
	case r.lanOnly && !isLocal(a):
		return "not a local address"
	case r.blocked.Contains(a):
		return "in the blocklist"
	}
	return ""
}

// Lookup is what the library asks: a range that contains ip when nobody there may be talked to.
func (p *policy) Lookup(ip net.IP) (iplist.Range, bool) {
	return lookup(ip, p.refuses)
}

// NumRanges is asked for status texts only.
func (p *policy) NumRanges() int { return p.rules.Load().blocked.Len() }

// nodes is the policy for DHT nodes: these are no peers, so the allowlist does not apply.
func (p *policy) nodes() iplist.Ranger { return nodePolicy{p} }

type nodePolicy struct{ *policy }

func (p nodePolicy) Lookup(ip net.IP) (iplist.Range, bool) {
	return lookup(ip, func(a netip.Addr) string { return p.rules.Load().refusesNode(a.Unmap()) })
}

func lookup(ip net.IP, refuses func(netip.Addr) string) (r iplist.Range, blocked bool) {
	a, _ := netip.AddrFromSlice(ip)
	why := refuses(a)
	if why == "" {
		return r, false
	}
	return iplist.Range{First: ip, Last: ip, Description: why}, true
}
