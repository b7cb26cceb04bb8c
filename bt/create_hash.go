package bt

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"hash"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// A pieceHasher hashes the pieces of a tree, which are independent of each other.
type pieceHasher struct {
	tree        *scannedTree
	pieceLength int64
	offsets     []int64  // of the files in the piece space
	space       int64    // bytes of the piece space
	sha1s       []byte   // 20 bytes a piece; nil without v1
	sha256s     [][]byte // per file, 32 bytes a piece; nil without v2

	next, done atomic.Int64 // next piece to hash; bytes hashed
}

func newPieceHasher(tree *scannedTree, opts CreateOptions) *pieceHasher {
	h := &pieceHasher{tree: tree, pieceLength: opts.PieceLength, offsets: make([]int64, len(tree.files))}
	if opts.Format != FormatV1 {
		h.sha256s = make([][]byte, len(tree.files))
	}
	// A single file needs no pad; otherwise libtorrent pads the last one, too, and the infohash should be the same.
	align := opts.Format != FormatV1 && len(tree.files) > 1
	for i, f := range tree.files {
		h.offsets[i] = h.space
		if h.space += f.size; align {
			h.space = roundUp(h.space, h.pieceLength)
		}
		if h.sha256s != nil {
			h.sha256s[i] = make([]byte, roundUp(f.size, h.pieceLength)/h.pieceLength*sha256.Size)
		}
	}
	if opts.Format != FormatV2 {
		h.sha1s = make([]byte, h.pieces()*sha1.Size)
	}
	return h
}

func (h *pieceHasher) pieces() int64 { return roundUp(h.space, h.pieceLength) / h.pieceLength }

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// run hashes everything, and checks that nothing changed meanwhile.
func (h *pieceHasher) run(ctx context.Context, progress func(Progress)) error {
	if h.pieces() > maxPieces {
		return errorf(Usage, "creating a metainfo: %d bytes in pieces of %d are more than %d pieces", h.space, h.pieceLength, maxPieces)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range min(int64(runtime.GOMAXPROCS(0)), h.pieces()) {
		workers.Go(func() {
			if err := h.work(ctx); err != nil {
				cancel(err)
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()
	h.watch(finished, progress)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return h.checkUnchanged()
}

// checkUnchanged looks once more at each file.
func (h *pieceHasher) checkUnchanged() error {
	return inParallel(len(h.tree.files), func(i int) error {
		f := &h.tree.files[i]
		return f.checkUnchanged(statHashFile(f.name))
	})
}

// watch reports progress until finished is closed.
func (h *pieceHasher) watch(finished <-chan struct{}, progress func(Progress)) {
	watchHashing(finished, &h.done, progress, func() Progress { return Progress{State: "hashing", Total: h.tree.size} })
}

// watchHashing reports progress until finished is closed: state, with the bytes that are done.
func watchHashing(finished <-chan struct{}, done *atomic.Int64, progress func(Progress), state func() Progress) {
	if progress == nil {
		<-finished
		return
	}
	start := time.Now()
	report := func() {
		p := state()
		p.Done, p.ETA = done.Load(), -1
		elapsed := time.Since(start)
		if p.Done > 0 {
			p.Down = float64(p.Done) / elapsed.Seconds()
		}
		if p.Done > 0 && p.Done <= p.Total {
			p.ETA = time.Duration(float64(elapsed) / float64(p.Done) * float64(p.Total-p.Done))
		}
		progress(p)
	}
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-finished:
			report()
			return
		case <-ticker.C:
			report()
		}
	}
}

// A hashWorker hashes one piece after the other.
type hashWorker struct {
	*pieceHasher
	hashInput
	sha1   hash.Hash
	leaves merkle // of the bytes of one file in a piece
}

func (h *pieceHasher) work(ctx context.Context) error {
	w := hashWorker{pieceHasher: h, hashInput: hashInput{opened: -1}, sha1: sha1.New()}
	defer w.close()
	for ctx.Err() == nil {
		i := h.next.Add(1) - 1
		if i >= h.pieces() {
			return nil
		}
		if err := w.piece(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// piece hashes piece i: what lies of each file in it, and zeros where none does.
func (w *hashWorker) piece(ctx context.Context, i int64) error {
	at, end := i*w.pieceLength, min((i+1)*w.pieceLength, w.space)
	w.sha1.Reset()
	files := w.tree.files
	// The first file that ends behind at; empty ones have nothing to hash.
	f := sort.Search(len(files), func(f int) bool { return w.offsets[f]+files[f].size > at })
	for ; f < len(files) && at < end; f++ {
		if files[f].size == 0 {
			continue
		}
		if gap := min(end, w.offsets[f]) - at; gap > 0 {
			at += gap
			w.zeros(gap)
		}
		if n := min(end, w.offsets[f]+files[f].size) - at; n > 0 {
			if err := w.read(ctx, f, at-w.offsets[f], n); err != nil {
				return err
			}
			at += n
		}
	}
	w.zeros(end - at)
	if w.sha1s != nil {
		w.sha1.Sum(w.sha1s[i*sha1.Size : i*sha1.Size : (i+1)*sha1.Size])
	}
	return nil
}

func (w *hashWorker) zeros(n int64) {
	for ; w.sha1s != nil && n > 0; n -= int64(len(zeros)) {
		w.sha1.Write(zeros[:min(n, int64(len(zeros)))])
	}
}

// read hashes n bytes of file f at off; with v2 these are a piece of that file.
func (w *hashWorker) read(ctx context.Context, f int, off, n int64) error {
	file := &w.tree.files[f]
	opened, err := w.open(f, file.name)
	if err != nil {
		return err
	}
	if opened {
		if err := file.checkUnchanged(w.file.stat()); err != nil {
			return err
		}
	}
	w.leaves.n = 0
	if err := w.each(ctx, off, n, w.sum); errors.Is(err, errChanged) {
		return errorf(Failed, "hashing %s: %w", file.name, errChanged)
	} else if err != nil {
		return err
	}
	if w.sha256s != nil {
		levels := levelsFor(w.pieceLength / blockSize)
		if file.size <= w.pieceLength {
			levels = levelsFor(int64(w.leaves.n))
		}
		root := w.leaves.root(levels, [32]byte{})
		copy(w.sha256s[f][off/w.pieceLength*sha256.Size:], root[:])
	}
	return nil
}

// sum hashes bytes by what is wanted.
func (w *hashWorker) sum(b []byte) {
	if w.sha1s != nil {
		w.sha1.Write(b)
	}
	if w.sha256s != nil {
		w.leaves.addBlocks(b)
	}
	w.done.Add(int64(len(b)))
}

// root is the pieces root of a file that is not empty.
func (h *pieceHasher) root(f int) [32]byte {
	layer := h.sha256s[f]
	if h.tree.files[f].size <= h.pieceLength {
		return [32]byte(layer)
	}
	return layerRoot(string(layer), h.pieceLength)
}

// layers are the piece layers of the files larger than a piece.
func (h *pieceHasher) layers() map[string]string {
	layers := map[string]string{}
	for f := range h.tree.files {
		if h.tree.files[f].size > h.pieceLength {
			root := h.root(f)
			layers[string(root[:])] = string(h.sha256s[f])
		}
	}
	return layers
}
