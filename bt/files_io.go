package bt

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sort"
)

// ErrClosed is what the methods of a closed Storage return.
var ErrClosed = errors.New("storage is closed")

// A segment is a part of a range of the piece space that lies in one piece, and in one file or in a gap.
type segment struct {
	file  *diskFile // nil: a gap
	piece int
	off   int64 // in the piece space
	at    int   // in the range
	n     int
}

// segments cuts the range of n bytes at off.
func (s *FileStorage) segments(off int64, n int) iter.Seq[segment] {
	return func(yield func(segment) bool) {
		i := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].off+s.spans[i].length > off })
		for at := 0; at < n; {
			pos := off + int64(at)
			seg := segment{piece: int(pos / s.m.PieceLength), off: pos, at: at}
			end := min(off+int64(n), (int64(seg.piece)+1)*s.m.PieceLength)
			if i < len(s.spans) && s.spans[i].off <= pos {
				seg.file = s.spans[i]
				end = min(end, seg.file.off+seg.file.length)
				if end == seg.file.off+seg.file.length {
					i++
				}
			} else if i < len(s.spans) {
				end = min(end, s.spans[i].off)
			}
			seg.n = int(end - pos)
			at += seg.n
			if !yield(seg) {
				return
			}
		}
	}
}

// pieceSegments cuts the whole of a piece.
func (s *FileStorage) pieceSegments(piece int) iter.Seq[segment] {
	return s.segments(int64(piece)*s.m.PieceLength, int(s.m.PieceLength))
}

// aside reports whether the bytes of the segment lie in the edges. The caller holds mu.
func (s *FileStorage) aside(seg segment) bool {
	return seg.file.path == "" || seg.file.place == atFinal && !s.complete.has(seg.piece)
}

// handle opens where the bytes of the segment lie, and tells the offset there. The caller holds mu for reading.
func (s *FileStorage) handle(seg segment, write bool) (*handle, int64, error) {
	if s.aside(seg) {
		flag := os.O_RDWR
		if write {
			flag |= os.O_CREATE
		}
		h, err := s.pool.get(s.edges, flag, 0o666)
		return h, seg.off, err
	}
	d := seg.file
	h, err := s.openFile(d)
	return h, seg.off - d.off, err
}

// openFile opens d where its bytes lie now. The caller holds mu for reading.
func (s *FileStorage) openFile(d *diskFile) (*handle, error) {
	switch d.place {
	case inPart:
		return s.pool.get(d.part, os.O_RDWR, d.perm)
	case atFinal:
		return s.pool.get(d.path, os.O_RDONLY, d.perm)
	}
	return nil, fs.ErrNotExist
}

// ReadAt reads from the piece space. Complete pieces read as they were verified; bytes of others as they were written, or
// as an error when they were not.
func (s *FileStorage) ReadAt(b []byte, off int64) (n int, err error) {
	n, err = s.clip(len(b), off)
	if err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, fmt.Errorf("reading: %w", ErrClosed)
	}
	for seg := range s.segments(off, n) {
		if err := s.readSegment(seg, b[seg.at:seg.at+seg.n]); err != nil {
			return seg.at, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// clip cuts a range to the piece space.
func (s *FileStorage) clip(n int, off int64) (int, error) {
	end := int64(s.m.NumPieces) * s.m.PieceLength
	switch {
	case off < 0:
		return 0, fmt.Errorf("accessing offset %d: %w", off, fs.ErrInvalid)
	case off >= end && n > 0:
		return 0, io.EOF
	}
	return int(min(int64(n), end-off)), nil
}

// readSegment fills b with the bytes of the segment. The caller holds mu for reading.
func (s *FileStorage) readSegment(seg segment, b []byte) error {
	if seg.file == nil {
		clear(b)
		return nil
	}
	final := seg.file.path != "" && seg.file.place == atFinal && !s.aside(seg)
	h, off, err := s.handle(seg, false)
	switch {
	case err == nil:
		_, err = h.ReadAt(b, off)
		if final {
			err = cmp.Or(s.guard(seg.file, h), err)
		}
		s.pool.put(h)
	case final && isNotExist(err):
		return s.lose(seg.file, "is gone")
	}
	if errors.Is(err, io.EOF) || err != nil && isNotExist(err) {
		err = io.ErrUnexpectedEOF // never EOF: the piece space goes on
	}
	if err != nil {
		return fmt.Errorf("reading piece %d of %s: %w", seg.piece, s.m.Files[seg.file.index].Path, err)
	}
	return nil
}

// WriteAt writes to the piece space. Nothing under a final name is written, and no piece that is complete: what comes
// late is dropped, until MarkIncomplete.
func (s *FileStorage) WriteAt(b []byte, off int64) (n int, err error) {
	n, err = s.clip(len(b), off)
	if err != nil {
		return 0, err
	}
	if n < len(b) {
		return 0, fmt.Errorf("writing at offset %d: %w", off, fs.ErrInvalid)
	}
	if err := s.makeRoom(off, n); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, fmt.Errorf("writing: %w", ErrClosed)
	}
	for seg := range s.segments(off, n) {
		if err := s.writeSegment(seg, b[seg.at:seg.at+seg.n]); err != nil {
			return seg.at, err
		}
	}
	return n, nil
}

// writeSegment stores the bytes of the segment. The caller holds mu for reading.
func (s *FileStorage) writeSegment(seg segment, b []byte) error {
	if seg.file == nil || s.complete.has(seg.piece) {
		return nil
	}
	h, off, err := s.handle(seg, true)
	if err == nil {
		_, err = h.WriteAt(b, off)
		s.pool.put(h)
	}
	if err != nil {
		return fmt.Errorf("writing piece %d of %s: %w", seg.piece, s.m.Files[seg.file.index].Path, err)
	}
	return nil
}

// makeRoom makes the partial files that a write of n bytes at off needs.
func (s *FileStorage) makeRoom(off int64, n int) error {
	s.mu.RLock()
	needed := false
	for seg := range s.segments(off, n) {
		needed = needed || seg.file != nil && seg.file.path != "" && seg.file.place == nowhere
	}
	s.mu.RUnlock()
	if !needed {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("writing: %w", ErrClosed)
	}
	for seg := range s.segments(off, n) {
		if d := seg.file; d != nil && d.path != "" && d.place == nowhere {
			if err := s.makePart(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// makePart makes the empty partial file of d. The caller holds mu, or is alone.
func (s *FileStorage) makePart(d *diskFile) error {
	if err := s.makeParents(d.part); err != nil {
		return err
	}
	// O_EXCL: a file that was not there a moment ago is not ours, or the file system takes two names for one.
	f, err := s.root.OpenFile(d.part, os.O_RDWR|os.O_CREATE|os.O_EXCL, d.perm)
	if errors.Is(err, fs.ErrExist) {
		return errorf(Exists, "storing %s: %w", s.display(d.path), err)
	}
	if err != nil {
		return err
	}
	d.place = inPart
	s.opts.step("part made")
	return f.Close()
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
