package bt

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// dataStorage is the caller's Storage until its first error: from then on nothing is read from it or written to it, so
// that no byte is served that it might not stand for.
type dataStorage struct {
	st          Storage
	pieceLength int64
	failed      func(error)
	done        func(piece int)
	active      atomic.Int64 // when it was read or written last, in Unix nanoseconds

	up, down func(ctx context.Context, n int) error // as in DataOptions
	ctx      context.Context                        // of waiting for them
	hurry    context.CancelFunc                     // ends it

	mu  sync.RWMutex // held for reading while st is called
	err error        // why st is not called any more; guarded by mu
}

func newDataStorage(st Storage, pieceLength int64, failed func(error)) *dataStorage {
	s := &dataStorage{st: st, pieceLength: pieceLength, failed: failed}
	s.active.Store(time.Now().UnixNano())
	s.ctx, s.hurry = context.WithCancel(context.Background())
	return s
}

// wait waits for one of up and down. Nothing of the library or of this storage is held meanwhile: each connection has a
// goroutine that reads what it sends, and another that writes what has come.
func (s *dataStorage) wait(limit func(context.Context, int) error, n int) error {
	if limit == nil {
		return nil
	}
	return limit(s.ctx, n)
}

// readForPeer is ReadAt at the pace of what may be sent.
func (s *dataStorage) readForPeer(b []byte, off int64) (int, error) {
	if err := s.wait(s.up, len(b)); err != nil {
		return 0, err
	}
	return s.ReadAt(b, off)
}

// do calls f unless the storage has failed. An error of f is that it does so now; what it is about is marked
// incomplete.
func (s *dataStorage) do(piece int, f func() error) error {
	s.mu.RLock()
	err := s.err
	if err == nil {
		err = f()
	}
	broke := err != nil && s.err == nil
	s.mu.RUnlock()
	if !broke {
		return err
	}
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
		if merr := s.st.MarkIncomplete(piece); merr != nil {
			err = errors.Join(err, merr)
		}
	}
	s.mu.Unlock()
	if first {
		s.failed(err)
	}
	return err
}

func (s *dataStorage) ReadAt(b []byte, off int64) (n int, err error) {
	s.active.Store(time.Now().UnixNano())
	err = s.do(int(off/s.pieceLength), func() (err error) {
		if n, err = s.st.ReadAt(b, off); n == len(b) && err == io.EOF {
			err = nil
		}
		return err
	})
	if err != nil {
		return 0, err // not a byte of what may be wrong
	}
	return n, nil
}

func (s *dataStorage) WriteAt(b []byte, off int64) (n int, err error) {
	if err := s.wait(s.down, len(b)); err != nil {
		return 0, err
	}
	s.active.Store(time.Now().UnixNano())
	err = s.do(int(off/s.pieceLength), func() (err error) {
		n, err = s.st.WriteAt(b, off)
		return err
	})
	return n, err
}

func (s *dataStorage) Complete(piece int) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.err == nil && s.st.Complete(piece)
}

func (s *dataStorage) MarkComplete(piece int) error {
	err := s.do(piece, func() error { return s.st.MarkComplete(piece) })
	if err == nil && s.done != nil {
		s.done(piece)
	}
	return err
}

func (s *dataStorage) MarkIncomplete(piece int) error {
	return s.do(piece, func() error { return s.st.MarkIncomplete(piece) })
}

// Close leaves the caller's storage alone.
func (s *dataStorage) Close() error { return nil }

// close waits for the calls that are running, and lets no more through.
func (s *dataStorage) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = errClosed
	}
}
