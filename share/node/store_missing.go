package node

import (
	"shoal/share/blob"
	"shoal/share/index"
)

// missing is how much of what this store should hold is not here; 0 when all is. What only superseded heads name, and
// nobody who is here has any more, does not count: its author has gone on, and it may never come. The control goroutine
// calls it.
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
	s.mu.Lock()
	defer s.mu.Unlock()
	n = 0
	for id := range s.wanted {
		if named[id] {
			n++
		}
	}
	for id := range s.large {
		if named[id] {
			n++
		}
	}
	return n
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
