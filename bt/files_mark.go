package bt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// MarkComplete records that the piece was verified. It fails with code Exists when a file that was found on disk, which
// could not be judged before, turns out to differ and may not be replaced.
func (s *FileStorage) MarkComplete(piece int) error {
	large, err := s.markComplete(piece)
	for _, d := range large {
		s.writeBack(d)
	}
	return err
}

// markComplete is MarkComplete. It returns the files of which much was written since they last came up.
func (s *FileStorage) markComplete(piece int) (large []*diskFile, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, fmt.Errorf("marking piece %d: %w", piece, ErrClosed)
	case piece < 0 || piece >= s.m.NumPieces:
		return nil, fmt.Errorf("marking piece %d: there are %d", piece, s.m.NumPieces)
	case s.complete.has(piece):
		return nil, nil
	}
	if err := s.compare(piece); err != nil {
		return nil, err
	}
	s.complete.set(piece)
	for seg := range s.pieceSegments(piece) {
		d := seg.file
		if d == nil || d.path == "" || d.vouched {
			continue
		}
		s.done += int64(seg.n)
		d.have += int64(seg.n)
		if d.missing--; d.missing == 0 {
			s.enqueue(d)
		}
		if d.dirty += int64(seg.n); d.dirty >= writeBackEvery && d.place == inPart {
			d.dirty = 0
			large = append(large, d)
		}
	}
	return large, nil
}

// writeBackEvery is how many bytes of a file gather in the page cache before the disk is told to begin with them, so
// that making the file durable in the end takes no time of its own.
const writeBackEvery = 64 << 20

func (s *FileStorage) writeBack(d *diskFile) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed || d.place != inPart {
		return
	}
	if h, err := s.openFile(d); err == nil {
		startWriteback(h.File)
		s.pool.put(h)
	}
}

// MarkIncomplete records that the piece is not good. A file that has its final name keeps it, and is not written: the
// piece comes to the edges, see compare.
func (s *FileStorage) MarkIncomplete(piece int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("marking piece %d: %w", piece, ErrClosed)
	case piece < 0 || piece >= s.m.NumPieces:
		return fmt.Errorf("marking piece %d: there are %d", piece, s.m.NumPieces)
	case !s.complete.has(piece):
		return nil
	}
	s.complete.clear(piece)
	for seg := range s.pieceSegments(piece) {
		if d := seg.file; d != nil && d.path != "" {
			d.vouched = false
			s.recount(d)
		}
	}
	if s.recorded != nil && s.recorded.has(piece) { // before anything is written to the piece, see record
		return s.writeRecord(false)
	}
	return nil
}

// recount counts the pieces and bytes of d afresh. The caller holds mu, or is alone.
func (s *FileStorage) recount(d *diskFile) {
	s.done -= d.have
	d.missing, d.have = 0, 0
	if d.length == 0 {
		return
	}
	first, last := d.pieces(s.m.PieceLength)
	for p := first; p <= last; p++ {
		lo, hi := max(d.off, int64(p)*s.m.PieceLength), min(d.off+d.length, (int64(p)+1)*s.m.PieceLength)
		if s.complete.has(p) {
			d.have += hi - lo
		} else {
			d.missing++
		}
		if !d.vouched {
			s.wanted.set(p)
		}
	}
	if d.vouched {
		d.have = d.length
	}
	s.done += d.have
}

// pieces are the first and last piece that touch d, which is not empty.
func (d *diskFile) pieces(pieceLength int64) (first, last int) {
	return int(d.off / pieceLength), int((d.off + d.length - 1) / pieceLength)
}

// compare makes sure that the files under final names have what the piece, which lies verified in the edges, says. Those
// that do not are taken back, or the piece is refused. The caller holds mu.
func (s *FileStorage) compare(piece int) error {
	for seg := range s.pieceSegments(piece) {
		d := seg.file
		if d == nil || d.path == "" || d.place != atFinal {
			continue
		}
		want, got := make([]byte, seg.n), make([]byte, seg.n)
		if err := s.readSegment(seg, want); err != nil {
			return err
		}
		f, err := s.openFile(d)
		if err != nil {
			return err
		}
		_, err = f.ReadAt(got, seg.off-d.off)
		s.pool.put(f)
		if err == nil && bytes.Equal(want, got) {
			continue
		}
		if !s.opts.Force && !s.opts.Check {
			return s.differs(d)
		}
		if err := s.takeBack(d); err != nil {
			return err
		}
		if err := s.writeSegment(seg, want); err != nil {
			return err
		}
	}
	return nil
}

// differs is the error for a file in the way.
func (s *FileStorage) differs(d *diskFile) error {
	err := errorf(Exists, "storing %s: it exists and differs from the torrent's", s.display(d.path))
	if s.opts.Check {
		return err.withHint("no piece of it is the torrent's, so it may be another file; --force replaces it")
	}
	return err.withHint("--force replaces it; --check keeps its good pieces and fetches the others")
}

