package bt

import (
	"context"
	"crypto/sha1"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"
)

// A pieceVerdict is what became of a piece.
type pieceVerdict byte

const (
	pieceLacking pieceVerdict = iota // bytes of it are not there
	pieceGood
	pieceBad // it does not match its hash
)

// A verifier compares the pieces of a torrent with what is on disk. They are independent of each other.
type verifier struct {
	m        *Metainfo
	files    []verifiedFile
	verdicts []pieceVerdict
	roots    [][]byte // v2 only, for files whose piece layer is not known: the hashes of their pieces
	next     atomic.Int64
	done     atomic.Int64 // bytes
}

// A verifiedFile is a file on disk.
type verifiedFile struct {
	name string
	size int64 // bytes that can be read

	mu  sync.Mutex
	err error // why it could not be read; guarded by mu
}

func (f *verifiedFile) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *verifiedFile) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// has reports whether the first n bytes are there.
func (f *verifiedFile) has(n int64) bool { return n <= f.size && f.failure() == nil }

func newVerifier(m *Metainfo) *verifier {
	v := &verifier{m: m, files: make([]verifiedFile, len(m.Files)), verdicts: make([]pieceVerdict, m.NumPieces)}
	return v
}

// expectRoots makes room for the hashes of the files that have no piece layer, where these can be of use: only the whole
// file can be verified.
func (v *verifier) expectRoots() {
	v.roots = make([][]byte, len(v.files))
	for i := range v.m.Files {
		f := &v.m.Files[i]
		if !v.m.HasV1() && v.needsRoot(f) && v.files[i].has(f.Length) {
			v.roots[i] = make([]byte, (f.Length-1)/v.m.PieceLength*32+32)
		}
	}
}

// needsRoot reports whether nothing but the root of a v2 file is known.
func (v *verifier) needsRoot(f *File) bool {
	return f.Length > v.m.PieceLength && v.m.PieceLayers[string(f.Root[:])] == ""
}

// run reads and hashes everything.
func (v *verifier) run(ctx context.Context, progress func(Progress)) error {
	v.expectRoots()
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), v.m.NumPieces) {
		workers.Go(func() { v.work(ctx) })
	}
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()
	watchHashing(finished, &v.done, progress, func() Progress {
		return Progress{State: "checking", Name: v.m.Name, InfoHash: v.m.Short().String(), Total: v.m.Length}
	})
	for i, layer := range v.roots {
		if layer != nil {
			v.settleRoot(i, layer)
		}
	}
	return context.Cause(ctx)
}

// settleRoot decides about the pieces of a file of which only the root is known.
func (v *verifier) settleRoot(i int, layer []byte) {
	f := &v.m.Files[i]
	verdict := pieceBad
	switch {
	case !v.files[i].has(f.Length):
		verdict = pieceLacking
	case layerRoot(string(layer), v.m.PieceLength) == f.Root:
		verdict = pieceGood
	}
	first, end := pieceSpan(f, v.m.PieceLength)
	for p := first; p < end; p++ {
		v.verdicts[p] = verdict
	}
}

// A verifyWorker verifies one piece after the other.
type verifyWorker struct {
	*verifier
	hashInput
	sha1 hash.Hash
}

func (v *verifier) work(ctx context.Context) {
	w := verifyWorker{verifier: v, hashInput: hashInput{opened: -1}, sha1: sha1.New()}
	defer w.close()
	for ctx.Err() == nil {
		p := v.next.Add(1) - 1
		if p >= int64(v.m.NumPieces) {
			return
		}
		v.verdicts[p] = w.piece(ctx, int(p))
	}
}

// piece verifies piece p, unless bytes of it are lacking.
func (w *verifyWorker) piece(ctx context.Context, p int) pieceVerdict {
	start := int64(p) * w.m.PieceLength
	first, end := w.m.FilesIn(start, w.m.PieceLength)
	verdict := pieceGood
	var bytes int64
	for i := first; i < end; i++ {
		f := &w.m.Files[i]
		from, to := max(f.Offset, start)-f.Offset, min(f.Offset+f.Length, start+w.m.PieceLength)-f.Offset
		if bytes += max(0, to-from); from < to && !w.files[i].has(to) {
			verdict = pieceLacking
		}
	}
	defer func() { w.done.Add(bytes) }()
	switch {
	case verdict == pieceLacking:
		return verdict
	case w.m.HasV1():
		return w.pieceV1(ctx, p, first, end)
	}
	return w.pieceV2(ctx, p, first)
}

// pieceV1 verifies by SHA-1: what lies of each file in the piece, and zeros where none does.
func (w *verifyWorker) pieceV1(ctx context.Context, p, first, end int) pieceVerdict {
	w.sha1.Reset()
	start := int64(p) * w.m.PieceLength
	at, stop := start, start+w.m.PieceSize(p)
	for i := first; i < end; i++ {
		f := &w.m.Files[i]
		from, to := max(f.Offset, start), min(f.Offset+f.Length, stop)
		if from >= to {
			continue
		}
		w.zeros(from - at)
		if !w.read(ctx, i, from-f.Offset, to-f.Offset, func(b []byte) { w.sha1.Write(b) }) {
			return pieceLacking
		}
		at = to
	}
	w.zeros(stop - at)
	var sum [sha1.Size]byte
	if w.sha1.Sum(sum[:0]); sum != [sha1.Size]byte(w.m.hashes[sha1.Size*p:]) {
		return pieceBad
	}
	return pieceGood
}

func (w *verifyWorker) zeros(n int64) {
	for ; n > 0; n -= int64(len(zeros)) {
		w.sha1.Write(zeros[:min(n, int64(len(zeros)))])
	}
}

// pieceV2 verifies by the hash tree of the one file that a piece of v2 belongs to.
func (w *verifyWorker) pieceV2(ctx context.Context, p, i int) pieceVerdict {
	if i == len(w.m.Files) || w.m.Files[i].Offset > int64(p)*w.m.PieceLength {
		return pieceGood // of a symbolic link, which has no bytes
	}
	f := &w.m.Files[i]
	if w.roots[i] == nil && w.needsRoot(f) {
		return pieceLacking
	}
	off := int64(p)*w.m.PieceLength - f.Offset
	var tree merkle
	if !w.read(ctx, i, off, min(off+w.m.PieceLength, f.Length), tree.addBlocks) {
		return pieceLacking
	}
	if f.Length <= w.m.PieceLength {
		if tree.root(levelsFor(int64(tree.n)), [32]byte{}) == f.Root {
			return pieceGood
		}
		return pieceBad
	}
	root := tree.root(levelsFor(w.m.PieceLength/blockSize), [32]byte{})
	at := off / w.m.PieceLength * 32
	if w.roots[i] != nil {
		copy(w.roots[i][at:], root[:])
		return pieceGood // until all of the file is read
	}
	if w.m.PieceLayers[string(f.Root[:])][at:at+32] == string(root[:]) {
		return pieceGood
	}
	return pieceBad
}

// read hands the bytes of file i to sum, in order. It reports whether they could be read.
func (w *verifyWorker) read(ctx context.Context, i int, from, to int64, sum func([]byte)) bool {
	_, err := w.open(i, w.files[i].name)
	if err == nil {
		err = w.each(ctx, from, to-from, sum)
	}
	if err != nil && ctx.Err() == nil {
		w.files[i].fail(err)
	}
	return err == nil
}
