package node

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"shoal/share/wire"
)

// A clone is another process with this node's key: the state folder was copied, and both copies run. They cannot meet, for
// a node does not talk to itself (docs/shares.md §5.3), and others take them for one node that changes its place. Writer ids
// are another matter: those of a copy are new (§4.2).

// metFor is how long status speaks of somebody who does not come again; one that is there dials every few minutes.
const metFor = time.Hour

// maxMet is how many addresses of such are remembered.
const maxMet = 16

// met are when, and at which addresses, somebody was met last who cannot be a peer. The zero value is nobody.
type met map[netip.Addr]time.Time

// note remembers an address, and reports whether it is a new one.
func (m *met) note(a netip.Addr, now time.Time) (isNew bool) {
	if isNew = (*m)[a].IsZero(); *m == nil || isNew && len(*m) >= maxMet {
		*m = met{}
	}
	(*m)[a] = now
	return isNew
}

// lately are the addresses of those that were met lately, "" for nobody.
func (m met) lately(now time.Time) string {
	var at []string
	for a, when := range m {
		if now.Sub(when).Abs() < metFor {
			at = append(at, a.String())
		}
	}
	slices.Sort(at)
	return strings.Join(at, ", ")
}

// others are those who cannot be peers.
type others struct {
	clones met
	apart  met    // nodes of another version, with which there is no talking (docs/shares.md §5.2)
	why    string // what the last of these said
}

// metOther notes who did not become a peer, and why.
func (s *swarm) metOther(a netip.Addr, err error) {
	switch now := s.e.node.now(); {
	case errors.Is(err, wire.ErrWrongSecret):
		s.wrongSecret(a)
	case errors.Is(err, wire.ErrClone):
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.others.clones.note(a, now) {
			s.e.log.Error("another machine runs with this node's key", "addr", a)
		}
	case errors.Is(err, wire.ErrVersion):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.others.why = err.Error()
		if s.others.apart.note(a, now) {
			s.e.log.Error("a machine does not sync with this one", "addr", a, "why", err)
		}
	}
}

// metAlarms say that such were met lately.
func (s *swarm) metAlarms() (all []string) {
	if s == nil {
		return nil
	}
	now := s.e.node.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.others.clones.lately(now); at != "" {
		all = append(all, fmt.Sprintf("a copy of this machine's state folder runs at %s: two with one key do not meet, and others take them for one machine; on one of the two stop the node, move the state folder away, and join again (the files stay)", at))
	}
	if at := s.others.apart.lately(now); at != "" {
		all = append(all, fmt.Sprintf("nothing is synced with %s: %s", at, s.others.why))
	}
	return all
}
