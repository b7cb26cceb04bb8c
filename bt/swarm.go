package bt

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anacrolix/torrent"
	infohash_v2 "github.com/anacrolix/torrent/types/infohash-v2"
)

// swarm is one torrent of a session: its peers, its metainfo when known, its storage when open.
type swarm struct {
	c    *Client
	sess *session
	lib  *torrent.Torrent
	hash InfoHash
	book *peerBook

	ctx    context.Context // done when the swarm closes; its goroutines end with it
	cancel context.CancelFunc
	public context.Context // done when ctx is, or when the torrent turns out to be private
	leave  context.CancelFunc
	wg     sync.WaitGroup

	trackers *announcer // nil without trackers
	webseeds []string   // besides those of the torrent
	magnet   *Magnet    // what the torrent was joined by, nil when by metainfo
	copies   *copyWatch // nil unless somebody counts them

	pieces *pieceStore

	mu      sync.Mutex // guards what follows
	m       *Metainfo  // nil until known
	have    bitset     // pieces verified and stored
	wanted  bitset     // pieces asked for
	left    int        // pieces wanted and not yet had
	stopped error      // first fatal error of the storage
	changed chan struct{}

	sequential bool // ask for pieces in order; set before want

	kicks atomic.Int64 // how often the watchdog had to step in
}

// joinOptions say which torrent, and where else than in the torrent itself to look for peers.
type joinOptions struct {
	Metainfo *Metainfo // or
	Magnet   *Magnet
	Storage  Storage // nil: given later, by open
	Peers    []string
	Trackers []string
	Webseeds []string
	Known    *peerBook  // of an earlier swarm of the same torrent; nil = none
	Copies   *copyWatch // nil: nobody counts them
	Once     bool       // each address is dialled once, whenever it is given
	Alone    bool       // peers are only those that are given; the torrent must be new to the session (Busy)
}

