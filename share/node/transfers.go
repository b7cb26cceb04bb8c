package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/wire"
)

// Bounds of open torrents (docs/shares.md §5.4).
const (
	maxOpen   = 32
	idleClose = time.Minute     // without a byte
	leftClose = 5 * time.Second // without a peer
	askAgain  = 5 * time.Second // who has no peer asks everybody once more
)

// transfers are the torrents of large files that are open now, of all shares of a node.
type transfers struct {
	node  *Node
	slots chan struct{} // of those that fetch
	queue atomic.Int64  // how many wait for one

	mu   sync.Mutex // guards open
	open map[blob.ID]*transfer
}

// transfer is an open torrent.
type transfer struct {
	e      *engine
	info   blob.ID
	data   Data
	own    bool               // we fetch it; else it is open because somebody wants it
	finish context.CancelFunc // ends one that is only served
	gone   chan struct{}      // closed when it is open no more

	counted bool // its traffic is with that of the node; guarded by transfers.mu

	alsoMu sync.Mutex // guards also
	also   []*engine  // other shares that have it, and whose peers want it
}

func newTransfers(n *Node) *transfers {
	return &transfers{node: n, slots: make(chan struct{}, maxOpen/2), open: map[blob.ID]*transfer{}}
}

// enter adds a torrent, unless it is open; then it is that one.
func (t *transfers) enter(x *transfer) (*transfer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.open[x.info]; old != nil {
		return old, false
	}
	t.open[x.info] = x
	return x, true
}

