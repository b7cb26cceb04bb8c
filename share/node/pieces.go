package node

import (
	"container/list"
	"sync"

	"shoal/share/blob"
)

// pieceCache holds verified ciphertext of pieces that peers are asking for, so that a piece is read, encrypted and
// verified once for all its blocks (docs/shares.md §2.3). Its methods may be called concurrently.
type pieceCache struct {
	room int64 // bytes

	mu   sync.Mutex // guards what follows
	used int64
	by   map[pieceName]*list.Element // of *cachedPiece
	lru  *list.List                  // the newest first
}

type pieceName struct {
	info blob.ID
	n    int
}

type cachedPiece struct {
	name  pieceName
	ready chan struct{} // closed when bytes and err are set
	bytes []byte
	err   error
}

func newPieceCache(room int64) *pieceCache {
	return &pieceCache{room: room, by: map[pieceName]*list.Element{}, lru: list.New()}
}

// get is the piece, made by one of those that ask. An error is not kept.
func (c *pieceCache) get(name pieceName, make func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	if e := c.by[name]; e != nil {
		c.lru.MoveToFront(e)
		p := e.Value.(*cachedPiece)
		c.mu.Unlock()
		<-p.ready
		return p.bytes, p.err
	}
	p := &cachedPiece{name: name, ready: closedLater()}
	e := c.lru.PushFront(p)
	c.by[name] = e
	c.mu.Unlock()

	p.bytes, p.err = make()
	close(p.ready)
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.err != nil {
		c.remove(e)
		return nil, p.err
	}
	if c.by[name] == e { // else it was forgotten meanwhile
		c.used += int64(len(p.bytes))
	}
	for old := c.lru.Back(); c.used > c.room && old != nil && old != e; {
		before := old.Prev()
		if o := old.Value.(*cachedPiece); isClosed(o.ready) {
			c.remove(old)
		}
		old = before
	}
	return p.bytes, nil
}

// forget drops the pieces of a torrent.
func (c *pieceCache) forget(info blob.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.lru.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*cachedPiece).name.info == info {
			c.remove(e)
		}
		e = next
	}
}

// remove drops an entry that is there. The caller holds mu.
func (c *pieceCache) remove(e *list.Element) {
	p := e.Value.(*cachedPiece)
	if c.by[p.name] != e {
		return
	}
	delete(c.by, p.name)
	c.lru.Remove(e)
	if isClosed(p.ready) && p.err == nil {
		c.used -= int64(len(p.bytes))
	}
}

func closedLater() chan struct{} { return make(chan struct{}) }

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
