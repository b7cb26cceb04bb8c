// Package wiretest has what tests of share/wire and of what stands on it need: links in memory that a scheduler can drive
// and cut, and a clock that stands still.
package wiretest

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"shoal/share/wire"
)

// ErrCut is what both ends of a link say that is over.
var ErrCut = errors.New("the link is cut")

// Options say how a link behaves.
type Options struct {
	// Addrs are those of who dialled and of who was dialled; zero: 127.0.0.1:1 and 127.0.0.1:2.
	Dialler, Listener netip.AddrPort
	// Queue is how many frames may be under way in a direction before Send waits; 0 is 64.
	Queue int
	// Schedule is called at each Send with a function that delivers one frame of that direction, the oldest, so that the
	// order within a direction is kept whatever the order of the calls; it is called at most once, from any goroutine,
	// and does not block. nil delivers at once. A scheduler collects the functions of all links and picks; see Delay.
	Schedule func(deliver func())
}

// A Link is one end of a pair. It is a wire.Link.
type Link struct {
	addr     netip.AddrPort // of the other end
	dialled  bool
	schedule func(deliver func())
	pair     *pair
	send     *direction
	recv     *direction
}

// pair is what both ends share.
type pair struct {
	once sync.Once
	done chan struct{}
}

// direction is the frames from one end to the other.
type direction struct {
	slots chan struct{} // one for each frame that is under way or delivered, and not received
	inbox chan []byte   // delivered

	mu       sync.Mutex
	underway [][]byte
}

// Pair is the two ends of a link: of who dialled, and of who was dialled.
func Pair(opts Options) (dialler, listener *Link) {
	if opts.Queue <= 0 {
		opts.Queue = 64
	}
	if !opts.Dialler.IsValid() {
		opts.Dialler = netip.MustParseAddrPort("127.0.0.1:1")
	}
	if !opts.Listener.IsValid() {
		opts.Listener = netip.MustParseAddrPort("127.0.0.1:2")
	}
	p := &pair{done: make(chan struct{})}
	there, back := newDirection(opts.Queue), newDirection(opts.Queue)
	dialler = &Link{opts.Listener, true, opts.Schedule, p, there, back}
	listener = &Link{opts.Dialler, false, opts.Schedule, p, back, there}
	return dialler, listener
}

func newDirection(n int) *direction {
	return &direction{slots: make(chan struct{}, n), inbox: make(chan []byte, n)}
}

// deliver gives the oldest frame that is under way to the other end.
func (d *direction) deliver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.underway) > 0 {
		d.inbox <- d.underway[0] // it has a slot, so there is room
		d.underway = d.underway[1:]
	}
}

// RemoteAddr is the address of the other end.
func (l *Link) RemoteAddr() netip.AddrPort { return l.addr }

// Dialled reports whether this is the end that dialled.
func (l *Link) Dialled() bool { return l.dialled }

// Done is closed when the link is over.
func (l *Link) Done() <-chan struct{} { return l.pair.done }

// Close ends the link for both ends. What was delivered can still be received, what is under way is lost.
func (l *Link) Close() { l.pair.once.Do(func() { close(l.pair.done) }) }

// Cut is Close, as the network does it.
func (l *Link) Cut() { l.Close() }

// Send is that of wire.Link.
func (l *Link) Send(ctx context.Context, frame []byte) error {
	if len(frame) > wire.MaxFrame {
		panic("a frame that is too long")
	}
	select {
	case <-l.pair.done:
		return ErrCut
	default:
	}
	select {
	case l.send.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.pair.done:
		return ErrCut
	}
	if l.schedule == nil {
		l.send.inbox <- frame
		return nil
	}
	l.send.mu.Lock()
	l.send.underway = append(l.send.underway, frame)
	l.send.mu.Unlock()
	l.schedule(l.send.deliver)
	return nil
}

// Recv is that of wire.Link.
func (l *Link) Recv(ctx context.Context) ([]byte, error) {
	select {
	case frame := <-l.recv.inbox:
		<-l.recv.slots
		return frame, nil
	default:
	}
	select {
	case frame := <-l.recv.inbox:
		<-l.recv.slots
		return frame, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-l.pair.done:
		return nil, ErrCut
	}
}
