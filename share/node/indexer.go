package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// Bounds of heads that are not whole (docs/shares.md §3.4).
const (
	maxIncomplete = 256
	writeNodes    = 256 // index blobs that are written together
)

// indexer fetches heads and the trees below them. One goroutine runs it; others tell it what to want.
type indexer struct {
	s      *swarm
	job    *wire.Job
	blobs  *blobStore // what has come and is not written yet
	refs   index.Refs
	count  int       // of what is not written
	looked time.Time // when heads were last looked at
	retry  []blob.ID // that could not be written

	mu     sync.Mutex                 // guards what follows
	heads  map[blob.ID]*peer          // that are on their way, and who told of them
	toldBy map[*peer]map[blob.ID]bool // the same by peers
	whole  map[blob.ID]bool           // nodes below which everything is here
	wrong  map[blob.ID]bool           // heads whose index is not right: they are not asked for again
}

func newIndexer(s *swarm) *indexer {
	e := s.e
	x := &indexer{s: s, blobs: e.newBlobs(), whole: map[blob.ID]bool{}, wrong: map[blob.ID]bool{}, heads: map[blob.ID]*peer{}, toldBy: map[*peer]map[blob.ID]bool{}}
	x.refs = index.RefsIn(x.blobs)
	x.job = s.fetcher.NewLasting(x.take, func(blob.ID) { x.look(time.Second); x.lookIfLast(0) }, x.idle)
	return x
}

// run fetches until ctx is done.
func (x *indexer) run(ctx context.Context) {
	for _, h := range x.s.e.kept().all {
		if !h.Superseded.IsZero() {
			continue // there may be thousands; what they share with others is learnt there
		}
		if h.Complete {
			x.learn(h.Root)
		} else if err := x.below(h.Root); err != nil {
			x.fail(err)
		}
	}
	if err := x.job.Run(ctx); err != nil && ctx.Err() == nil {
		x.fail(err)
	}
}

// idle is called when all that was wanted has come.
func (x *indexer) idle() {
	if err := x.write(); err != nil {
		x.fail(err)
		return
	}
	x.look(0)
}

func (x *indexer) fail(err error) {
	if x.s.e.ctx.Err() == nil {
		x.s.e.log.Error("the index cannot be fetched", "why", err)
		sleep(x.s.e.ctx, time.Second)
	}
}

// isWhole reports whether everything below a node is known to be here; forget lets it be found out again: a collection
// begins, and what is relied on must be looked for.
func (x *indexer) isWhole(id blob.ID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.whole[id]
}

func (x *indexer) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.whole)
}

// learn notes that everything below a node is here.
func (x *indexer) learn(root blob.ID) {
	for id, err := range index.Reach(x.refs, []blob.ID{root}, func(id blob.ID) bool { return id.Kind() != blob.Node || x.isWhole(id) }) {
		if err != nil {
			return
		}
		x.mu.Lock()
		x.whole[id] = true
		x.mu.Unlock()
	}
}

// take takes in a head or a node. What cannot be written now, as when the disk is full, is asked for again.
func (x *indexer) take(id blob.ID, b []byte) error {
	if err := x.takeIn(id, b); err != nil {
		x.fail(err)
		if x.s.e.ctx.Err() == nil {
			x.retry = append(x.retry, id)
		}
		return nil
	}
	x.lookIfLast(1)
	return nil
}

// lookIfLast looks at once when nothing is on its way but what nobody who is here has: the index of one head may be whole
// while that of another never comes. used is how many ids of the job are at their end in this moment.
func (x *indexer) lookIfLast(used int) {
	if st := x.job.Status(); st.Left > used && st.Left-used <= st.Missing {
		x.look(time.Nanosecond)
	}
}

// takeIn takes in a head or a node, and asks for what is missing below it.
func (x *indexer) takeIn(id blob.ID, b []byte) error {
	if id.Kind() == blob.Head {
		return x.head(id, b)
	}
	if err := x.blobs.Put(id, b); err != nil {
		return err
	}
	if x.count++; x.count >= writeNodes {
		if err := x.write(); err != nil {
			return err
		}
		x.look(time.Second)
	}
	h, err := blob.Parse(b)
	if err != nil {
		return nil // the head above it is never whole
	}
	if x.s.e.passBy(id) {
		return nil
	}
	var more []blob.ID
	for _, ref := range h.Refs {
		if ref.Kind() != blob.Node || x.isWhole(ref) {
			continue
		}
		here, err := x.blobs.has(ref)
		if err != nil {
			return err
		}
		if here {
			if err := x.below(ref); err != nil {
				return err
			}
			continue
		}
		more = append(more, ref)
	}
	x.job.Want(more...)
	return nil
}

