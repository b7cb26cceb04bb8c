package node

import (
	"context"
	"sync"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// blobStore is where trees of a share read and write nodes: the database, and before it what the next transaction will
// write. Its methods may be called concurrently; flush belongs to the control goroutine.
type blobStore struct {
	ctx  context.Context // of the engine; index.Blobs has none
	db   *db.DB
	n    int64
	most int   // blobs held before they are written at once; 0 = no limit
	of   int64 // another share whose blobs are these, too; 0 = none

	mu      sync.Mutex // guards pending
	pending map[blob.ID][]byte
}

func newBlobStore(ctx context.Context, d *db.DB, n int64) *blobStore {
	return &blobStore{ctx: ctx, db: d, n: n, pending: map[blob.ID][]byte{}}
}

// newBlobs is a store for the blobs of a share.
func (e *engine) newBlobs() *blobStore {
	s := newBlobStore(e.ctx, e.node.db, e.n)
	if e.isBeside() {
		s.of = e.link.Of
	}
	return s
}

// Get is a blob that is kept as bytes, or index.ErrMissing.
func (s *blobStore) Get(id blob.ID) (b []byte, err error) {
	s.mu.Lock()
	b, ok := s.pending[id]
	s.mu.Unlock()
	if ok {
		return b, nil
	}
	err = s.db.View(s.ctx, func(t *db.Tx) error {
		var err error
		if b, _, err = t.Blob(s.n, id); err == nil && b == nil && s.of != 0 {
			b, _, err = t.Blob(s.of, id)
		}
		return err
	})
	if err == nil && b == nil {
		err = index.ErrMissing
	}
	return b, err
}

// Put keeps a blob until flush writes it.
func (s *blobStore) Put(id blob.ID, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[id] = b
	if s.most == 0 || len(s.pending) < s.most {
		return nil
	}
	err := s.db.Update(s.ctx, s.write)
	if err == nil {
		clear(s.pending)
	}
	return err
}

// has reports whether a blob is kept.
func (s *blobStore) has(id blob.ID) (ok bool, err error) {
	s.mu.Lock()
	_, ok = s.pending[id]
	s.mu.Unlock()
	if ok {
		return true, nil
	}
	err = s.db.View(s.ctx, func(t *db.Tx) error {
		var err error
		if ok, err = t.HasBlob(s.n, id); err == nil && !ok && s.of != 0 {
			ok, err = t.HasBlob(s.of, id)
		}
		return err
	})
	return ok, err
}

// flush writes what was put, within a transaction. When that succeeds, written must be called.
func (s *blobStore) flush(t *db.Tx) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(t)
}

// write is flush for who holds mu.
func (s *blobStore) write(t *db.Tx) error {
	for id, b := range s.pending {
		if err := t.PutBlob(s.n, id, b, int64(len(b))); err != nil {
			return err
		}
	}
	return nil
}

// written forgets what flush wrote; forget after a transaction that failed.
func (s *blobStore) written() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.pending)
}
