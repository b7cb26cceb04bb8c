package bt

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
	"golang.org/x/time/rate"
)

// MaxFrame is the longest frame, in bytes. The library cuts connections at messages of more than 64 KiB.
const MaxFrame = 48 << 10

const (
	meetID       = 2         // our number for the extension: its place in the map of meet
	frameCost    = 64        // bytes that a frame is counted for besides its length
	framePrefix  = 6         // bytes that a frame has before it on the wire: length, type, number
	inboxNew     = 192 << 10 // bytes that may wait for Recv before Accept
	inboxKnown   = 4 << 20   // and after
	outboxBytes  = 256 << 10 // bytes handed to the library and not yet to the network
	firstDrain   = time.Millisecond
	longestDrain = 50 * time.Millisecond
)

// Why a connection of a meeting is over. What Recv and Send return wraps one of these, or is the end of the context.
var (
	ErrHungUp = errors.New("the connection is over")
	ErrFlood  = errors.New("the peer sends faster than is read")
)

// A MeetConn is a connection to a peer that offers the extension of a Meeting. All methods may be called concurrently,
// but Recv.
type MeetConn struct {
	m       *Meeting
	pc      *torrent.PeerConn
	addr    netip.AddrPort
	dialled bool
	since   time.Time

	ctx   context.Context // done when the connection is over, with the reason as cause
	end   context.CancelCauseFunc
	timer *time.Timer // cuts it off unless it is accepted

	sending chan struct{} // holds one value while a frame is being sent
	handed  int64         // bytes given to the library; held by sending, as flushed
	flushed int64         // bytes of those that the network took, as last seen
	base    int64         // what the library counted besides

	wake chan struct{} // a frame came

	mu     sync.Mutex // guards what follows; nothing is called while it is held
	known  bool       // accepted
	inbox  [][]byte
	queued int // bytes of inbox, each frame with its cost
}

