package bt

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// streamWindow is how many bytes are fetched ahead of what was written; at least two pieces.
const streamWindow = 8 << 20

// streamStorage keeps the pieces of a stream in memory until they were written out. It is a Storage; what was let go
// is not complete any more, and nothing of it is served.
type streamStorage struct {
	m  *Metainfo
	mu sync.Mutex // guards what follows

	pieces map[int][]byte
	done   map[int]bool
	got    map[int]int64 // bytes of pieces that came, more when some came twice
}

func newStreamStorage(m *Metainfo) *streamStorage {
	return &streamStorage{m: m, pieces: map[int][]byte{}, done: map[int]bool{}, got: map[int]int64{}}
}

// at is the memory of the piece that off lies in, from off on; it makes it when asked to.
func (s *streamStorage) at(off int64, create bool) []byte {
	i := int(off / s.m.PieceLength)
	b := s.pieces[i]
	if b == nil && create {
		b = make([]byte, s.m.PieceLength)
		s.pieces[i] = b
	}
	if b == nil {
		return nil
	}
	return b[off%s.m.PieceLength:]
}

func (s *streamStorage) ReadAt(b []byte, off int64) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(b) {
		src := s.at(off+int64(n), false)
		if src == nil {
			return n, errors.New("the piece was written out and let go")
		}
		n += copy(b[n:], src)
	}
	return n, nil
}

func (s *streamStorage) WriteAt(b []byte, off int64) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(b) {
		at := off + int64(n)
		k := copy(s.at(at, true), b[n:])
		s.got[int(at/s.m.PieceLength)] += int64(k)
		n += k
	}
	return n, nil
}

func (s *streamStorage) Complete(i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[i]
}

func (s *streamStorage) MarkComplete(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[i] = true
	return nil
}

func (s *streamStorage) MarkIncomplete(i int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.done, i)
	return nil
}

// release lets pieces before i go.
func (s *streamStorage) release(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.pieces {
		if p < i {
			delete(s.pieces, p)
			delete(s.got, p)
		}
	}
}

// drop lets a piece go, which is not complete then.
func (s *streamStorage) drop(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pieces, i)
	delete(s.done, i)
	delete(s.got, i)
}

// received is about how many bytes of f behind the first from have come, in the pieces from first to end without end.
func (s *streamStorage) received(first, end int, f *File, from int64) (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := first; p < end; p++ {
		start := int64(p) * s.m.PieceLength
		part := min(start+s.m.PieceLength, f.Offset+f.Length) - max(start, f.Offset+from)
		n += min(s.got[p], max(0, part))
	}
	return n
}

func (s *streamStorage) Close() error { return nil }

// streamer writes verified bytes of selected files, in order, fetching a window ahead: a slow reader slows the
// download.
type streamer struct {
	d     *download
	st    *streamStorage
	order []int // wanted pieces, ascending
	asked int   // of order
	done  int64 // bytes written
	total int64
	stall *stall
}

