package bt

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxHashMemory bounds the buffers of all hashing goroutines, in bytes, unless one piece is larger.
const maxHashMemory = 32 << 20

// A verdict is what came out of hashing one piece.
type verdict struct {
	piece int
	good  bool
	err   error
}

// hashPieces reads the pieces, which are sorted, from disk and sets the good ones complete and the others not. Nobody else
// uses the storage.
func (s *FileStorage) hashPieces(ctx context.Context, pieces []int) error {
	if len(pieces) == 0 {
		return nil
	}
	workers := min(int64(min(runtime.GOMAXPROCS(0), len(pieces))), max(1, maxHashMemory/s.m.PieceLength))
	verdicts := make(chan verdict, 64)
	var next atomic.Int64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			buf := make([]byte, s.m.PieceLength)
			for ctx.Err() == nil && !failed.Load() {
				i := next.Add(1) - 1
				if i >= int64(len(pieces)) {
					return
				}
				good, err := s.hashPiece(pieces[i], buf)
				if err != nil {
					failed.Store(true)
				}
				verdicts <- verdict{pieces[i], good, err}
			}
		})
	}
	go func() {
		wg.Wait()
		close(verdicts)
	}()
	if err := s.collect(verdicts, pieces); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// collect waits for all verdicts. They are noted when the last hash is done, since reading depends on what is complete.
func (s *FileStorage) collect(verdicts <-chan verdict, pieces []int) (err error) {
	var done, total int64
	for _, p := range pieces {
		total += s.m.PieceSize(p)
	}
	good := newBitset(s.m.NumPieces)
	var told time.Time
	for v := range verdicts {
		if v.err != nil && err == nil {
			err = v.err
		}
		if v.good {
			good.set(v.piece)
		}
		done += s.m.PieceSize(v.piece)
		if s.opts.Progress != nil && (time.Since(told) > 50*time.Millisecond || done == total) {
			told = time.Now()
			s.opts.Progress(done, total)
		}
	}
	for _, p := range pieces {
		if s.complete.clear(p); good.has(p) {
			s.complete.set(p)
		}
	}
	return err
}

// hashPiece reports whether the piece is on disk and good.
func (s *FileStorage) hashPiece(piece int, buf []byte) (bool, error) {
	data := buf[:s.m.PieceSize(piece)]
	for seg := range s.segments(int64(piece)*s.m.PieceLength, len(data)) {
		ok, err := s.readStored(seg, data[seg.at:seg.at+seg.n])
		if !ok || err != nil {
			return false, err
		}
	}
	return s.m.VerifyPiece(piece, data), nil
}

// readStored reads what a file claims to have of a piece that is not yet known to be complete; ok is false when it is
// not there.
func (s *FileStorage) readStored(seg segment, b []byte) (ok bool, err error) {
	if seg.file == nil {
		clear(b)
		return true, nil
	}
	h, off, err := s.stored(seg)
	if err != nil {
		if isNotExist(err) {
			err = nil
		}
		return false, err
	}
	defer s.pool.put(h)
	if (seg.file.path == "" || seg.file.place == inPart) && isHole(h.File, off, seg.n) {
		return false, nil
	}
	_, err = h.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// stored opens where the bytes of the segment would be if its piece was complete.
func (s *FileStorage) stored(seg segment) (h *handle, off int64, err error) {
	if seg.file.path == "" {
		return s.handle(seg, false)
	}
	h, err = s.openFile(seg.file)
	return h, seg.off - seg.file.off, err
}
