package bt

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"
)

// ReaderOptions say how to find a torrent, and how much memory it may take.
type ReaderOptions struct {
	LoadOptions

	Peers           []string      // host:port, besides those found
	Trackers        []string      // besides those of the torrent, a tier each
	Resume          string        // folder that remembers the metainfo of magnets; "" = none
	MetadataTimeout time.Duration // 0 = no limit

	// Memory bounds the bytes of pieces that are kept after they were read: small files share pieces. 0 = 64 MiB.
	// What each running Copy fetches ahead comes on top.
	Memory int64

	// Progress is called about twice a second while the metainfo is looked for.
	Progress func(Progress)
}

const (
	readerMemory = 64 << 20
	leastWindow  = 2 << 20 // bytes that a Copy fetches ahead, however many there are; at least two pieces
)

// A Reader reads files of one torrent, each from its beginning to its end, any number at the same time. What they share
// is fetched once. Nothing is uploaded, as nothing is kept for long.
type Reader struct {
	memory int64
	turn   chan struct{} // has one token: who holds it joins the swarm, or leaves it

	// What follows is set by who holds turn, and fixed once joined.
	d      *download
	st     *streamStorage
	joined bool
	closed bool

	mu      sync.Mutex  // guards what follows; the locks of the swarm and of the library may be taken while it is held
	readers map[int]int // piece → how many have asked for it and not read it yet
	idle    []int       // pieces that nobody needs now, that used last at the end
	copies  int         // how many Copy run
}

// OpenReader finds out what a torrent is, of peers if need be; errors are those of [Client.FetchMetainfo]. The swarm is
// joined, unless that was done for the metainfo, when the first file is read.
func (c *Client) OpenReader(ctx context.Context, src *Source, opts ReaderOptions) (*Reader, error) {
	d := &download{c: c, src: src, start: time.Now(), opts: DownloadOptions{LoadOptions: opts.LoadOptions, Peers: opts.Peers,
		Trackers: opts.Trackers, Resume: opts.Resume, MetadataTimeout: opts.MetadataTimeout, Progress: opts.Progress}}
	if err := d.prepare(ctx); err != nil {
		_ = d.close() // it has no files
		return nil, err
	}
	r := &Reader{memory: cmp.Or(opts.Memory, readerMemory), turn: make(chan struct{}, 1), d: d, readers: map[int]int{}}
	r.turn <- struct{}{}
	return r, nil
}

// Metainfo is what the torrent says, with the trackers and webseeds of the source.
func (r *Reader) Metainfo() *Metainfo { return r.d.m }

// CopyOptions say what of a file to read, and when to give up.
type CopyOptions struct {
	From, To     int64          // bytes of the file; To 0 = to its end
	StallTimeout time.Duration  // 0 = no limit
	Progress     func(Progress) // called about twice a second; Done counts bytes of the file from its beginning
}

// Copy writes verified bytes of file i to w, in order and as they come. Its error is NoPeers or Stalled when nothing came
// for the time of opts, and the cause of ctx when that is done; what was written then is good.
func (r *Reader) Copy(ctx context.Context, i int, w io.Writer, opts CopyOptions) error {
	f := &r.d.m.Files[i]
	if opts.To <= 0 || opts.To > f.Length {
		opts.To = f.Length
	}
	if opts.From >= opts.To {
		return nil
	}
	if err := r.join(ctx); err != nil {
		return err
	}
	c := copier{r: r, f: f, w: w, opts: opts, stall: newStall(r.d.swarm, opts.StallTimeout)}
	r.count(1)
	defer r.count(-1)
	defer c.release(int(^uint(0) >> 1))
	return c.run(ctx)
}

func (r *Reader) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.copies += n
}

// join puts the torrent on the network, once.
func (r *Reader) join(ctx context.Context) error {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { r.turn <- struct{}{} }()
	switch {
	case r.closed:
		return errClosed
	case r.joined:
		return nil
	}
	r.st = newStreamStorage(r.d.m)
	if err := r.d.open(ctx, r.st); err != nil {
		return err
	}
	r.d.swarm.lib.DisallowDataUpload()
	r.d.swarm.sequential = true
	r.joined = true
	return nil
}

