package wire

import (
	"fmt"
	"time"

	"shoal/share/blob"
)

// A getter is told what became of the ids that a Conn was asked to get. It is called without locks of the Conn.
type getter interface {
	got(c *Conn, id blob.ID, b []byte) // a blob, verified; taken must be called for its length
	refused(c *Conn, ids []blob.ID)
	lied(c *Conn, id blob.ID)
	gone(c *Conn) // the connection is over: nothing comes any more
}

// client is the side of a Conn that asks. Conn.mu guards it.
type client struct {
	to    getter
	asked map[blob.ID]struct{}
	lies  int

	id    blob.ID // of part
	total int64
	part  []byte // of the blob that is coming; nil when none is

	received int64 // bytes of blobs that came
	taken    int64 // of those, of whole blobs that were used, or were no use
	acked    int64 // what the last ACK said

	last time.Time // the peer gave something, or room was made for it, or it was first asked
	stop func()    // of the timer of the next ACK; nil when none runs
}

// takenIn is what may be acknowledged: what was used, and what is of one unfinished blob. So a peer's blobs hold at most
// two windows of memory.
func (g *client) takenIn() int64 { return max(g.acked, g.taken+int64(len(g.part))) }

// held is how many bytes of whole blobs came, and wait to be used.
func (g *client) held() int64 { return g.received - g.taken - int64(len(g.part)) }

// attach makes g the getter; false when the connection is over or has one.
func (c *Conn) attach(g getter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil || c.client.to != nil {
		return false
	}
	c.client.to = g
	if c.client.asked == nil { // else something is on its way still
		c.client.asked = make(map[blob.ID]struct{})
	}
	return true
}

func (c *Conn) detach() {
	c.mu.Lock()
	c.client.to = nil
	c.mu.Unlock()
}

// get asks for ids, of which none is on its way and for which there is room.
func (c *Conn) get(ids []blob.ID) error {
	c.mu.Lock()
	if c.cause != nil {
		defer c.mu.Unlock()
		return c.cause
	}
	if len(c.client.asked) == 0 {
		c.client.last = c.cfg.Clock.Now()
	}
	for _, id := range ids {
		c.client.asked[id] = struct{}{}
	}
	err := c.queueOwn(&Get{IDs: ids})
	c.mu.Unlock()
	if err != nil {
		c.Fail(err)
	}
	return err
}

// load is how many ids are on their way, and whether the peer has been silent although it was asked and has room.
func (c *Conn) load(now time.Time) (asked int, silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &c.client
	return len(g.asked), len(g.asked) > 0 && g.held() == 0 && now.Sub(g.last) >= SilentTimeout
}

// isHeldUp reports whether something that the peer sent waits to be used: it is not the slow one.
func (c *Conn) isHeldUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client.held() > 0
}

func (c *Conn) isAsked(id blob.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.client.asked[id]
	return ok
}

// onNo passes on which of the ids that were asked for do not come.
func (c *Conn) onNo(m *No) error {
	c.mu.Lock()
	g := &c.client
	ids := m.IDs[:0]
	for _, id := range m.IDs {
		if _, ok := g.asked[id]; !ok {
			continue
		}
		if g.part != nil && id == g.id {
			c.mu.Unlock()
			return fmt.Errorf("%w: it refuses the rest of a blob", ErrProtocol)
		}
		delete(g.asked, id)
		ids = append(ids, id)
	}
	g.last = c.cfg.Clock.Now()
	to := g.to
	err := c.acknowledge()
	c.mu.Unlock()
	if to != nil && len(ids) > 0 {
		to.refused(c, ids)
	}
	return err
}

// onBlob takes a part of a blob.
func (c *Conn) onBlob(m *Blob) error {
	c.mu.Lock()
	whole, err := c.client.take(m)
	c.client.last = c.cfg.Clock.Now()
	if whole == nil && err == nil {
		err = c.acknowledge()
	}
	to := c.client.to
	c.mu.Unlock()
	if err != nil || whole == nil {
		return err
	}
	if blob.Verify(m.ID, whole) != nil {
		return c.onLie(m.ID, len(whole), to)
	}
	if to == nil {
		c.took(len(whole))
		return nil
	}
	to.got(c, m.ID, whole)
	return nil
}

// take puts a part where it belongs, and returns the blob when it is whole.
func (g *client) take(m *Blob) (whole []byte, err error) {
	if _, ok := g.asked[m.ID]; !ok {
		return nil, fmt.Errorf("%w: it sends a blob that it was not asked for", ErrProtocol)
	}
	g.received += int64(len(m.Bytes))
	switch {
	case g.received-g.acked > Window:
		return nil, fmt.Errorf("%w: it sends more than the window", ErrProtocol)
	case m.Off != int64(len(g.part)), g.part != nil && (m.ID != g.id || m.Total != g.total):
		return nil, fmt.Errorf("%w: parts of a blob that do not follow each other", ErrProtocol)
	case m.Off == 0 && int64(len(m.Bytes)) == m.Total: // most are so small, and need no copy
		whole = m.Bytes
	default:
		if g.part == nil {
			g.id, g.total, g.part = m.ID, m.Total, make([]byte, 0, m.Total)
		}
		g.part = append(g.part, m.Bytes...)
		if int64(len(g.part)) < g.total {
			return nil, nil
		}
		whole, g.part = g.part, nil
	}
	delete(g.asked, m.ID)
	return whole, nil
}

func (c *Conn) onLie(id blob.ID, n int, to getter) error {
	c.took(n)
	c.mu.Lock()
	c.client.lies++
	lies := c.client.lies
	c.mu.Unlock()
	if to != nil {
		to.lied(c, id)
	}
	if c.cfg.Handler != nil {
		c.cfg.Handler.Lied(c, id)
	}
	if lies >= maxLies {
		return ErrLies
	}
	return nil
}

// took says that n bytes of whole blobs are used, so that the peer may send more.
func (c *Conn) took(n int) {
	c.mu.Lock()
	c.client.taken += int64(n)
	c.client.last = c.cfg.Clock.Now()
	err := c.acknowledge()
	c.mu.Unlock()
	if err != nil {
		c.Fail(err)
	}
}

// acknowledge sends an ACK when it is due, or sees to it that it will be; c.mu is held.
func (c *Conn) acknowledge() error {
	g := &c.client
	n := g.takenIn()
	switch {
	case n == g.acked || c.cause != nil:
		return nil
	case n-g.acked >= ackEvery, len(g.asked) == 0 && n == g.received:
		g.acked = n
		return c.queueOwn(&Ack{N: n})
	case g.stop == nil:
		g.stop = c.cfg.Clock.AfterFunc(ackDelay, c.ackLate)
	}
	return nil
}

func (c *Conn) ackLate() {
	c.mu.Lock()
	g := &c.client
	g.stop = nil
	var err error
	if n := g.takenIn(); n > g.acked && c.cause == nil {
		g.acked = n
		err = c.queueOwn(&Ack{N: n})
	}
	c.mu.Unlock()
	if err != nil {
		c.Fail(err)
	}
}
