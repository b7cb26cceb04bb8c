package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"shoal/bt"
	"shoal/share/blob"
)

// The plain side of torrents of large files (docs/shares.md §2.3): what is on disk is the plain file, what travels is
// ciphertext, made and unmade on the way.

// plainSource is a bt.Storage that serves a large file out of its plain text. Every piece is verified before a byte of
// it leaves.
type plainSource struct {
	large *blob.Large
	file  io.ReaderAt
	cache *pieceCache
	wrong atomic.Bool // the file was found to be another
}

func newPlainSource(l *blob.Large, file io.ReaderAt, cache *pieceCache) *plainSource {
	return &plainSource{large: l, file: file, cache: cache}
}

func (s *plainSource) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= s.large.Length {
			return n, io.EOF
		}
		i := int(off / s.large.PieceLength)
		piece, err := s.cache.get(pieceName{s.large.Info, i}, func() ([]byte, error) {
			b, err := s.large.Piece(i, s.file, nil)
			if errors.Is(err, blob.ErrContent) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				s.wrong.Store(true)
				return nil, fmt.Errorf("%w: %w", bt.ErrPieceGone, err)
			}
			return b, err
		})
		if err != nil {
			return n, err
		}
		k := copy(p[n:], piece[off%s.large.PieceLength:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// failed reports whether the file was found to be another than the one that was shared.
func (s *plainSource) failed() bool { return s.wrong.Load() }

func (s *plainSource) WriteAt([]byte, int64) (int, error) { return 0, bt.ErrPieceGone }
func (s *plainSource) Complete(int) bool                  { return true }
func (s *plainSource) MarkComplete(int) error             { return nil }
func (s *plainSource) MarkIncomplete(int) error           { return nil }
func (s *plainSource) Close() error                       { s.cache.forget(s.large.Info); return nil }

// readWriterAt is the file that a large file is put together in.
type readWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// plainSink is a bt.Storage that decrypts what comes into a file, and serves what it has. The caller says first which
// chunks are in the file already, and looks at the end whether it is the file that was meant.
type plainSink struct {
	large *blob.Large
	file  readWriterAt

	mu   sync.Mutex // guards what follows
	have []bool
	sums [][32]byte // of chunks that came or were checked; zero = not known
}

// newPlainSink takes a file. have are the chunks that are in it, nil = none; those that are all padding always are.
func newPlainSink(l *blob.Large, file readWriterAt, have []bool) *plainSink {
	if have == nil {
		have = make([]bool, l.Pieces())
	}
	s := &plainSink{large: l, file: file, have: have, sums: make([][32]byte, l.Pieces())}
	for i := range have {
		have[i] = have[i] || l.Padding(i)
	}
	return s
}

func (s *plainSink) WriteAt(p []byte, off int64) (int, error) {
	if left := s.large.Size - off; left < int64(len(p)) {
		if left <= 0 {
			return len(p), nil // padding
		}
		if _, err := s.WriteAt(p[:left], off); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	plain := make([]byte, len(p)) // the caller's bytes must stay
	s.large.Crypt(off, plain, p)
	return s.file.WriteAt(plain, off)
}

func (s *plainSink) ReadAt(p []byte, off int64) (int, error) {
	if left := s.large.Length - off; left < int64(len(p)) {
		if left <= 0 {
			return 0, io.EOF
		}
		p = p[:left]
	}
	if err := s.plain(p, off); err != nil {
		return 0, err
	}
	s.large.Crypt(off, p, p)
	return len(p), nil
}

// plain reads the padded plain text.
func (s *plainSink) plain(p []byte, off int64) error {
	in := p[:max(0, min(int64(len(p)), s.large.Size-off))]
	clear(p[len(in):])
	n, err := s.file.ReadAt(in, off)
	if err != nil && errors.Is(err, io.EOF) {
		clear(in[n:]) // nothing was written there yet
		err = nil
	}
	return err
}

func (s *plainSink) Complete(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have[i]
}

func (s *plainSink) MarkComplete(i int) error {
	sum, err := s.sum(i)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have[i], s.sums[i] = true, sum
	return nil
}

func (s *plainSink) MarkIncomplete(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have[i], s.sums[i] = false, [32]byte{}
	return nil
}

// sum is the SHA-256 of chunk i as it is in the file.
func (s *plainSink) sum(i int) (sum [32]byte, err error) {
	h := sha256.New()
	buf := make([]byte, min(s.large.PieceLen(i), 256<<10))
	off, end := int64(i)*s.large.PieceLength, int64(i)*s.large.PieceLength+s.large.PieceLen(i)
	for ; off < end; off += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), end-off)]
		if err := s.plain(buf, off); err != nil {
			return sum, err
		}
		h.Write(buf)
	}
	return [32]byte(h.Sum(nil)), nil
}

// check says whether the file is the one that was meant, end to end. The error wraps blob.ErrContent when not.
func (s *plainSink) check() error {
	sums := make([][32]byte, len(s.sums))
	for i := range sums {
		s.mu.Lock()
		sums[i] = s.sums[i]
		s.mu.Unlock()
		if sums[i] != [32]byte{} {
			continue
		}
		var err error
		if sums[i], err = s.sum(i); err != nil {
			return err
		}
	}
	return s.large.CheckChunks(sums)
}

func (s *plainSink) Close() error { return nil }