// enterFor adds a torrent that is opened for others, unless it is open, or too many are. One that nobody is connected to
// makes way.
func (t *transfers) enterFor(ctx context.Context, x *transfer) (entered bool, err error) {
	for {
		t.mu.Lock()
		if t.open[x.info] != nil {
			t.mu.Unlock()
			return false, nil
		}
		if len(t.open) < 2*maxOpen {
			t.open[x.info] = x
			t.mu.Unlock()
			return true, nil
		}
		idle := t.idle()
		t.mu.Unlock()
		if idle == nil {
			return false, errBusyTorrents
		}
		idle.finish()
		select {
		case <-idle.gone:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// idle is an open torrent that nobody uses, nil when there is none. The caller holds mu.
func (t *transfers) idle() *transfer {
	for _, x := range t.open {
		if x.finish != nil && x.data != nil && x.data.Stats().Peers == 0 && time.Since(x.data.Stats().Active) > time.Second {
			return x
		}
	}
	return nil
}

func (t *transfers) leave(x *transfer) {
	t.mu.Lock()
	if t.open[x.info] == x {
		delete(t.open, x.info)
		close(x.gone)
	}
	t.mu.Unlock()
}

// met asks a peer that has come for what is being fetched.
func (t *transfers) met(e *engine, p *peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.open {
		if x.e == e && x.data != nil {
			x.data.AddPeers(p.addrs())
			if x.own {
				_ = p.conn.Send(&wire.Want{ID: x.info})
			}
		}
	}
}

// left ends data connections of a peer that has gone.
func (t *transfers) left(netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.open {
		if x.data != nil {
			go x.data.Review()
		}
	}
}

// admits reports whether an address may have data connections: that of a peer that is connected.
func (s *swarm) admits(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.conn.RemoteAddr().Addr().Unmap() == a.Unmap() {
			return true
		}
	}
	return false
}

func (s *swarm) dataAddrs() (all []netip.AddrPort) {
	for _, p := range s.all() {
		all = append(all, p.addrs()...)
	}
	return all
}

// fetchLarge fetches a large file as a torrent; it ends with arrive.
func (e *engine) fetchLarge(a *arrival) {
	a.err = e.getLarge(a)
	e.arrive(a)
}

func (e *engine) getLarge(a *arrival) error {
	if e.net == nil {
		<-a.ctx.Done()
		return context.Cause(a.ctx)
	}
	l, err := e.recipe(a.ctx, a.cap(), a.shown.Size, a.shown.Hash)
	if err != nil {
		return err
	}
	var have []bool
	for err = errUnserved; errors.Is(err, errUnserved); {
		err = e.node.transfers.use(a.ctx, func() error { return e.getPieces(a, l, &have) })
	}
	return err
}

// getPieces puts a large file together. had are the pieces that are there, nil before the first time.
func (e *engine) getPieces(a *arrival, l *blob.Large, had *[]bool) error {
	file, have, err := e.openTemp(a.temp, l, *had)
	if err != nil {
		return err
	}
	defer file.Close()
	*had = have
	if err := e.reuse(l, file, have, a); err != nil {
		return err
	}
	if err := e.reuseChunks(l, file, have); err != nil {
		return err
	}
	sink := newPlainSink(l, file, have)
	if err := e.download(a.ctx, l, sink, true); err != nil {
		return err
	}
	if err := sink.check(); err != nil {
		return err
	}
	return file.Truncate(l.Size)
}

// errUnserved says that a torrent got nothing for a minute while others waited for its place.
var errUnserved = errors.New("nobody who is here sends anything of it")

// use runs f, a download, in one of the few places for that. One that ends with errUnserved may be run again, and is behind
// those who wait then.
func (t *transfers) use(ctx context.Context, f func() error) error {
	t.queue.Add(1)
	select {
	case t.slots <- struct{}{}:
		t.queue.Add(-1)
		defer func() { <-t.slots }()
		return f()
	case <-ctx.Done():
		t.queue.Add(-1)
		return context.Cause(ctx)
	}
}

// recipe is how a large file is put together: blobs that are kept, or come from peers.
func (e *engine) recipe(ctx context.Context, c blob.Cap, size int64, hash [32]byte) (*blob.Large, error) {
	recipe, err := e.blobOf(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	h, err := blob.Parse(recipe)
	if err != nil {
		return nil, err
	}
	if len(h.Refs) != 1 {
		return nil, blob.ErrInvalid
	}
	info, err := e.blobOf(ctx, h.Refs[0])
	if err != nil {
		return nil, err
	}
	l, err := blob.OpenRecipe(c, size, hash, recipe, info)
	if err != nil {
		return nil, err
	}
	return l, e.noteLarge(l, c.ID)
}

// blobOf is a blob that is kept, or that comes from a peer and is kept then.
func (e *engine) blobOf(ctx context.Context, id blob.ID) (b []byte, err error) {
	if b, err = e.blobs.Get(id); !errors.Is(err, index.ErrMissing) {
		return b, err
	}
	if b, err = e.blobHere(id); !errors.Is(err, index.ErrMissing) {
		if err == nil {
			err = e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.PutBlob(e.n, id, b, int64(len(b))) })
		}
		return b, err
	}
	err = e.net.fetcher.Fetch(ctx, []blob.ID{id}, func(_ blob.ID, got []byte) error {
		b = got
		return e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.PutBlob(e.n, id, got, int64(len(got))) })
	})
	return b, err
}

// openTemp opens the file that a large one is put together in, and says which chunks are in it already; had says so too
// when this process has written it.
func (e *engine) openTemp(temp string, l *blob.Large, had []bool) (f disk.File, have []bool, err error) {
	if had != nil {
		f, err = e.fsNow().Write(temp)
		return f, had, err
	}
	have = make([]bool, l.Pieces())
	f, err = e.fsNow().Create(temp)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return f, have, err
	}
	if f, err = e.fsNow().Write(temp); err != nil {
		return nil, nil, err
	}
	var buf []byte
	for i := range have {
		if buf, err = l.Piece(i, f, buf); err == nil {
			have[i] = true
		}
		if err := context.Cause(e.ctx); err != nil {
			f.Close()
			return nil, nil, err
		}
	}
	return f, have, nil
}