// join adds a torrent to the session and starts looking for peers.
func (c *Client) join(ctx context.Context, opts joinOptions) (*swarm, error) {
	sess, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	w := &swarm{c: c, sess: sess, magnet: opts.Magnet, webseeds: opts.Webseeds, m: opts.Metainfo, copies: opts.Copies,
		changed: make(chan struct{})}
	w.pieces = newPieceStore(w.pieceDone, w.fail)
	if opts.Storage != nil {
		w.use(opts.Storage)
	}
	if err := w.add(ctx, opts); err != nil {
		return nil, err
	}
	if opts.Storage != nil {
		w.startWebseeds()
	}
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	w.public, w.leave = context.WithCancel(w.ctx)
	w.book = newPeerBook(w, opts)
	c.byTorrent.Store(w.lib, w)
	w.findPeers(opts)
	w.wg.Go(w.book.run)
	if opts.Storage == nil || !w.pieces.complete() { // a seed never waits for data, and there may be thousands
		w.wg.Go(w.watch)
	}
	if err := sess.enter(w); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// add gives the torrent to the library. It waits for its turn when the session has the torrent already.
func (w *swarm) add(ctx context.Context, opts joinOptions) (err error) {
	var lo torrent.AddTorrentOpts
	var v2 InfoHashV2
	switch m, g := opts.Metainfo, opts.Magnet; {
	case m != nil:
		lo.InfoBytes = m.InfoBytes
		if !m.HasV1() {
			lo.PieceLayers = m.PieceLayers // see mendInfo
		}
		lo.InfoHash, v2 = [20]byte(m.InfoHash), m.InfoHashV2
	case g != nil:
		lo.InfoHash, v2 = [20]byte(g.InfoHash), g.InfoHashV2
	}
	if !v2.IsZero() {
		lo.InfoHashV2.Set(infohash_v2.T(v2))
	}
	if lo.InfoHash.IsZero() && v2.IsZero() {
		return errorf(BadInput, "an infohash of zeros names nothing")
	}
	lo.Storage = w.pieces
	// What is still unknown to make the library panic must not take the process with it.
	defer func() {
		if r := recover(); r != nil {
			err = errorf(BadInput, "adding the torrent: %v", r)
		}
	}()
	lt, isNew := w.sess.lib.AddTorrentOpt(lo)
	if opts.Alone && !isNew {
		return errorf(Busy, "adding the torrent: the session has it already")
	}
	for ; !isNew; lt, isNew = w.sess.lib.AddTorrentOpt(lo) {
		// Another download of this session has the torrent, for another place: it comes first.
		select {
		case <-lt.Closed():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	w.lib, w.hash = lt, InfoHash(lo.InfoHash)
	if w.hash.IsZero() {
		w.hash = v2.Short()
	}
	lt.SetOnWriteChunkError(w.fail)
	if opts.Storage == nil {
		// Pieces that nobody asked for and whose v2 hashes have come are an inconsistency to the library, at which it
		// panics; not so while no data is allowed. See open.
		lt.DisallowDataDownload()
	}
	if s, ok := opts.Storage.(*seedFiles); ok && s.have != nil {
		lt.DisallowDataDownload() // what of it is not there is not wanted; and see above
	}
	if opts.Metainfo != nil {
		select {
		case <-lt.GotInfo():
		default:
			lt.Drop()
			return errorf(BadInput, "the info dictionary is not one that peers can use")
		}
	}
	return nil
}

// metainfo waits for the metainfo to be known.
func (w *swarm) metainfo(ctx context.Context) (*Metainfo, error) {
	w.mu.Lock()
	m := w.m
	w.mu.Unlock()
	if m != nil {
		return m, nil
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-w.lib.Closed():
		return nil, errClosed
	case <-w.lib.GotInfo():
	}
	m, err := MetainfoFromInfo(w.lib.Metainfo().InfoBytes)
	if err != nil {
		return nil, fmt.Errorf("reading the metadata that peers sent: %w", err)
	}
	// The library checks this too; a version of it did not (GHSA-4mxg-hpvf-2386).
	if !w.magnet.names(m) {
		return nil, errorf(Damaged, "the metadata that peers sent is not that of the infohash")
	}
	w.magnet.addTo(m)
	w.mu.Lock()
	w.m = m
	w.mu.Unlock()
	if m.Private {
		w.leavePublic()
	}
	return m, nil
}

// open gives the torrent its storage, when it was not joined with one. Nothing is asked for yet.
func (w *swarm) open(st Storage) {
	w.use(st)
	for i := range w.m.NumPieces {
		if w.has(i) {
			w.lib.Piece(i).UpdateCompletion()
		}
	}
	w.lib.AllowDataDownload()
	w.startWebseeds()
}

// use makes st what pieces are stored to.
func (w *swarm) use(st Storage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.have, w.wanted = newBitset(w.m.NumPieces), newBitset(w.m.NumPieces)
	for i := range w.m.NumPieces {
		if st.Complete(i) {
			w.have.set(i)
		}
	}
	w.pieces.open.Store(&openStore{w.m, st})
}

func (w *swarm) startWebseeds() {
	if w.useWebseeds() {
		w.addWebseeds(w.webseeds)
		w.addWebseeds(w.m.Webseeds)
	}
}

// useWebseeds reports whether webseeds may be used. The metainfo is known. For torrents with v2 hashes alone the library
// asks for a wrong path, and panics, in a goroutine of its own, at files that end within a piece.
func (w *swarm) useWebseeds() bool { return !w.c.cfg.NoWebseeds && w.m.HasV1() }

// addWebseeds adds those URLs that are safe to use.
func (w *swarm) addWebseeds(urls []string) {
	for _, u := range urls {
		u, err := SanitizeWebseed(u)
		if err != nil {
			w.c.log.Warn("webseed not used", "err", err)
			continue
		}
		if w.m.Dir && !strings.HasSuffix(u, "/") {
			u += "/" // BEP 19: a folder's URL ends in a slash
		}
		w.lib.AddWebSeeds([]string{u})
	}
}

// want asks for pieces. Those asked for before stay asked for.
func (w *swarm) want(pieces []int) {
	w.mu.Lock()
	for _, i := range pieces {
		if !w.wanted.has(i) {
			w.wanted.set(i)
			if !w.have.has(i) {
				w.left++
			}
		}
	}
	w.signal()
	w.mu.Unlock()
	if w.sequential {
		for _, i := range pieces {
			w.lib.Piece(i).SetPriority(torrent.PiecePriorityReadahead) // these the library asks for in order
		}
		return
	}
	for begin := 0; begin < len(pieces); {
		end := begin + 1
		for end < len(pieces) && pieces[end] == pieces[end-1]+1 {
			end++
		}
		w.lib.DownloadPieces(pieces[begin], pieces[end-1]+1)
		begin = end
	}
}

// forget undoes want for a piece, of which the storage has let go if it was there: it may be asked for again.
func (w *swarm) forget(i int) {
	w.mu.Lock()
	if w.wanted.has(i) {
		w.wanted.clear(i)
		if !w.have.has(i) {
			w.left--
		}
	}
	had := w.have.has(i)
	w.have.clear(i)
	w.mu.Unlock()
	if w.ctx.Err() != nil {
		return // the library may have dropped the torrent
	}
	w.lib.Piece(i).SetPriority(torrent.PiecePriorityNone)
	if had {
		w.lib.Piece(i).UpdateCompletion()
	}
}

// refetch asks again for pieces that were let go in the moment in which the library marked them complete: for it they are
// here. It asks the storage only when it is told to.
func (w *swarm) refetch(first, end int) {
	for i := first; i < end && w.ctx.Err() == nil; i++ {
		w.mu.Lock()
		lost := w.wanted.has(i) && !w.have.has(i)
		w.mu.Unlock()
		if lost && w.lib.PieceState(i).Complete {
			w.lib.Piece(i).UpdateCompletion()
		}
	}
}

// pieceDone is called by the piece store when a piece is verified and stored.
func (w *swarm) pieceDone(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.have.has(i) {
		return
	}
	w.have.set(i)
	if w.wanted.has(i) {
		w.left--
	}
	w.signal()
}

// fail records a fatal error of the storage: the download ends with it.
func (w *swarm) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped == nil && !errors.Is(err, errClosed) {
		w.stopped = err
		w.signal()
	}
}

// signal wakes those who wait for progress. The caller holds mu.
func (w *swarm) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// missing is how many wanted pieces are not there yet.
func (w *swarm) missing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.left
}

// has reports whether a piece is verified and stored.
func (w *swarm) has(i int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.have.has(i)
}

// addPeers hears of peers from a tracker, the DHT or LPD.
func (w *swarm) addPeers(source torrent.PeerSource, peers []netip.AddrPort) {
	w.book.heard(source, peers)
}

// stop and wait make a swarm a member of its session.
func (w *swarm) stop() { w.cancel() }
func (w *swarm) wait() { w.wg.Wait() }

// close leaves the swarm and returns after its last goroutine. The storage is the caller's.
func (w *swarm) close() {
	w.cancel()
	if w.sess.lpd != nil {
		w.sess.lpd.remove(w.short())
	}
	w.wg.Wait()
	w.sess.left(w)
	w.c.byTorrent.Delete(w.lib)
	w.lib.Drop()
}

// short is the infohash that goes over the wire. It stays the one the torrent was joined by: the library's changes when
// the metadata of a hybrid comes that was joined by its v2 hash.
func (w *swarm) short() InfoHash { return w.hash }
