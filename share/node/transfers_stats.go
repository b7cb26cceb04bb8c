package node

import (
	"time"

	"shoal/share/blob"
)

// quiet are the torrents that are being fetched, and of which nothing has come for half a minute.
func (t *transfers) quiet() map[blob.ID]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[blob.ID]bool{}
	for info, x := range t.open {
		if x.own && x.data != nil && time.Since(x.data.Stats().Active) >= idleClose/2 {
			all[info] = true
		}
	}
	return all
}

// closing keeps the traffic of a torrent that is about to close.
func (t *transfers) closing(x *transfer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := x.data.Stats()
	t.node.read.Add(s.Read)
	t.node.written.Add(s.Written)
	x.counted = true
}

// traffic is the bytes of all torrents, closed and open.
func (t *transfers) traffic() (in, out int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in, out = t.node.read.Load(), t.node.written.Load()
	for _, x := range t.open {
		if x.data != nil && !x.counted {
			s := x.data.Stats()
			in, out = in+s.Read, out+s.Written
		}
	}
	return in, out
}
