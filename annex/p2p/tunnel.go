package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/wire"
)

const (
	openWait = 10 * time.Second // for a handshake
	farewell = 500 * time.Millisecond
)

// Options say how to meet.
type Options struct {
	// NewClient makes the session. It must require encryption.
	NewClient func(ctx context.Context) (*bt.Client, error)
	Hosts     []string // host:port where the other may be, besides those found
	Trackers  []string
	Patience  time.Duration // until who listens must be found; 0 = 2 minutes
}

const patience = 2 * time.Minute

// meet joins the swarm of an address.
func (o *Options) meet(ctx context.Context, a wire.TunnelAddress, onConn func(*bt.MeetConn)) (leave func(), err error) {
	c, err := o.NewClient(ctx)
	if err != nil {
		return nil, err
	}
	_, err = c.Meet(ctx, bt.MeetOptions{InfoHash: a.Rendezvous(), Extension: a.Extension(), Trackers: o.Trackers, Peers: o.Hosts,
		OnConn: onConn})
	leave = func() {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = c.Close() // what was to be said is said
		}()
		timer := time.NewTimer(farewell) // git-annex waits for the end of the process
		defer timer.Stop()
		select {
		case <-closed:
		case <-timer.C:
		}
	}
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// Connect connects to who listens at an address, and relays in to it and what it says to out, until it has said all.
// NoPeers when nobody is found.
func Connect(ctx context.Context, a wire.TunnelAddress, in io.Reader, out io.Writer, opts Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wait := opts.Patience
	if wait <= 0 {
		wait = patience
	}
	found := make(chan *wire.Secure)
	looking, done := context.WithCancel(ctx)
	defer done()
	leave, err := opts.meet(ctx, a, func(c *bt.MeetConn) {
		s, err := open(looking, c, a.Connect)
		if err != nil {
			return
		}
		select {
		case found <- s:
			<-c.Done()
		case <-looking.Done(): // another was first
			c.Close()
		}
	})
	if err != nil {
		return err
	}
	defer leave()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case s := <-found:
		done()
		defer s.Close()
		if err = begin(ctx, s); err == nil {
			err = run(ctx, s, local{in: in, out: out, closeOut: func() error { return nil }, leaves: true})
		}
		if err != nil {
			return fmt.Errorf("relaying: %w", err)
		}
		return nil
	case <-timer.C:
		return api.Errorf(bt.NoPeers, "nobody who listens at that address was found within %v", wait)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// begin exchanges the first words: only who has just shaken hands can say them, and a stranger is not to be sent much.
func begin(ctx context.Context, s *wire.Secure) error {
	if err := s.Send(ctx, took(0)); err != nil {
		return err
	}
	return first(ctx, s)
}

// first takes the first word of the other side.
func first(ctx context.Context, s *wire.Secure) error {
	m, err := s.Recv(ctx)
	if err != nil {
		return err
	}
	if kind, _, n, err := parse(m); err != nil || kind != kindTook || n != 0 {
		return errMessage
	}
	return nil
}

// open shakes hands with who may be a stranger.
func open(ctx context.Context, c *bt.MeetConn, shake func(context.Context, wire.Link) (*wire.Secure, error)) (*wire.Secure, error) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	s, err := shake(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Accept()
	return s, nil
}

// Listen takes connections to the address of a key, and relays each to a connection of its own to the Unix socket at
// path, until ctx is done; then it returns the cause.
func Listen(ctx context.Context, key wire.TunnelKey, path string, opts Options) error {
	a, err := key.Address()
	if err != nil {
		return err
	}
	leave, err := opts.meet(ctx, a, func(c *bt.MeetConn) {
		defer c.Close()
		_ = serve(ctx, key, c, path) // a stranger's failure is nobody's
	})
	if err != nil {
		return err
	}
	defer leave()
	<-ctx.Done()
	return context.Cause(ctx)
}

// serve relays one connection.
func serve(ctx context.Context, key wire.TunnelKey, c *bt.MeetConn, path string) error {
	s, err := open(ctx, c, func(ctx context.Context, link wire.Link) (*wire.Secure, error) {
		s, err := key.Accept(ctx, link)
		if err != nil {
			return nil, err
		}
		return s, first(ctx, s)
	})
	if err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("no Unix socket")
	}
	if err := s.Send(ctx, took(0)); err != nil {
		return err
	}
	return run(ctx, s, local{in: socket, out: socket, closeOut: socket.CloseWrite})
}
