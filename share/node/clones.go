package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A clone is another process with this node's key: the state folder was copied, and both copies run. They cannot meet, for
// a node does not talk to itself (docs/shares.md §5.3), and others take them for one node that changes its place. Writer ids
// are another matter: those of a copy are new (§4.2).

// cloneFor is how long status speaks of a clone that does not come again; one that is there dials every few minutes.
const cloneFor = time.Hour

// maxClones is how many addresses of clones are remembered.
const maxClones = 16

// clones are when, and at which addresses, a clone was met last.
type clones map[netip.Addr]time.Time

// metClone notes that a clone has dialled this node.
func (s *swarm) metClone(a netip.Addr) {
	now := s.e.node.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clones == nil || len(s.clones) >= maxClones && s.clones[a].IsZero() {
		s.clones = clones{}
	}
	if s.clones[a].IsZero() {
		s.e.log.Error("another machine runs with this node's key", "addr", a)
	}
	s.clones[a] = now
}

// cloneAlarms say that a clone was met lately.
func (s *swarm) cloneAlarms() (all []string) {
	if s == nil {
		return nil
	}
	now := s.e.node.now()
	var at []string
	s.mu.Lock()
	for a, met := range s.clones {
		if now.Sub(met).Abs() < cloneFor {
			at = append(at, a.String())
		}
	}
	s.mu.Unlock()
	if len(at) == 0 {
		return nil
	}
	slices.Sort(at)
	return []string{fmt.Sprintf("a copy of this machine's state folder runs at %s: two with one key do not meet, and others take them for one machine; on one of the two stop the node, move the state folder away, and join again (the files stay)", strings.Join(at, ", "))}
}
