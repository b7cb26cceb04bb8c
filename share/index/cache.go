package index

import (
	"container/list"
	"sync"

	"shoal/share/blob"
)

// A cache keeps decoded nodes, those that were not asked for the longest time least.
type cache struct {
	max int // bytes, as far as they can be told

	mu   sync.Mutex // guards what follows
	size int
	all  map[blob.Cap]*list.Element
	used list.List // of *cached, the last one used in front
}

type cached struct {
	c    blob.Cap
	n    *node
	size int
}

// decodedFactor is about how much more memory a decoded node takes than its plain text.
const decodedFactor = 3

func (ca *cache) get(c blob.Cap) *node {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	e := ca.all[c]
	if e == nil {
		return nil
	}
	ca.used.MoveToFront(e)
	return e.Value.(*cached).n
}

// put keeps n, whose plain text and references take so many bytes.
func (ca *cache) put(c blob.Cap, n *node, bytes int) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if ca.all == nil {
		ca.all = make(map[blob.Cap]*list.Element)
	}
	if ca.all[c] != nil {
		return
	}
	e := &cached{c, n, decodedFactor*bytes + 512}
	ca.all[c] = ca.used.PushFront(e)
	for ca.size += e.size; ca.size > ca.max && ca.used.Len() > 1; {
		old := ca.used.Remove(ca.used.Back()).(*cached)
		delete(ca.all, old.c)
		ca.size -= old.size
	}
}
