package storagetest

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"shoal/bt"
)

var errClosed = errors.New("storage is closed")

// memoryStorage keeps a torrent in memory.
type memoryStorage struct {
	m *bt.Metainfo

	mu       sync.RWMutex
	data     []byte // the piece space
	complete []bool
	closed   bool
}

// NewMemory is a storage in memory, for tests with small torrents.
func NewMemory(m *bt.Metainfo) bt.Storage {
	return &memoryStorage{m: m, data: make([]byte, int64(m.NumPieces)*m.PieceLength), complete: make([]bool, m.NumPieces)}
}

func (s *memoryStorage) ReadAt(b []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return 0, errClosed
	case off < 0:
		return 0, fs.ErrInvalid
	case off >= int64(len(s.data)):
		return 0, io.EOF
	}
	n := copy(b, s.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (s *memoryStorage) WriteAt(b []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errClosed
	}
	if off < 0 || off+int64(len(b)) > int64(len(s.data)) {
		return 0, fs.ErrInvalid
	}
	for _, f := range s.m.Files { // gaps stay zero
		lo, hi := max(f.Offset, off), min(f.Offset+f.Length, off+int64(len(b)))
		if lo < hi {
			copy(s.data[lo:hi], b[lo-off:hi-off])
		}
	}
	return len(b), nil
}

func (s *memoryStorage) Complete(piece int) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return piece >= 0 && piece < len(s.complete) && s.complete[piece]
}

func (s *memoryStorage) MarkComplete(piece int) error   { return s.mark(piece, true) }
func (s *memoryStorage) MarkIncomplete(piece int) error { return s.mark(piece, false) }

func (s *memoryStorage) mark(piece int, complete bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if piece < 0 || piece >= len(s.complete) {
		return fs.ErrInvalid
	}
	s.complete[piece] = complete
	return nil
}

func (s *memoryStorage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