func newMeetConn(m *Meeting, pc *torrent.PeerConn) *MeetConn {
	c := &MeetConn{m: m, pc: pc, addr: remoteAddr(pc), dialled: !incoming(pc), since: time.Now(),
		sending: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	c.ctx, c.end = context.WithCancelCause(m.ctx)
	return c
}

// begin ties the library's connection to the context, and starts the clock.
func (c *MeetConn) begin() {
	context.AfterFunc(c.ctx, func() { c.pc.Close() })
	c.timer = time.AfterFunc(c.m.opts.Patience, func() {
		if !c.isAccepted() {
			c.end(fmt.Errorf("%w: %w", ErrHungUp, errLate))
		}
	})
}

// hello leaves of the peer's extensions ours alone: without an info dictionary the library does not know that it must
// exchange no peers, and would ask for the dictionary whose length the peer names.
func (c *MeetConn) hello(d *pp.ExtendedHandshakeMessage) {
	name := pp.ExtensionName(c.m.opts.Extension)
	id := d.M[name]
	// Without ut_metadata the library holds the connection useless; 0 says that nothing may be asked.
	d.M = map[pp.ExtensionName]pp.ExtensionNumber{pp.ExtensionNameMetadata: 0, name: id}
	d.MetadataSize = 0
	if id != 0 && c.ctx.Err() == nil {
		c.m.offered(c)
	}
}

// message takes frames, and keeps all but the first extended handshake from the library.
func (c *MeetConn) message(m *pp.Message) {
	if m.Type == pp.Extended && m.ExtendedID == pp.HandshakeExtendedID {
		return
	}
	if m.Type == pp.Extended && m.ExtendedID == meetID {
		c.take(m.ExtendedPayload)
	}
	mute(m)
}

// take queues a frame for Recv. The library's lock is held.
func (c *MeetConn) take(frame []byte) {
	if c.ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	limit := inboxNew
	if c.known {
		limit = inboxKnown
	}
	fits := len(frame) <= MaxFrame && c.queued+len(frame)+frameCost <= limit
	if fits {
		c.inbox = append(c.inbox, frame)
		c.queued += len(frame) + frameCost
	} else {
		c.inbox, c.queued = nil, 0
	}
	c.mu.Unlock()
	if !fits {
		c.end(fmt.Errorf("%w: %w", ErrHungUp, ErrFlood))
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// closed hears from the library that the connection is over.
func (c *MeetConn) closed() {
	c.timer.Stop()
	c.end(fmt.Errorf("%w: the peer left", ErrHungUp))
	c.m.lost(c)
}

// RemoteAddr is the address of the peer: where it was dialled, or the port it dialled from. It is not valid when only a
// proxy knows it.
func (c *MeetConn) RemoteAddr() netip.AddrPort { return c.addr }

// Dialled reports whether we dialled.
func (c *MeetConn) Dialled() bool { return c.dialled }

// Done is closed when the connection is over.
func (c *MeetConn) Done() <-chan struct{} { return c.ctx.Done() }

// Accept says that the peer has proved itself: the connection may last, and its address is good.
func (c *MeetConn) Accept() {
	c.mu.Lock()
	c.known = true
	c.mu.Unlock()
	c.timer.Stop()
	c.m.book.accepted(c)
}

func (c *MeetConn) isAccepted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// Close ends the connection; frames that were not received yet are lost. If we had dialled, that address is dialled
// again after a while.
func (c *MeetConn) Close() {
	c.mu.Lock()
	c.inbox, c.queued = nil, 0
	c.mu.Unlock()
	c.end(fmt.Errorf("%w: it was closed here", ErrHungUp))
}

// CloseFor is Close for a connection to the node that keep leads to as well: the address of c is not dialled while keep
// lasts. It may be called when c is over already.
func (c *MeetConn) CloseFor(keep *MeetConn) {
	c.m.book.same(c, keep)
	c.Close()
}

// Recv returns the next frame, which is the caller's. Frames that came before the peer left are given first. It must be
// called from one goroutine at a time, and quickly: a peer is cut off when more than 4 MiB wait, 192 KiB before Accept.
func (c *MeetConn) Recv(ctx context.Context) ([]byte, error) {
	for {
		if frame, ok := c.next(); ok {
			return frame, nil
		}
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			if frame, ok := c.next(); ok {
				return frame, nil
			}
			return nil, c.reason()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *MeetConn) next() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.inbox) == 0 {
		return nil, false
	}
	frame := c.inbox[0]
	c.inbox[0] = nil
	c.inbox = c.inbox[1:]
	c.queued -= len(frame) + frameCost
	return frame, true
}

// reason is why the connection is over.
func (c *MeetConn) reason() error {
	if err := context.Cause(c.ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: the meeting ended", ErrHungUp)
}

// Send hands a frame of 1 to MaxFrame bytes over for sending, after those handed over before. It waits while the upload
// limit, or a peer that reads slowly, holds up more than 256 KiB. After an error the frame was not sent and will not be.
// That it was sent does not say that it arrived. The caller keeps frame.
func (c *MeetConn) Send(ctx context.Context, frame []byte) error {
	if len(frame) == 0 || len(frame) > MaxFrame {
		return fmt.Errorf("sending a frame of %d bytes: want 1 to %d", len(frame), MaxFrame)
	}
	select {
	case c.sending <- struct{}{}:
		defer func() { <-c.sending }()
	case <-c.ctx.Done():
		return c.reason()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	if err := c.limit(ctx, len(frame)); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return c.reason()
	}
	if err := c.pc.WriteExtendedMessage(pp.ExtensionName(c.m.opts.Extension), frame); err != nil {
		return fmt.Errorf("sending a frame: %w", err)
	}
	c.handed += int64(len(frame) + framePrefix)
	return nil
}

// drain waits until the library holds little that it has not sent. It does not tell, and must be asked.
func (c *MeetConn) drain(ctx context.Context) error {
	if c.handed == 0 {
		c.base = c.written()
	}
	for wait := firstDrain; c.handed-c.flushed >= outboxBytes; wait = min(2*wait, longestDrain) {
		c.flushed = c.written() - c.base
		if over := c.flushed - c.handed; over > 0 { // keepalives and the like
			c.base += over
			c.flushed = c.handed
		}
		if c.handed-c.flushed < outboxBytes {
			break
		}
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
			return c.reason()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// written is how many bytes the network took of all that was sent.
func (c *MeetConn) written() int64 {
	s := c.pc.Stats()
	return s.BytesWritten.Int64()
}

// limit waits until the upload limit allows n bytes more.
func (c *MeetConn) limit(ctx context.Context, n int) error {
	up := c.m.c.up
	if up.Limit() == rate.Inf {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, func() { cancel(c.reason()) })()
	if err := up.WaitN(ctx, n); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("sending a frame: %w", err) // it would take longer than ctx has
	}
	return nil
}