// stream is the part of Download that writes to opts.Stream instead of files.
func (d *download) stream(ctx context.Context) (_ *DownloadResult, err error) {
	if err := d.pick(); err != nil {
		return nil, err
	}
	s := &streamer{d: d, st: newStreamStorage(d.m)}
	next := 0
	for i, f := range d.m.Files {
		if !d.picked[i] || f.Length == 0 {
			continue
		}
		s.total += f.Length
		last := int((f.Offset + f.Length - 1) / d.m.PieceLength)
		for p := max(next, int(f.Offset/d.m.PieceLength)); p <= last; p++ {
			s.order = append(s.order, p)
		}
		next = max(next, last+1)
	}
	if len(s.order) > 0 {
		if err := s.start(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.write(ctx, writerFunc(func(b []byte) (int, error) {
		return unlessDone(ctx, func() (int, error) { return d.opts.Stream.Write(b) })
	})); err != nil {
		return nil, err
	}
	d.report(Progress{State: "downloading", Done: s.total, Total: s.total})
	d.event(Event{Kind: "done", Name: d.m.Name, Size: s.total})
	res := d.result()
	if d.opts.Done != nil {
		d.opts.Done(res)
	}
	return res, d.close()
}

// start joins the swarm with memory for storage. Nothing is uploaded: what was written out is gone.
func (s *streamer) start(ctx context.Context) error {
	if err := s.d.open(ctx, s.st); err != nil {
		return err
	}
	s.d.swarm.lib.DisallowDataUpload()
	s.d.swarm.sequential = true
	s.stall = newStall(s.d.swarm, s.d.opts.StallTimeout)
	return nil
}

// A writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// write writes each selected file to w, or the archive of them.
func (s *streamer) write(ctx context.Context, w io.Writer) error {
	if !s.d.opts.Tar {
		for i, f := range s.d.m.Files {
			if err := s.file(ctx, w, i, f); err != nil {
				return err
			}
		}
		return nil
	}
	names, err := s.d.tarNames()
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for i, f := range s.d.m.Files {
		if !s.d.picked[i] {
			continue
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: names[i], Size: f.Length, Mode: 0o644, ModTime: s.d.m.CreationDate}
		if f.Executable {
			h.Mode = 0o755
		}
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(0, 0)
		}
		if err := tw.WriteHeader(h); err != nil {
			return fmt.Errorf("writing the archive: %w", err)
		}
		if err := s.file(ctx, tw, i, f); err != nil {
			return err
		}
	}
	return tw.Close()
}

// tarNames are the paths of files in the archive: as they would be on disk below the current folder.
func (d *download) tarNames() ([]string, error) {
	opts := d.opts
	opts.Stream, opts.Dir = nil, "."
	_, names, err := Layout(d.m, &opts)
	return names, err
}

// file writes one file, if it is selected.
func (s *streamer) file(ctx context.Context, w io.Writer, i int, f File) error {
	if !s.d.picked[i] {
		return nil
	}
	pl := s.d.m.PieceLength
	buf := make([]byte, min(pl, 256<<10))
	for off := f.Offset; off < f.Offset+f.Length; {
		p := int(off / pl)
		if err := s.need(ctx, p); err != nil {
			return err
		}
		n := min(int64(len(buf)), f.Offset+f.Length-off, int64(p+1)*pl-off)
		if _, err := s.st.ReadAt(buf[:n], off); err != nil {
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errorf(IO, "writing the stream: %w", err)
		}
		off += n
		s.done += n
	}
	if s.d.opts.Event != nil {
		s.d.event(Event{Kind: "file", Name: f.Path, Size: f.Length})
	}
	return nil
}

// need returns when piece p is verified, keeping a window of pieces behind it asked for.
func (s *streamer) need(ctx context.Context, p int) error {
	s.st.release(p)
	ahead := max(2, int(streamWindow/s.d.m.PieceLength))
	from := s.asked
	for s.asked < len(s.order) && s.order[s.asked] < p+ahead {
		s.asked++
	}
	if s.asked > from {
		s.d.swarm.want(s.order[from:s.asked])
	}
	if s.d.swarm.has(p) {
		return nil
	}
	return s.d.swarm.waitFor(ctx, p, func(now time.Time) error {
		st := s.d.swarm.stats()
		prog := Progress{
			State: "downloading", Done: s.done, Total: s.total, Peers: st.peers, Seeds: st.seeds,
			Trackers: s.d.swarm.trackerStatus(),
		}
		prog.Down, prog.Up = s.d.meter.rates(now, st.read, st.written)
		prog.ETA = eta(s.total-s.done, prog.Down)
		s.d.report(prog)
		stalled, err := s.stall.check(now)
		if stalled {
			s.d.event(Event{Kind: "stalled", Name: s.d.m.Name})
		}
		return err
	})
}
