package keystore

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"shoal/share/api"
)

// opener opens the shares of this machine.
type opener = func(ctx context.Context) (api.Shares, io.Closer, error)

// viewFor is how long what was opened to look is looked at: without a node it is what was known then.
const viewFor = time.Second

// A view is the shares of this machine, to look at. Many look after each other, and opening costs more than looking.
type view struct {
	open opener

	mu     sync.Mutex // guards what follows
	shares api.Shares
	closer io.Closer
	until  time.Time
	sure   bool // what once was asked for is so
}

// ask asks what is known now.
func (v *view) ask(ctx context.Context, do func(api.Shares) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.shares != nil && time.Now().Before(v.until)
	for {
		if !old {
			if err := v.renew(ctx); err != nil {
				return err
			}
		}
		err := do(v.shares)
		if !old || err == nil || !gone(err) {
			return err
		}
		old = false // a node that has ended, or has been started again
	}
}

// gone reports whether the node that was asked is no longer there.
func gone(err error) bool { return errors.Is(err, api.ErrNoNode) || errors.Is(err, api.ErrEnded) }

func (v *view) renew(ctx context.Context) error {
	if err := v.drop(); err != nil {
		return err
	}
	shares, closer, err := v.open(ctx)
	if err != nil {
		return err
	}
	v.shares, v.closer, v.until = shares, closer, time.Now().Add(viewFor)
	return nil
}

func (v *view) drop() error {
	closer := v.closer
	v.shares, v.closer = nil, nil
	if closer != nil {
		return closer.Close()
	}
	return nil
}

// once calls do until it succeeds, and then no more. To be called from within ask.
func (v *view) once(do func() error) error {
	if v.sure {
		return nil
	}
	err := do()
	v.sure = err == nil
	return err
}

func (v *view) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.drop()
}

// A session is the shares of this machine, and others that are met. Jobs that run at once share it; without a node it has
// the lock of the state folder, and ends with the last of them.
type session struct {
	open opener

	mu     sync.Mutex // guards what follows
	shares api.Shares
	closer io.Closer
	users  int
}

// with calls do on the shares.
func (s *session) with(ctx context.Context, do func(api.Shares) error) (err error) {
	shares, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	return do(shares)
}

func (s *session) enter(ctx context.Context) (api.Shares, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		if err := s.end(); err != nil {
			return nil, err
		}
		shares, closer, err := s.open(ctx)
		if err != nil {
			return nil, err
		}
		s.shares, s.closer = shares, closer
	}
	s.users++
	return s.shares, nil
}

func (s *session) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	return s.end()
}

func (s *session) end() error {
	closer := s.closer
	s.shares, s.closer = nil, nil
	if closer != nil {
		return closer.Close()
	}
	return nil
}

func (s *session) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end()
}