// reuse copies chunks that the version on disk has, so that only what has changed travels. Equal keys are equal chunks.
func (e *engine) reuse(l *blob.Large, to disk.File, have []bool, a *arrival) error {
	row, err := known{ctx: e.ctx, db: e.node.db, n: e.n}.Row(a.shown.Path)
	if err != nil || row == nil || !row.Present || row.Local || row.Size <= blob.Small || len(row.Caps) == 0 {
		return err
	}
	old, err := e.recipe(a.ctx, row.Caps[0], row.Size, row.Hash)
	if err != nil {
		return nil // it would only have been a saving
	}
	from, err := e.fsNow().Open(row.Path)
	if err != nil {
		return nil
	}
	defer from.Close()
	if info, err := from.Stat(); err != nil || info.Ident != row.Ident {
		return nil
	}
	at := make(map[blob.Key]int, len(old.Keys))
	for i, k := range old.Keys {
		at[k] = i
	}
	for i, k := range l.Keys {
		j, ok := at[k]
		if !ok || have[i] || old.PieceLen(j) != l.PieceLen(i) || l.Padding(i) {
			continue
		}
		off := int64(i) * l.PieceLength
		n := min(l.PieceLen(i), l.Size-off)
		if _, err := io.Copy(io.NewOffsetWriter(to, off), io.NewSectionReader(from, int64(j)*old.PieceLength, n)); err != nil {
			return err
		}
		have[i] = true
		if err := context.Cause(e.ctx); err != nil {
			return err
		}
	}
	return nil
}

// download opens the torrent of a large file until all of it is in the storage. One that is open already is closed if that
// is urgent, and otherwise waited for.
func (e *engine) download(ctx context.Context, l *blob.Large, st bt.Storage, urgent bool) error {
	t := e.node.transfers
	x := &transfer{e: e, info: l.Info, own: true, gone: make(chan struct{})}
	for {
		old, ok := t.enter(x)
		if ok {
			break
		}
		wait := lookEvery
		if urgent {
			old.close() // it was served while we had another copy
			wait = 10 * time.Millisecond
		}
		if !sleep(ctx, wait) {
			return context.Cause(ctx)
		}
	}
	defer t.leave(x)
	data, err := e.node.net.OpenData(ctx, bt.DataOptions{Info: l.Dict, Storage: st, Peers: e.net.dataAddrs(), Admit: x.admits, Up: e.sending, Down: e.taking})
	if err != nil {
		return err
	}
	t.mu.Lock()
	x.data = data
	t.mu.Unlock()
	defer data.Close()
	ctx, done := context.WithCancelCause(ctx)
	defer done(nil)
	e.wg.Go(func() { e.keepAsking(ctx, l.Info, data, done) })
	defer t.closing(x)
	if err := data.Wait(ctx); err == nil || !errors.Is(context.Cause(ctx), errUnserved) {
		return err
	}
	return errUnserved
}

// keepAsking asks peers to open a torrent, again while nothing comes: they may have had no room, or nothing yet. One
// that gets nothing for a minute gives up when others wait for its place (docs/shares.md §5.4).
func (e *engine) keepAsking(ctx context.Context, info blob.ID, data Data, giveUp context.CancelCauseFunc) {
	var read int64
	since := time.Now()
	for ctx.Err() == nil {
		if now := data.Stats().Read; now != read {
			read, since = now, time.Now()
		} else if time.Since(since) >= idleClose && e.node.transfers.queue.Load() > 0 {
			giveUp(errUnserved)
			return
		}
		if data.Stats().Peers == 0 || time.Since(since) >= askAgain { // those who are connected may lack the rest
			data.AddPeers(e.net.dataAddrs())
			for _, p := range e.net.all() {
				_ = p.conn.Send(&wire.Want{ID: info})
			}
		}
		sleep(ctx, askAgain)
	}
}

func (x *transfer) close() {
	if x.data != nil {
		x.data.Close()
	}
}