// Close leaves the swarm. Copies that run fail. It may be called twice.
func (r *Reader) Close() error {
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	r.closed = true
	if w := r.d.swarm; w != nil && !r.joined {
		return r.d.close()
	} else if w != nil {
		w.close() // it stays where Copy looks for it
	}
	return nil
}

// ask asks for pieces, which are kept until each is released.
func (r *Reader) ask(first, last int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var pieces []int
	for p := first; p <= last; p++ {
		if r.readers[p]++; r.readers[p] == 1 {
			r.idle = slices.DeleteFunc(r.idle, func(q int) bool { return q == p })
		}
		pieces = append(pieces, p)
	}
	r.d.swarm.want(pieces)
}

// release says that a piece is not needed any more. One that is here is kept while there is room for it; one that is
// not is no longer fetched.
func (r *Reader) release(p int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readers[p]--; r.readers[p] > 0 {
		return
	}
	delete(r.readers, p)
	if !r.d.swarm.has(p) {
		r.d.swarm.forget(p)
		return
	}
	r.idle = append(r.idle, p)
	for int64(len(r.idle))*r.d.m.PieceLength > r.memory {
		r.st.drop(r.idle[0])
		r.d.swarm.forget(r.idle[0])
		r.idle = r.idle[1:]
	}
}

// A copier is one Copy. It has asked for the pieces from next to asked, without asked.
type copier struct {
	r     *Reader
	f     *File
	w     io.Writer
	opts  CopyOptions
	stall *stall
	meter meter

	next, asked int
	done        int64 // bytes of the file that are written, or were before
	shown       int64 // the most that was reported
}

func (c *copier) run(ctx context.Context) error {
	pl := c.r.d.m.PieceLength
	c.done = c.opts.From
	c.next = int((c.f.Offset + c.done) / pl)
	c.asked = c.next
	buf := make([]byte, min(pl, 256<<10))
	for c.done < c.opts.To {
		off := c.f.Offset + c.done
		p := int(off / pl)
		if err := c.need(ctx, p); err != nil {
			return err
		}
		n := min(int64(len(buf)), c.opts.To-c.done, int64(p+1)*pl-off)
		if _, err := c.r.st.ReadAt(buf[:n], off); err != nil {
			return err
		}
		if _, err := c.w.Write(buf[:n]); err != nil {
			return err
		}
		c.done += n
	}
	return nil
}

// need returns when piece p is verified, keeping a window of pieces behind it asked for.
func (c *copier) need(ctx context.Context, p int) error {
	c.release(p)
	c.r.mu.Lock()
	window := max(streamWindow/max(1, int64(c.r.copies)), leastWindow)
	c.r.mu.Unlock()
	end := min(p+max(2, int(window/c.r.d.m.PieceLength)), int((c.f.Offset+c.opts.To-1)/c.r.d.m.PieceLength)+1)
	if end > c.asked {
		c.r.ask(c.asked, end-1)
		c.asked = end
	}
	if c.r.d.swarm.has(p) {
		return nil
	}
	return c.r.d.swarm.waitFor(ctx, p, c.tick)
}

// release lets go of the pieces before p.
func (c *copier) release(p int) {
	for ; c.next < min(p, c.asked); c.next++ {
		c.r.release(c.next)
	}
}

func (c *copier) tick(now time.Time) error {
	w := c.r.d.swarm
	w.refetch(c.next, c.asked)
	if c.opts.Progress != nil {
		s := w.stats()
		c.shown = max(c.shown, c.done+c.r.st.received(c.next, c.asked, c.f, c.done))
		p := Progress{State: "downloading", Done: c.shown, Total: c.f.Length, Peers: s.peers, Seeds: s.seeds,
			Trackers: w.trackerStatus()}
		p.Name, p.InfoHash = c.r.d.names()
		p.Down, p.Up = c.meter.rates(now, s.read, s.written)
		p.ETA = eta(p.Total-p.Done, p.Down)
		c.opts.Progress(p)
	}
	_, err := c.stall.check(now)
	return err
}
