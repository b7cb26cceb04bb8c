package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/blob"
)

// simData is an open torrent on a simNet: pieces go from one Storage to another, verified by their hashes as the real
// thing does it, a piece each few milliseconds.
type simData struct {
	*blob.Torrent
	h    *simHost
	opts bt.DataOptions
	stop context.CancelFunc
	ctx  context.Context
	wg   sync.WaitGroup
	news chan struct{} // a piece came, or it failed

	storing sync.RWMutex // held for reading while the storage is called

	mu     sync.Mutex // guards what follows
	peers  map[netip.Addr]bool
	stats  bt.DataStats
	err    error
	failed chan error
	closed bool
}

func (h *simHost) OpenData(_ context.Context, opts bt.DataOptions) (Data, error) {
	t, err := torrentOfDict(opts.Info)
	if err != nil {
		return nil, err
	}
	d := &simData{h: h, opts: opts, Torrent: t, news: make(chan struct{}, 1), peers: map[netip.Addr]bool{}, failed: make(chan error, 1)}
	d.stats.Active = time.Now()
	d.ctx, d.stop = context.WithCancel(h.ctx)
	d.AddPeers(opts.Peers)
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.data[d.InfoHash] != nil {
		d.stop()
		return nil, &bt.Error{Code: bt.Busy, Err: errors.New("the torrent is open")}
	}
	h.data[d.InfoHash] = d
	h.count(opts.ServeOnly)
	if !opts.ServeOnly {
		d.wg.Go(d.fetch)
	}
	return d, nil
}

// count notes how many torrents are open now that one more was opened. The caller holds mu of the world.
func (h *simHost) count(served bool) {
	own := 0
	for _, d := range h.data {
		if !d.opts.ServeOnly {
			own++
		}
	}
	h.mostOpen, h.mostOwn = max(h.mostOpen, len(h.data)), max(h.mostOwn, own)
	if served {
		h.mostServed = max(h.mostServed, len(h.data))
	}
}

func torrentOfDict(dict []byte) (*blob.Torrent, error) {
	id, b := blob.Clear(blob.Info, nil, dict)
	return blob.CheckInfo(id, b)
}

// fetch takes one piece after another from whoever has it.
func (d *simData) fetch() {
	for sleep(d.ctx, 5*time.Millisecond) {
		missing, got := false, false
		for i := range d.Pieces() {
			if d.ctx.Err() != nil || d.broken() {
				return
			}
			if d.complete(i) {
				continue
			}
			missing = true
			for _, from := range d.sources() {
				if d.take(i, from) {
					got = true
					break
				}
			}
			if got {
				break
			}
		}
		d.tell()
		if !missing {
			return
		}
		if !got && !sleep(d.ctx, time.Second) {
			return
		}
	}
}

// sources are the same torrent on other nodes that can be reached and let us in.
func (d *simData) sources() (all []*simData) {
	w := d.h.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.sorted() {
		if x := o.data[d.InfoHash]; x != nil && x != d && w.reaches(d.h.addr, o.addr) && (w.mute == nil || !w.mute(o.addr, d.h.addr)) {
			all = append(all, x)
		}
	}
	ok := all[:0]
	for _, x := range all {
		if (d.knows(x.h.addr.Addr()) || x.knows(d.h.addr.Addr())) && d.admits(x.h.addr.Addr()) && x.admits(d.h.addr.Addr()) {
			ok = append(ok, x)
		}
	}
	return ok
}

func (d *simData) knows(a netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peers[a]
}

func (d *simData) admits(a netip.Addr) bool {
	if d.opts.Admit != nil {
		return d.opts.Admit(a)
	}
	return d.knows(a)
}

// take copies a piece from another node, if it is there and right.
func (d *simData) take(i int, from *simData) bool {
	off := int64(i) * d.PieceLength
	buf := make([]byte, d.PieceLen(i))
	if !from.complete(i) || from.do(i, func(st bt.Storage) error { return readFull(st, buf, off) }) != nil {
		return false
	}
	if !d.CheckPiece(i, buf) {
		panic("a piece was served that is not what it should be") // I7
	}
	for b := 0; b < len(buf); b += 16 << 10 {
		block := buf[b:min(len(buf), b+16<<10)]
		if from.pace(from.opts.Up, len(block)) != nil || d.pace(d.opts.Down, len(block)) != nil {
			return false
		}
		n := int64(len(block))
		from.count(func(s *bt.DataStats) { s.Written += n; s.Active = time.Now() })
		d.count(func(s *bt.DataStats) { s.Read += n; s.Active = time.Now() })
		if d.do(i, func(st bt.Storage) error { _, err := st.WriteAt(block, off+int64(b)); return err }) != nil {
			return false
		}
	}
	back := make([]byte, len(buf)) // the library hashes what was stored
	if d.do(i, func(st bt.Storage) error { return readFull(st, back, off) }) != nil || !bytes.Equal(back, buf) {
		return false
	}
	if d.do(i, func(st bt.Storage) error { return st.MarkComplete(i) }) != nil {
		return false
	}
	return true
}

// pace waits until bytes may go one way, or the torrent is closed.
func (d *simData) pace(wait func(context.Context, int) error, n int) error {
	if wait == nil {
		return nil
	}
	return wait(d.ctx, n)
}

func readFull(st io.ReaderAt, b []byte, off int64) error {
	n, err := st.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	return errors.Join(err, io.ErrUnexpectedEOF)
}

func (d *simData) count(f func(*bt.DataStats)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.stats)
}

func (d *simData) broken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err != nil || d.closed
}

// do calls the storage, until its first error.
func (d *simData) do(i int, f func(bt.Storage) error) error {
	d.storing.RLock()
	defer d.storing.RUnlock()
	if d.broken() {
		return errApart
	}
	err := f(d.opts.Storage)
	if err != nil {
		_ = d.opts.Storage.MarkIncomplete(i)
		d.fail(err)
	}
	return err
}

func (d *simData) complete(i int) bool {
	d.storing.RLock()
	defer d.storing.RUnlock()
	return !d.broken() && d.opts.Storage.Complete(i)
}

func (d *simData) fail(err error) {
	d.mu.Lock()
	if d.err == nil && !d.closed {
		d.err = err
		d.failed <- err
	}
	d.mu.Unlock()
	d.tell()
}

func (d *simData) tell() {
	select {
	case d.news <- struct{}{}:
	default:
	}
}

func (d *simData) Wait(ctx context.Context) error {
	for {
		d.mu.Lock()
		err := d.err
		d.mu.Unlock()
		if err != nil {
			return err
		}
		missing := false
		for i := range d.Pieces() {
			missing = missing || !d.complete(i)
		}
		if !missing {
			return nil
		}
		select {
		case <-d.news:
		case <-d.ctx.Done():
			return errors.New("the torrent is closed")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *simData) AddPeers(peers []netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range peers {
		d.peers[p.Addr().Unmap()] = true
	}
}

func (d *simData) Review()              {}
func (d *simData) Failed() <-chan error { return d.failed }

func (d *simData) Stats() bt.DataStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

func (d *simData) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.stop()
	d.wg.Wait()
	d.storing.Lock() // those who read it have gone
	defer d.storing.Unlock()
	d.h.w.mu.Lock()
	defer d.h.w.mu.Unlock()
	if d.h.data[d.InfoHash] == d {
		delete(d.h.data, d.InfoHash)
	}
	return nil
}
