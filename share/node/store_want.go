package node

import (
	"slices"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// Bounds of what a store asks for at once.
const (
	maxAsk   = 512 // small blobs: what has been asked for when the disk gets full is thrown away
	fewAsked = 256
	hasPage  = 1000
)

// want asks for what complete heads name and is not here. The control goroutine calls it at each step.
func (s *store) want() error {
	if err := s.flush(s.e.ctx); err != nil {
		s.refused(err)
	}
	for _, h := range s.e.kept().all {
		if !h.Complete || s.hasWalked(h.Root) {
			continue
		}
		if err := s.walk(h.Root); err != nil {
			return err
		}
	}
	s.feed()
	s.startLarges()
	return nil
}

func (s *store) hasWalked(id blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.walked[id]
}

// walk asks for what is missing below a root, but for what was walked before.
func (s *store) walk(root blob.ID) error {
	var nodes, leaves []blob.ID
	for id, err := range index.Reach(index.RefsIn(s.e.blobs), []blob.ID{root}, s.hasWalked) {
		if err != nil {
			return err
		}
		if id.Kind() == blob.Node {
			nodes = append(nodes, id)
		} else {
			leaves = append(leaves, id)
		}
		if len(leaves) >= hasPage {
			if err := s.wantMissing(leaves); err != nil {
				return err
			}
			leaves = leaves[:0]
		}
		if s.e.ctx.Err() != nil {
			return s.e.ctx.Err()
		}
	}
	if err := s.wantMissing(leaves); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range nodes {
		s.walked[id] = true
	}
	return nil
}

// wantRefs asks for what a blob that has come refers to.
func (s *store) wantRefs(refs []blob.ID) {
	if err := s.wantMissing(slices.DeleteFunc(refs, func(id blob.ID) bool { return id.Kind() == blob.Node })); err != nil && s.e.ctx.Err() == nil {
		s.e.log.Error("what a blob refers to cannot be asked for", "why", err)
	}
}

// wantMissing asks for those of some blobs that are not here, and for the data of torrents that are not whole.
func (s *store) wantMissing(ids []blob.ID) error {
	if len(ids) == 0 {
		return nil
	}
	var small, large []blob.ID
	err := s.e.node.db.View(s.e.ctx, func(t *db.Tx) error {
		for _, id := range ids {
			here, err := t.HasBlob(s.e.n, id)
			if err != nil {
				return err
			}
			if !here {
				small = append(small, id)
				continue
			}
			if id.Kind() != blob.Info {
				continue
			}
			if d, err := t.Data(s.e.n, id); err != nil {
				return err
			} else if d == nil || d.State != db.DataWhole {
				large = append(large, id)
			}
		}
		return nil
	})
	for _, id := range small {
		s.wantBlob(id)
	}
	for _, id := range large {
		s.startLarge(id)
	}
	return err
}

// wantBlob puts a blob on the list, unless it is there or has come.
func (s *store) wantBlob(id blob.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wanted[id] && !s.held[id] {
		s.wanted[id] = true
		s.queue = append(s.queue, id)
	}
}

// feed asks peers for some of what is on the list.
func (s *store) feed() {
	if s.e.net == nil {
		return
	}
	s.mu.Lock()
	enough := s.out >= fewAsked || len(s.queue) == 0
	s.mu.Unlock()
	if enough || !s.mayAsk() {
		return
	}
	s.mu.Lock()
	n := min(maxAsk-s.out, len(s.queue))
	ids := slices.Clone(s.queue[:n])
	s.queue = s.queue[n:]
	s.out += n
	s.mu.Unlock()
	s.e.net.data.Want(ids...)
}

// startLarge puts the data of a torrent on the list, unless it is there.
func (s *store) startLarge(info blob.ID) {
	s.mu.Lock()
	if s.large[info] == nil {
		s.large[info] = &largeWish{}
		s.larges = append(s.larges, info)
	}
	s.mu.Unlock()
	s.e.poke()
}

// fetching reports whether the data of a torrent is being fetched, or about to be.
func (s *store) fetching(info blob.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.large[info] != nil
}

// maxLarges is how many large files a store fetches at once.
const maxLarges = maxOpen / 2

// startLarges fetches some of the large files that are on the list, in their order.
func (s *store) startLarges() {
	if s.e.net == nil || !s.mayAsk() {
		return
	}
	now := s.e.node.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.larges = slices.DeleteFunc(s.larges, func(info blob.ID) bool { return s.large[info] == nil })
	for _, info := range s.larges {
		if s.running >= maxLarges {
			break
		}
		w := s.large[info]
		if w.running || now.Before(w.after) {
			continue
		}
		w.running = true
		s.running++
		s.e.wg.Go(func() { s.fetchLarge(info, w) })
	}
}

func (s *store) fetchLarge(info blob.ID, w *largeWish) {
	err := s.getLarge(info)
	s.mu.Lock()
	s.running--
	w.running = false
	if err == nil {
		delete(s.large, info)
	} else {
		w.after = s.e.node.now().Add(retryAfter)
	}
	s.mu.Unlock()
	if err != nil && s.e.ctx.Err() == nil {
		s.e.log.Warn("a large file cannot be stored now", "info", info, "why", err)
		if isFull(err) {
			s.refused(err)
		}
	}
	s.e.poke()
}
