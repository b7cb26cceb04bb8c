package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"
)

// The two ends of a tunnel say to each other: bytes, that no more come, and how much was taken. A program that does not
// read before it was read from must not stop what goes the other way: that is what hangs simple relays. So each end
// always receives, and an end sends only as much as the other is bound to have room for.
const (
	kindData = 'd' // bytes
	kindEnd  = 'e' // no more bytes come
	kindTook = 't' // uint64: how many bytes were handed on since the beginning; the end counts as one

	window    = 1 << 20  // bytes that may be on their way in one direction
	maxData   = 32 << 10 // bytes of a message
	tookEvery = window / 4
	endWait   = time.Minute // for the other end to say that it has taken the end
)

// A channel carries messages in order; *wire.Secure is one.
type channel interface {
	Send(ctx context.Context, message []byte) error
	Recv(ctx context.Context) ([]byte, error)
}

// local is the near end of a relay: standard input and output, or a socket.
type local struct {
	in       io.Reader
	out      io.Writer
	closeOut func() error // says that no more will be written
	// leaves says that the relay is over as soon as the peer has said all. Else it is when in has ended, and the peer has
	// taken what came from it.
	leaves bool
}

var (
	errMessage = errors.New("the peer sent what is no message of a relay")
	errWindow  = errors.New("the peer sends more than was asked for")
	errOver    = errors.New("all is said") // the good end of a relay
)

// parse splits a message into its kind and what it says: bytes, or a number.
func parse(m []byte) (kind byte, data []byte, took uint64, err error) {
	switch {
	case len(m) > 1 && m[0] == kindData:
		return kindData, m[1:], 0, nil
	case len(m) == 1 && m[0] == kindEnd:
		return kindEnd, nil, 0, nil
	case len(m) == 9 && m[0] == kindTook:
		return kindTook, nil, binary.BigEndian.Uint64(m[1:]), nil
	}
	return 0, nil, 0, errMessage
}

// took is the message that so many bytes were handed on.
func took(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kindTook}, n) }

// A relay moves bytes between a channel and a near end.
type relay struct {
	ch     channel
	near   local
	ctx    context.Context
	finish context.CancelCauseFunc

	mu     sync.Mutex // guards what follows
	wake   sync.Cond  // something changed
	sent   uint64     // bytes; the end is one
	taken  uint64     // of those, what the peer has handed on
	ended  bool       // our end is sent
	queue  [][]byte   // what came, and is to be handed on; nil is the end
	queued int        // bytes of queue
	over   bool
}

// run relays until all is said, or one of the ends fails.
func run(ctx context.Context, ch channel, near local) error {
	r := &relay{ch: ch, near: near}
	r.wake.L = &r.mu
	r.ctx, r.finish = context.WithCancelCause(ctx)
	defer r.finish(nil)
	stop := context.AfterFunc(r.ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.over = true
		r.wake.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for _, part := range []func() error{r.receive, r.handOn} {
		wg.Go(func() {
			if err := part(); err != nil {
				r.finish(err)
			}
		})
	}
	// Who reads from the near end may never return: a terminal has nothing to say.
	go func() {
		if err := r.send(); err != nil {
			r.finish(err)
		}
	}()
	wg.Wait()
	if err := context.Cause(r.ctx); !errors.Is(err, errOver) {
		return err
	}
	return nil
}

// send sends what the near end says.
func (r *relay) send() error {
	for {
		buf := make([]byte, 1+maxData, 1+maxData+16) // encrypted in place
		n, err := r.near.in.Read(buf[1:])
		if n > 0 {
			buf[0] = kindData
			if err := r.push(buf[:1+n], uint64(n)); err != nil {
				return err
			}
		}
		if err != nil { // also of a socket that was reset: the peer hears that it is over
			if err := r.push([]byte{kindEnd}, 1); err != nil {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ended = true
			if r.allTaken() {
				return errOver
			}
			time.AfterFunc(endWait, func() {
				if !r.near.leaves {
					r.finish(errOver)
				}
			})
			return nil
		}
	}
}

// push sends a message once the peer has room for it.
func (r *relay) push(message []byte, n uint64) error {
	r.mu.Lock()
	for !r.over && r.sent-r.taken+n > window {
		r.wake.Wait()
	}
	over := r.over
	r.sent += n
	r.mu.Unlock()
	if over {
		return context.Cause(r.ctx)
	}
	return r.ch.Send(r.ctx, message)
}

// receive takes what the peer says, as fast as it comes.
func (r *relay) receive() error {
	for {
		m, err := r.ch.Recv(r.ctx)
		if err != nil && r.near.leaves && r.hasEnd() {
			return nil // all has come, and is being handed on
		}
		if err != nil {
			return err
		}
		kind, data, n, err := parse(m)
		if err != nil {
			return err
		}
		if err := r.take(kind, data, n); err != nil {
			return err
		}
	}
}

func (r *relay) take(kind byte, data []byte, n uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch kind {
	case kindTook:
		if n < r.taken || n > r.sent {
			return errMessage
		}
		r.taken = n
		if r.allTaken() {
			return errOver
		}
	default:
		if len(r.queue) > 0 && r.queue[len(r.queue)-1] == nil {
			return errMessage // after the end
		}
		if r.queued += len(data); r.queued > window {
			return errWindow
		}
		r.queue = append(r.queue, data)
	}
	r.wake.Broadcast()
	return nil
}

// allTaken reports whether the relay is over because the peer has taken all that the near end said. The caller holds mu.
func (r *relay) allTaken() bool { return r.ended && r.taken == r.sent && !r.near.leaves }

// handOn gives the near end what came, and tells the peer how much that is.
func (r *relay) handOn() error {
	var done, told uint64
	for {
		data, err := r.next()
		if err != nil {
			return err
		}
		if data == nil {
			if err := r.near.closeOut(); err != nil && r.near.leaves {
				return err
			}
			_ = r.ch.Send(r.ctx, took(done+1)) // who receives hears when the peer has gone
			if r.near.leaves {
				return errOver
			}
			return nil
		}
		if _, err := r.near.out.Write(data); err != nil {
			return err
		}
		if done += uint64(len(data)); done-told >= tookEvery {
			told = done
			_ = r.ch.Send(r.ctx, took(done))
		}
	}
}

// hasEnd reports whether the peer has said all.
func (r *relay) hasEnd() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) > 0 && r.queue[len(r.queue)-1] == nil
}

// next is what came first and is not handed on; nil is the end.
func (r *relay) next() ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.over && len(r.queue) == 0 {
		r.wake.Wait()
	}
	if r.over {
		return nil, context.Cause(r.ctx)
	}
	data := r.queue[0]
	if data != nil {
		r.queue = r.queue[1:]
		r.queued -= len(data)
	}
	return data, nil
}
