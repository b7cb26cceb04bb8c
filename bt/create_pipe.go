package bt

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
)

// A streamHasher hashes the one file of a torrent as it comes, on all processors: one reads, the others hash.
type streamHasher struct {
	*pieceHasher
	format Format

	mu    sync.Mutex // guards what follows
	sums  []pieceSums
	bytes int64
}

// pieceSums are the hashes of one piece, by v1 and by v2.
type pieceSums struct {
	sha1   [sha1.Size]byte
	sha256 [sha256.Size]byte
}

// A streamPiece is read, and waits to be hashed.
type streamPiece struct {
	index int
	data  []byte
}

// hashReader hashes opts.Reader up to its end, and completes the options.
func hashReader(ctx context.Context, opts *CreateOptions) (*pieceHasher, error) {
	size := sizeOf(opts.Reader)
	switch {
	case opts.PieceLength != 0:
	case size > 0:
		opts.PieceLength = AutoPieceLength(size, 1, opts.Format)
	default:
		opts.PieceLength = pipePieceLength
	}
	tree := &scannedTree{files: make([]scanned, 1), size: size}
	opts.warn(tree)
	s := &streamHasher{pieceHasher: &pieceHasher{tree: tree, pieceLength: opts.PieceLength, offsets: []int64{0}}, format: opts.Format}
	var total atomic.Int64
	total.Store(size)
	finished := make(chan struct{})
	var err error
	go func() {
		defer close(finished)
		err = s.run(ctx, opts.Reader)
		total.Store(s.bytes)
	}()
	watchHashing(finished, &s.done, opts.Progress, func() Progress { return Progress{State: "hashing", Total: total.Load()} })
	if err != nil {
		return nil, err
	}
	tree.size, tree.files[0].size, s.space = s.bytes, s.bytes, s.bytes
	s.collect()
	return s.pieceHasher, nil
}

// sizeOf is the size of a reader that is a regular file, else 0.
func sizeOf(r io.Reader) int64 {
	f, ok := r.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return 0
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// run reads pieces and has them hashed. It returns when the last one is.
func (s *streamHasher) run(ctx context.Context, r io.Reader) error {
	procs := int64(runtime.GOMAXPROCS(0))
	buffers := max(1, min(procs+1, maxHashMemory/s.pieceLength))
	free := make(chan []byte, buffers)
	for range buffers {
		free <- nil
	}
	read := make(chan streamPiece, buffers)
	var workers sync.WaitGroup
	for range procs {
		workers.Go(func() {
			for p := range read {
				s.hash(p)
				free <- p.data[:cap(p.data)]
			}
		})
	}
	err := s.read(ctxReader{ctx, r}, free, read)
	close(read)
	workers.Wait()
	return err
}

func (s *streamHasher) read(r io.Reader, free <-chan []byte, read chan<- streamPiece) error {
	for i := 0; ; i++ {
		buf := <-free
		if buf == nil {
			buf = make([]byte, s.pieceLength)
		}
		n, err := io.ReadFull(r, buf)
		if n > 0 && i == maxPieces {
			return errorf(Usage, "creating a metainfo: there are more than %d pieces of %d bytes", maxPieces, s.pieceLength).withHint("--piece-size makes larger ones")
		}
		if n > 0 && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
			read <- streamPiece{i, buf[:n]}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// hash hashes a piece. The first one may be all there is: then its tree is no higher than it needs to be.
func (s *streamHasher) hash(p streamPiece) {
	var sums pieceSums
	if s.format != FormatV2 {
		sums.sha1 = sha1.Sum(p.data)
	}
	if s.format != FormatV1 {
		var tree merkle
		tree.addBlocks(p.data)
		levels := levelsFor(s.pieceLength / blockSize)
		if p.index == 0 && int64(len(p.data)) < s.pieceLength {
			levels = levelsFor(int64(tree.n))
		}
		sums.sha256 = tree.root(levels, [32]byte{})
	}
	s.done.Add(int64(len(p.data)))
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.sums) <= p.index {
		s.sums = append(s.sums, pieceSums{})
	}
	s.sums[p.index] = sums
	s.bytes += int64(len(p.data))
}

// collect brings the hashes into the form that the info dictionary is made of.
func (s *streamHasher) collect() {
	var layer []byte
	for _, sums := range s.sums {
		s.sha1s = append(s.sha1s, sums.sha1[:]...)
		layer = append(layer, sums.sha256[:]...)
	}
	s.sha256s = [][]byte{layer}
}