// below asks for what is missing at and below a node.
func (x *indexer) below(id blob.ID) error {
	missing, err := index.Missing(x.refs, id, x.isWhole)
	if err != nil {
		return nil // it is not a tree; the head above it is never whole
	}
	if x.s.e.passBy(id) || x.s.e.isBeside() && !slices.Contains(missing, id) {
		return nil
	}
	x.job.Want(missing...)
	return nil
}

// head takes in a head, if it is one of this share and epoch.
func (x *indexer) head(id blob.ID, b []byte) error {
	e := x.s.e
	defer x.came(id)
	head, err := index.ParseHead(e.token.Share, id, b)
	if err != nil || head.Epoch != e.token.Epoch {
		e.log.Warn("a head is not one of this share", "id", id, "why", err)
		return nil
	}
	if e.forest != nil {
		if _, err := head.ForReaders(e.keys); err != nil {
			e.log.Warn("a head cannot be read", "id", id, "why", err)
			return nil
		}
	}
	if err := x.makeRoom(); err != nil {
		return err
	}
	h := db.Head{ID: id, Epoch: head.Epoch, Writer: head.Writer, Ctx: head.Ctx, Root: head.Root, Received: e.node.now()}
	err = e.node.db.Update(e.ctx, func(t *db.Tx) (err error) {
		if h.Mine, err = t.HasSigned(e.n, id); err != nil {
			return err
		}
		if err := t.PutBlob(e.n, id, b, int64(len(b))); err != nil {
			return err
		}
		if len(e.cert()) == 0 {
			if err := t.SetCert(e.n, head.Cert); err != nil {
				return err
			}
		}
		return t.PutHead(e.n, &h)
	})
	if err != nil {
		return err
	}
	e.setCert(head.Cert)
	e.changeHeads(func(l *headList) {
		if !l.has(id) {
			l.all = append(l.all, h)
		}
	})
	return x.below(head.Root)
}

// write makes what has come durable.
func (x *indexer) write() error {
	x.count = 0
	err := x.s.e.node.db.Update(x.s.e.ctx, x.blobs.flush)
	if err == nil {
		x.blobs.written()
	}
	return err
}

// look finds the heads whose index has become whole, not more often than every so long.
func (x *indexer) look(every time.Duration) {
	e := x.s.e
	if now := time.Now(); now.Sub(x.looked) < every {
		return
	} else {
		x.looked = now
	}
	x.job.Want(x.retry...)
	x.retry = nil
	for _, h := range e.kept().incomplete() {
		missing, err := index.Missing(x.refs, h.Root, x.isWhole)
		if err != nil || len(missing) > 0 {
			if every == 0 && !e.isBeside() { // nothing is on its way
				x.job.Want(missing...)
			}
			continue
		}
		if err := x.write(); err != nil {
			x.fail(err)
			return
		}
		if err := e.valid(&h); err != nil {
			if errors.Is(err, context.Canceled) {
				return
			}
			if !errors.Is(err, index.ErrInvalid) { // it may be right
				e.log.Warn("the index of a head cannot be checked", "head", h.ID, "why", err)
				continue
			}
			if err := x.ignore(&h, err); err != nil {
				x.fail(err)
				return
			}
			continue
		}
		x.learn(h.Root)
		if err := e.complete(h); err != nil {
			x.fail(err)
			return
		}
		x.s.announce(h.ID)
		e.poke()
	}
}

// valid checks the whole index of a head, as far as this node can read it.
func (e *engine) valid(h *db.Head) error {
	if e.forest == nil {
		return nil
	}
	root, err := e.rootOf(h)
	if err != nil {
		return err
	}
	e.mu.Lock()
	known := e.view.Root
	e.mu.Unlock()
	_, err = e.checker.Check(e.ctx, root, e.link != nil, known)
	return err
}

// complete notes that the index of a head is all here.
func (e *engine) complete(h db.Head) error {
	h.Complete = true
	if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.PutHead(e.n, &h) }); err != nil {
		return err
	}
	e.changeHeads(func(l *headList) { l.change(h.ID, func(to *db.Head) { *to = h }) })
	return nil
}
