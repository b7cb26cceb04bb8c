package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"

	"shoal/share/blob"
	"shoal/share/secret"
)

// Config is what a Conn needs. Keys and Identity must be there.
type Config struct {
	Keys     *secret.Keys
	Identity secret.Identity

	// Run is of this process, and no other: by it a node tells itself from a clone with its key. Zero: it cannot.
	Run [8]byte
	// Hello is what to introduce ourselves with; proofs, version and Run are filled in. nil: nothing beyond those.
	Hello func() Hello
	// Serve is the whole blob that a peer asked for; any error, such as ErrNotHere, answers NO. It decides whether the
	// peer may have it: only ids reached from kept heads of this share. It may block; one call per Conn runs at a time.
	// nil: nothing is here. The bytes are left unchanged.
	Serve func(ctx context.Context, id blob.ID) ([]byte, error)
	// Pace waits until n more bytes of blobs may be sent; an error ends the connection. nil: at once.
	Pace func(ctx context.Context, n int) error
	// Handler gets what a Conn does not settle itself; nil: nobody.
	Handler Handler

	Clock    Clock     // nil: System
	Random   io.Reader // of ephemeral keys; nil: the system's
	Counters *Counters // where this Conn counts too, beside its own; nil: nowhere
}

// A Handler is told what a peer says. The goroutine that reads the connection calls it, so that it must not block, nor
// wait for Run; other methods of the Conn are fine.
type Handler interface {
	// Message is a HEADS, WANT, STATE, KEEP, KEPT, PEERS or MOVED, or the NO to a WANT. Its slices are the Handler's.
	Message(c *Conn, m Message)
	// Lied says that what the peer sent for id, which it was asked for, is not that blob. After the fifth time the
	// connection ends with ErrLies.
	Lied(c *Conn, id blob.ID)
}

const (
	maxLies    = 5
	maxControl = 1 << 20   // bytes of messages that wait for a peer, each counted with frameCost
	maxBulk    = 256 << 10 // bytes of BLOB messages that wait for the link
	frameCost  = 64        // bytes of memory that a queued message costs beside itself
)

// A Conn is a connection to a peer that has proved the secret and its name. It says nothing by itself but answers to GET
// and acknowledgements. Methods may be called concurrently.
type Conn struct {
	cfg      Config
	secure   *Secure
	hello    *Hello
	counters Counters

	mu       sync.Mutex // guards what follows; nothing of others is called while it is held
	cause    error      // why it is over; nil before
	writable sync.Cond  // there is something to write, or it is over
	servable sync.Cond  // the server may go on, or it is over
	control  fifo[outgoing]
	waiting  int // bytes of control, costs included
	server   server
	client   client
}

// Open makes a link of a stranger a connection to a member: handshake, then HELLO of both sides, in at most OpenTimeout.
// Nothing that the peer asks for is answered before Run. The error wraps ErrWrongSecret, ErrVersion, ErrSelf, ErrClone,
// ErrProtocol, ErrTimeout, or is that of the link, which is closed after any error.
func Open(ctx context.Context, link Link, cfg Config) (*Conn, error) {
	if cfg.Clock == nil {
		cfg.Clock = System{}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := cfg.Clock.AfterFunc(OpenTimeout, func() { cancel(ErrTimeout) })
	defer stop()
	c := &Conn{cfg: cfg}
	c.counters.parent = cfg.Counters
	c.cfg.Counters = &c.counters
	c.writable.L, c.servable.L = &c.mu, &c.mu

	var err error
	if c.secure, err = Handshake(ctx, link, cfg.Keys, cfg.Random); err == nil {
		c.hello, err = greet(ctx, c.secure, &c.cfg)
	}
	if err != nil {
		link.Close()
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return nil, err
	}
	return c, nil
}

// tellVersion lets a peer of another version know ours, so that both sides can say why nothing happens, and waits until
// it has gone, for what a closed link still holds may be lost.
func tellVersion(ctx context.Context, s *Secure, cfg *Config, err error) {
	if !errors.Is(err, ErrVersion) || sendHello(ctx, s, cfg) != nil {
		return
	}
	_, _ = s.link.Recv(ctx)
}

// Hello is how the peer introduced itself. It must not be changed.
func (c *Conn) Hello() *Hello { return c.hello }

// RemoteAddr and Dialled are those of the link.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.secure.link.RemoteAddr() }

// Dialled reports whether we dialled.
func (c *Conn) Dialled() bool { return c.secure.link.Dialled() }

// Counters count what passed on this connection.
func (c *Conn) Counters() *Counters { return &c.counters }

// Run reads, answers and writes until the connection is over, and returns why: never nil; ErrClosed after Close. It
// returns after its last goroutine, and is called once.
func (c *Conn) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Fail(context.Cause(ctx)) })
	var wg sync.WaitGroup
	wg.Go(func() { c.Fail(c.write(ctx)) })
	wg.Go(func() { c.serve(ctx) })
	c.Fail(c.read(ctx))
	stop()
	cancel()
	wg.Wait()
	return c.finish()
}

// Fail ends the connection for a reason, unless it is over already. It does not wait.
func (c *Conn) Fail(err error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = err
	}
	c.writable.Broadcast()
	c.servable.Broadcast()
	c.mu.Unlock()
	c.secure.Close()
}

// Close ends the connection. It does not wait: Run returns at the end.
func (c *Conn) Close() { c.Fail(ErrClosed) }

// finish stops what could still come back, and returns why it is over.
func (c *Conn) finish() error {
	c.mu.Lock()
	to, cause := c.client.to, c.cause
	c.client.to = nil
	for _, stop := range []func(){c.server.stop, c.client.stop} {
		if stop != nil {
			stop()
		}
	}
	c.control, c.server, c.client = fifo[outgoing]{}, server{}, client{}
	c.mu.Unlock()
	if to != nil {
		to.gone(c)
	}
	return cause
}

// read dispatches until there is nothing more to read.
func (c *Conn) read(ctx context.Context) error {
	for {
		b, err := c.secure.Recv(ctx)
		if err != nil {
			return err
		}
		m, err := Decode(b)
		if err != nil {
			c.counters.add(Other, in, len(b)+overhead)
			return err
		}
		c.counters.add(m.Type(), in, len(b)+overhead)
		if err := c.dispatch(m); err != nil {
			return err
		}
	}
}

func (c *Conn) dispatch(m Message) error {
	switch m := m.(type) {
	case *Unknown:
		return nil
	case *Hello:
		return fmt.Errorf("%w: it introduced itself twice", ErrProtocol)
	case *Get:
		return c.onGet(m)
	case *Ack:
		return c.onAck(m)
	case *Blob:
		return c.onBlob(m)
	case *No:
		if !m.Want {
			return c.onNo(m)
		}
	}
	if c.cfg.Handler != nil {
		c.cfg.Handler.Message(c, m)
	}
	return nil
}
