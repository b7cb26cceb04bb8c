package bt

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A seedFiles is the Storage of a torrent whose data is in place. It only reads, and takes no lock.
//
// A byte that it gives out is the one that was hashed: when it is opened, and after each read, the file must have the
// stamp that it had when it was hashed. When one has another, or is gone, all of the torrent is withdrawn, for good. See
// seed_partial.go for one of which not everything is there.
type seedFiles struct {
	m       *Metainfo
	pool    *handlePool
	names   []string // of m.Files on disk
	stamps  []stamp  // when they were hashed
	changed func(error)
	gone    atomic.Pointer[Error] // why it is withdrawn; nil = it is not
	absent  []bool                // of m.Files; nil = all must be there
	have    bitset                // pieces that are there whole, and good once they are hashed; nil = all

	settled  bool      // every stamp tells of any later change
	youngest time.Time // the last modification
}

// newSeedFiles looks at the files, which names gives in the order of m.Files. One that is not there, or has another
// length, is Damaged. changed, when given, is called once, from any goroutine, when a file has changed.
func newSeedFiles(m *Metainfo, names []string, pool *handlePool, changed func(error)) (*seedFiles, error) {
	s := &seedFiles{m: m, pool: pool, names: names, stamps: make([]stamp, len(names)), settled: true, changed: changed}
	return s, s.survey()
}

