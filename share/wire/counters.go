package wire

import "sync/atomic"

// A direction of a frame.
const (
	in = iota
	out
)

// Counters count frames and bytes by direction and type of message: bytes as they travel, the 16 of the encryption
// included. Those of a Conn also count for those of its Config. The zero value is ready; methods may be called any time.
type Counters struct {
	parent *Counters
	n      [2][types]struct{ frames, bytes atomic.Int64 }
}

// A Count is what passed.
type Count struct {
	Frames int64 `json:"frames"`
	Bytes  int64 `json:"bytes"`
}

func (c *Counters) add(t Type, direction, bytes int) {
	for ; c != nil; c = c.parent {
		c.n[direction][t].frames.Add(1)
		c.n[direction][t].bytes.Add(int64(bytes))
	}
}

// In is what came, Out what went, by type; types that did not occur are left out.
func (c *Counters) In() map[Type]Count { return c.snapshot(in) }

// Out is what went.
func (c *Counters) Out() map[Type]Count { return c.snapshot(out) }

func (c *Counters) snapshot(direction int) map[Type]Count {
	m := make(map[Type]Count)
	for t := range Type(types) {
		n := &c.n[direction][t]
		if frames := n.frames.Load(); frames > 0 {
			m[t] = Count{frames, n.bytes.Load()}
		}
	}
	return m
}
