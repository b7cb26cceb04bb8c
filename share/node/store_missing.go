package node

import (
	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/wire"
)

// missing is how much of what this store should hold is not here; 0 when all is. What nobody who is here has any more does
// not count when only superseded heads name it: its author has gone on, and it may never come. Nor does it when the frontier
// is split and a writer has all that its heads come to (needless). It stays on the list: who has it may come. The control
// goroutine calls it.
func (s *store) missing() int64 {
	s.mu.Lock()
	n := int64(len(s.wanted) + len(s.large) + len(s.pending))
	stuck := n > 0 && len(s.queue)+len(s.pending) == 0
	s.mu.Unlock()
	if !stuck || s.e.net == nil {
		return n
	}
	if st := s.e.net.data.Status(); st.Missing < st.Left {
		return n
	}
	named, err := s.frontierNames()
	if err != nil {
		return n
	}
	s.learnNeedless()
	s.mu.Lock()
	defer s.mu.Unlock()
	n = 0
	for id := range s.wanted {
		if named[id] && !s.needless[id] {
			n++
		}
	}
	for id := range s.large {
		if named[id] && !s.needless[id] {
			n++
		}
	}
	return n
}

// learnNeedless notes what of the list no writer needs. Heads of a split frontier name what their merge no longer has, and
// merging publishes nothing (docs/shares.md §3.4): only who can read knows what that is. A writer that is connected, has
// this frontier, holds the whole share and lacks nothing has all that the merge has; what it does not give is not in it.
// Called when all small blobs on the list were refused by everybody who is here.
func (s *store) learnNeedless() {
	frontier := s.e.kept().frontier()
	hash := frontierHash(frontier)
	knows := len(frontier) > 1 && s.e.net.writerHasAll(hash)
	var quiet map[blob.ID]bool
	if knows {
		quiet = s.e.node.transfers.quiet()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.needlessOf != hash {
		s.needless, s.needlessOf = map[blob.ID]bool{}, hash
	}
	if !knows {
		return
	}
	for id := range s.wanted {
		s.needless[id] = true
	}
	for id, w := range s.large {
		if w.unserved || quiet[id] {
			s.needless[id] = true
		}
	}
}

// writerHasAll reports whether a connected writer says that it lacks nothing of the whole share, with this frontier.
func (s *swarm) writerHasAll(frontier [32]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if st := &p.state; p.hasState && st.Frontier == frontier && st.Missing == 0 && st.Mode == wire.Full && len(st.Sum) > 0 && p.conn.Hello().Writer != [8]byte{} {
			return true
		}
	}
	return false
}

// frontierNames is what of the list the heads of the frontier name. It is found out once for a frontier and a list.
func (s *store) frontierNames() (map[blob.ID]bool, error) {
	l := s.e.kept()
	frontier := frontierHash(l.frontier())
	s.mu.Lock()
	want := make(map[blob.ID]bool, len(s.wanted)+len(s.large))
	known := s.namedOf == frontier
	for id := range s.wanted {
		want[id] = true
		_, had := s.named[id]
		known = known && had
	}
	for id := range s.large {
		want[id] = true
		_, had := s.named[id]
		known = known && had
	}
	named := s.named
	s.mu.Unlock()
	if known {
		return named, nil
	}
	named = make(map[blob.ID]bool, len(want))
	for id := range want {
		named[id] = false
	}
	var roots []blob.ID
	for _, h := range l.all {
		for _, id := range l.frontier() {
			if h.ID == id {
				roots = append(roots, h.Root)
			}
		}
	}
	for id, err := range index.Reach(index.RefsIn(s.e.blobs), roots, nil) {
		if err != nil {
			return nil, err
		}
		if want[id] {
			named[id] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named, s.namedOf = named, frontier
	return named, nil
}