// survey looks at the files, for the first time.
func (s *seedFiles) survey() error {
	m, now := s.m, time.Now()
	for i, name := range s.names {
		if s.absent != nil && s.absent[i] {
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil && isNotExist(err):
			return errorf(Damaged, "seeding %s: %s is not there", clip(m.Name), name)
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return errorf(Damaged, "seeding %s: %s is not a file", clip(m.Name), name)
		case info.Size() != m.Files[i].Length:
			return errorf(Damaged, "seeding %s: %s has %d bytes instead of %d", clip(m.Name), name, info.Size(), m.Files[i].Length)
		}
		s.stamps[i] = stampOf(info)
		s.settled = s.settled && s.stamps[i].settled(now)
		s.youngest = later(s.youngest, info.ModTime())
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// clockStep is longer than the clock of usual file systems needs to advance.
const clockStep = 50 * time.Millisecond

// rest waits, before files are hashed of which the last was modified at youngest, until a later change would show.
func rest(ctx context.Context, youngest time.Time) error {
	since := time.Since(youngest)
	if since < 0 || since >= clockStep {
		return nil
	}
	select {
	case <-time.After(clockStep - since):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// namesBelow are the paths on disk of slash-separated paths below root.
func namesBelow(root string, paths []string) ([]string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = filepath.Join(root, filepath.FromSlash(p))
	}
	return names, nil
}

// withdraw ends the giving of bytes.
func (s *seedFiles) withdraw(i int, what string) *Error {
	err := errorf(Damaged, "serving %s: %s %s", clip(s.m.Name), s.names[i], what)
	if !s.gone.CompareAndSwap(nil, err) {
		return s.gone.Load()
	}
	s.pool.drop(s.names...)
	if s.changed != nil {
		s.changed(err)
	}
	return err
}

// check looks whether every file is still what was hashed.
func (s *seedFiles) check() error {
	for i := range s.names {
		if s.absent != nil && s.absent[i] {
			if s.isThere(i) {
				return s.withdraw(i, "has come")
			}
			continue
		}
		if err := s.checkFile(i); err != nil {
			return err
		}
	}
	return nil
}

func (s *seedFiles) checkFile(i int) error {
	if err := s.gone.Load(); err != nil {
		return err
	}
	info, err := os.Stat(s.names[i])
	return s.compare(i, info, err)
}

// compare judges what the system says of file i. What it cannot say now, it may tell later.
func (s *seedFiles) compare(i int, info os.FileInfo, err error) error {
	switch {
	case err == nil && info.Mode().IsRegular() && stampOf(info) == s.stamps[i]:
		return nil
	case err == nil:
		return s.withdraw(i, "changed since it was hashed")
	case isNotExist(err):
		return s.withdraw(i, "is gone")
	case CodeOf(err) == Permission:
		return s.withdraw(i, "cannot be read any more")
	}
	return err
}

// ReadAt reads from the piece space.
func (s *seedFiles) ReadAt(b []byte, off int64) (int, error) {
	size := int64(s.m.NumPieces) * s.m.PieceLength
	if off < 0 || off >= size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), size-off))
	first, end := s.m.FilesIn(off, int64(n))
	at := 0
	for i := first; i < end; i++ {
		f := &s.m.Files[i]
		from, to := max(f.Offset, off), min(f.Offset+f.Length, off+int64(n))
		if from >= to {
			continue
		}
		clear(b[at:max(at, int(from-off))])
		at = int(to - off)
		if err := s.readFile(i, b[from-off:at], from-f.Offset); err != nil {
			return int(from - off), err
		}
	}
	clear(b[at:n])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// readFile fills b with what file i has at off, if the file is what was hashed. Who writes changes its time first, and
// its bytes then: it is enough to look after the reading, provided that what was read is what has the name.
func (s *seedFiles) readFile(i int, b []byte, off int64) error {
	if err := s.gone.Load(); err != nil {
		return err
	}
	if s.absent != nil && s.absent[i] {
		return errorf(Damaged, "serving %s: file %d is not there", clip(s.m.Name), i+1)
	}
	h, err := s.pool.get(s.names[i], os.O_RDONLY, 0)
	if err != nil {
		return s.compare(i, nil, err)
	}
	defer s.pool.put(h)
	if seen := h.seen.Load(); seen == nil || *seen != s.stamps[i] {
		info, err := h.Stat()
		if err := s.compare(i, info, err); err != nil {
			return err
		}
		h.seen.Store(&s.stamps[i])
	}
	_, readErr := h.ReadAt(b, off)
	if err := s.checkFile(i); err != nil {
		return err
	}
	if errors.Is(readErr, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return readErr
}

// verify hashes everything. Data that is wrong is Damaged.
func (s *seedFiles) verify(ctx context.Context, progress func(done, total int64)) error {
	var next, done atomic.Int64
	var failed atomic.Pointer[error]
	var bad badPieces
	var workers sync.WaitGroup
	for range min(int64(runtime.GOMAXPROCS(0)), int64(s.m.NumPieces), max(1, maxHashMemory/s.m.PieceLength)) {
		workers.Go(func() {
			buf := make([]byte, s.m.PieceLength)
			for ctx.Err() == nil && failed.Load() == nil {
				i := int(next.Add(1) - 1)
				if i >= s.m.NumPieces {
					return
				}
				if s.have != nil && !s.have.has(i) {
					continue
				}
				data := buf[:s.m.PieceSize(i)]
				if _, err := s.ReadAt(data, int64(i)*s.m.PieceLength); err != nil {
					failed.Store(&err)
				} else if !s.m.VerifyPiece(i, data) {
					bad.add(i)
				}
				done.Add(int64(len(data)))
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		case <-ticker.C:
		}
		if progress != nil {
			progress(min(done.Load(), s.there()), s.there())
		}
	}
	switch err := failed.Load(); {
	case err != nil:
		return *err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return s.drop(bad.all)
}

// WriteAt is for downloads; nothing is written here.
func (s *seedFiles) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// Complete reports whether the piece is here and good.
func (s *seedFiles) Complete(piece int) bool {
	return piece >= 0 && piece < s.m.NumPieces && s.gone.Load() == nil && (s.have == nil || s.have.has(piece))
}

// MarkComplete has nothing to record.
func (s *seedFiles) MarkComplete(int) error { return nil }

// MarkIncomplete has nothing to record.
func (s *seedFiles) MarkIncomplete(int) error { return nil }

// Close closes the files.
func (s *seedFiles) Close() error {
	s.pool.drop(s.names...)
	return nil
}
