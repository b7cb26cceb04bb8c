package wire

import (
	"context"
	"fmt"
	"time"

	"shoal/share/blob"
)

// server is the side of a Conn that answers GET. Conn.mu guards it.
type server struct {
	asked fifo[blob.ID]  // not yet begun
	busy  bool           // one more is being sent
	bulk  fifo[outgoing] // parts that wait for the link
	bytes int            // of bulk

	sent  int64 // bytes of blobs that were queued: what the window counts
	flown int64 // of those, what the link has taken: what the peer can acknowledge
	acked int64

	since time.Time // of the last sign of life while flown > acked: the link took bytes, or the peer did
	stop  func()    // of the timer; nil when none runs
}

// onGet queues ids; those that are too many are refused.
func (c *Conn) onGet(m *Get) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.server
	n := s.asked.len()
	if s.busy {
		n++
	}
	fit := min(len(m.IDs), MaxAsked-n)
	for _, id := range m.IDs[:fit] {
		s.asked.push(id)
	}
	c.servable.Signal()
	if fit == len(m.IDs) {
		return nil
	}
	return c.queueOwn(&No{IDs: m.IDs[fit:]})
}

// onAck opens the window.
func (c *Conn) onAck(m *Ack) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.server
	if m.N > s.sent || m.N < s.acked {
		return fmt.Errorf("%w: it acknowledges %d bytes of %d, after %d", ErrProtocol, m.N, s.sent, s.acked)
	}
	if m.N > s.acked {
		s.acked, s.since = m.N, c.cfg.Clock.Now()
		c.servable.Signal()
	}
	return nil
}

// serve answers what was asked for, in order, until the connection is over. Ids that are not here are refused in one
// message as long as nothing has to be waited for.
func (c *Conn) serve(ctx context.Context) {
	var no []blob.ID
	for {
		id, ok := c.nextAsked(&no)
		if !ok {
			return
		}
		b, err := []byte(nil), ErrNotHere
		if c.cfg.Serve != nil {
			b, err = c.cfg.Serve(ctx, id)
		}
		if err != nil || len(b) == 0 || len(b) > blob.MaxBlob {
			no = append(no, id)
			continue
		}
		if !c.refuse(&no) || !c.sendBlob(ctx, id, b) {
			return
		}
	}
}

// refuse sends a NO for the ids, if there are any, and forgets them; false when the connection is over.
func (c *Conn) refuse(no *[]blob.ID) bool {
	if len(*no) == 0 {
		return true
	}
	err := c.Send(&No{IDs: *no})
	*no = (*no)[:0]
	return err == nil
}

// nextAsked waits for an id; false when the connection is over. Before it waits it sends the NO for those that are not
// here. The id before, if there was one, is done.
func (c *Conn) nextAsked(no *[]blob.ID) (blob.ID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.server
	s.busy = false
	for s.asked.len() == 0 || len(*no) == MaxAsked {
		if len(*no) > 0 {
			c.mu.Unlock()
			ok := c.refuse(no)
			c.mu.Lock()
			if !ok {
				return blob.ID{}, false
			}
			continue
		}
		if c.cause != nil {
			return blob.ID{}, false
		}
		c.servable.Wait()
	}
	s.busy = true
	return s.asked.pop(), c.cause == nil
}

// sendBlob queues the parts of a blob as the window and the link allow; false when the connection is over.
func (c *Conn) sendBlob(ctx context.Context, id blob.ID, b []byte) bool {
	m := Blob{ID: id, Total: int64(len(b))}
	for len(b) > 0 {
		n := min(len(b), MaxPart)
		m.Bytes, b = b[:n], b[n:]
		if c.cfg.Pace != nil {
			if err := c.cfg.Pace(ctx, n); err != nil {
				c.Fail(err)
				return false
			}
		}
		part, err := appendMessage(make([]byte, 0, n+128+overhead), &m)
		m.Off += int64(n)
		if err != nil || !c.queuePart(outgoing{t: TypeBlob, b: part, bulk: n}) {
			return false
		}
	}
	return true
}

func (c *Conn) queuePart(part outgoing) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.server
	for c.cause == nil && (s.sent-s.acked+int64(part.bulk) > Window || s.bytes >= maxBulk) {
		c.servable.Wait()
	}
	if c.cause != nil {
		return false
	}
	s.sent += int64(part.bulk)
	s.bytes += len(part.b)
	s.bulk.push(part)
	c.writable.Signal()
	return true
}

// flew notes that the link took a part; c.mu is held.
func (c *Conn) flew(part outgoing) {
	s := &c.server
	if s.bytes >= maxBulk {
		c.servable.Signal()
	}
	s.bytes -= len(part.b)
	s.flown += int64(part.bulk)
	s.since = c.cfg.Clock.Now()
	if s.stop == nil && c.cause == nil {
		s.stop = c.cfg.Clock.AfterFunc(AckTimeout, c.checkAck)
	}
}

// checkAck ends a connection whose peer takes nothing in while bytes are out.
func (c *Conn) checkAck() {
	c.mu.Lock()
	s := &c.server
	s.stop = nil
	quiet := c.cfg.Clock.Now().Sub(s.since)
	dead := c.cause == nil && s.flown > s.acked && quiet >= AckTimeout
	if !dead && c.cause == nil && s.flown > s.acked {
		s.stop = c.cfg.Clock.AfterFunc(AckTimeout-quiet, c.checkAck)
	}
	c.mu.Unlock()
	if dead {
		c.Fail(fmt.Errorf("%w: none in %v", ErrSilent, AckTimeout))
	}
}