// takeBack makes the file that has the final name the partial one, in place of any other, so that it can be written. The
// caller holds mu, or is alone.
func (s *FileStorage) takeBack(d *diskFile) error {
	info, err := s.root.Lstat(d.path)
	if err != nil {
		return err
	}
	s.pool.drop(d.path, d.part)
	s.opts.step("taking back")
	if linked(info) {
		if err := s.copyPart(d); err != nil {
			return err
		}
		d.replace = true
	} else if err := s.root.Rename(d.path, d.part); err != nil {
		return err
	}
	d.place, d.spare, d.stamp = inPart, false, stamp{}
	s.opts.step("taken back")
	return nil
}

// copyPart copies the file that has the final name to the partial one.
func (s *FileStorage) copyPart(d *diskFile) error {
	from, err := s.root.Open(d.path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := s.root.OpenFile(d.part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, d.perm)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		_ = s.root.Remove(d.part)
	}
	return err
}

// recordEvery is how often, at most, the record is written while files are being completed.
const recordEvery = 3 * time.Second

// enqueue gives d to the finishing goroutine, and starts it if needed. The caller holds mu.
func (s *FileStorage) enqueue(d *diskFile) {
	s.queue = append(s.queue, d)
	if !s.busy {
		s.busy = true
		s.work.Go(s.finishQueue)
	}
}

// finishQueue gives complete files their final names. It is a goroutine because syncing takes long, and does many files
// at once for the same reason.
func (s *FileStorage) finishQueue() {
	for {
		s.mu.Lock()
		batch := s.queue[:min(len(s.queue), maxHandles)]
		if s.queue = s.queue[len(batch):]; len(batch) == 0 {
			s.busy = false
			s.idle.Broadcast()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		s.finish(batch)
	}
}

// finish makes the files durable, and then gives them their names.
func (s *FileStorage) finish(batch []*diskFile) {
	err := s.syncParts(batch)
	s.opts.step("synced")
	s.mu.Lock()
	batch = slices.DeleteFunc(batch, func(d *diskFile) bool {
		if d.missing > 0 { // a piece turned bad meanwhile
			return true
		}
		switch {
		case d.place == atFinal: // it was found, and what was doubtful has come
			err = errors.Join(err, s.removeSpare(d))
		case err == nil:
			err = s.giveName(d)
		}
		told := d.told || d.place != atFinal
		d.told = d.told || !told
		return told
	})
	if err == nil && time.Since(s.flushed) > recordEvery {
		err = s.writeRecord(false)
	}
	if s.failure == nil {
		s.failure = err
	}
	s.mu.Unlock()
	for _, d := range batch {
		if s.opts.OnFile != nil {
			s.opts.OnFile(d.index)
		}
	}
}

// syncParts makes the partial files among the batch durable.
func (s *FileStorage) syncParts(batch []*diskFile) error {
	var files []*os.File
	for _, d := range batch {
		s.mu.RLock()
		if d.place != inPart {
			s.mu.RUnlock()
			continue
		}
		h, err := s.openFile(d)
		s.mu.RUnlock()
		if err != nil {
			return fmt.Errorf("finishing %s: %w", s.display(d.path), err)
		}
		defer s.pool.put(h)
		files = append(files, h.File)
		if err := h.cut(d.length); err != nil {
			return fmt.Errorf("finishing %s: %w", s.display(d.path), err)
		}
	}
	if err := syncAll(files); err != nil {
		return fmt.Errorf("finishing %s: %w", s.display(batch[0].path), err)
	}
	return nil
}

// giveName gives the complete file d its final name. The caller holds mu.
func (s *FileStorage) giveName(d *diskFile) error {
	s.pool.drop(d.part)
	st, err := s.settle(d.part)
	if err == nil {
		err = s.rename(d.part, d.path, d.replace)
	}
	if errors.Is(err, os.ErrExist) {
		return errorf(Exists, "storing %s: it came to exist meanwhile", s.display(d.path))
	}
	if err != nil {
		return fmt.Errorf("finishing %s: %w", s.display(d.path), err)
	}
	d.place, d.seen, d.stamp, d.replace = atFinal, st, st, false
	s.opts.step("named")
	return nil
}

// rename gives a file a new name, which must be free unless replace is set. A link fails where the name is taken, which
// a renaming would not; file systems without links leave a moment between the look and the renaming.
func (s *FileStorage) rename(from, to string, replace bool) error {
	if replace {
		return s.root.Rename(from, to)
	}
	err := s.root.Link(from, to)
	if err == nil {
		s.opts.step("linked")
		return s.root.Remove(from)
	}
	if errors.Is(err, os.ErrExist) {
		return err
	}
	if _, err := s.root.Lstat(to); !isNotExist(err) {
		return &os.PathError{Op: "rename", Path: to, Err: os.ErrExist}
	}
	return s.root.Rename(from, to)
}
