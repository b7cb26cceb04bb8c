// Package wire is what two nodes of a share say to each other once they have met: a Noise handshake that proves the store
// secret, then messages in frames, with windows (docs/shares.md §5).
package wire

import (
	"context"
	"net/netip"
)

// MaxFrame is how long a frame may be, in bytes, as it travels.
const MaxFrame = 48 << 10

// A Link carries frames in order between two nodes; bt gives it, and tests make it of channels.
type Link interface {
	RemoteAddr() netip.AddrPort
	Dialled() bool // we are the one that dialled
	// Send queues a frame of at most MaxFrame bytes. It waits while the queue is full.
	Send(ctx context.Context, frame []byte) error
	Recv(ctx context.Context) ([]byte, error)
	Close() error
	Done() <-chan struct{}
}
