package wire

import (
	"context"
	"fmt"
)

// outgoing is a message that waits to be encrypted.
type outgoing struct {
	t    Type
	b    []byte
	bulk int // bytes of a blob
}

// A fifo is a queue that reuses its memory.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }

func (q *fifo[T]) push(x T) {
	if q.head > 32 && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, x)
}

func (q *fifo[T]) pop() T {
	var zero T
	x := q.items[q.head]
	q.items[q.head] = zero
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return x
}

// Send queues a message; it goes before all parts of blobs that wait. It does not wait: a peer for which more than 1 MiB
// is queued takes nothing in, and the connection ends. The error is that m breaks a limit of its own, or why the
// connection is over.
func (c *Conn) Send(m Message) error {
	b, err := appendMessage(make([]byte, 0, 256), m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	err = c.queue(m.Type(), b)
	c.mu.Unlock()
	if err != nil {
		c.Fail(err)
	}
	return err
}

// queue is Send of an encoded message; c.mu is held. After an error the caller must call Fail.
func (c *Conn) queue(t Type, b []byte) error {
	if c.cause != nil {
		return c.cause
	}
	c.waiting += len(b) + frameCost
	if c.waiting > maxControl {
		return fmt.Errorf("%w: %d bytes wait for it", ErrSilent, c.waiting)
	}
	c.control.push(outgoing{t: t, b: b})
	c.writable.Signal()
	return nil
}

// queueOwn is queue for a message that cannot break a limit.
func (c *Conn) queueOwn(m Message) error {
	b, err := appendMessage(make([]byte, 0, 256), m)
	if err != nil {
		return err
	}
	return c.queue(m.Type(), b)
}

// write sends what is queued until the connection is over.
func (c *Conn) write(ctx context.Context) error {
	var last outgoing
	for {
		m, err := c.next(last)
		if err != nil {
			return err
		}
		n := len(m.b) + overhead
		if err := c.secure.Send(ctx, m.b); err != nil {
			return err
		}
		c.counters.add(m.t, out, n)
		last = m
	}
}

// next is what to write after last has been given to the link.
func (c *Conn) next(last outgoing) (outgoing, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last.bulk > 0 {
		c.flew(last)
	}
	for {
		switch {
		case c.cause != nil:
			return outgoing{}, c.cause
		case c.control.len() > 0:
			m := c.control.pop()
			c.waiting -= len(m.b) + frameCost
			return m, nil
		case c.server.bulk.len() > 0:
			return c.server.bulk.pop(), nil
		}
		c.writable.Wait()
	}
}
