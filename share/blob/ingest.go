package blob

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// ErrSize is wrapped by errors of reading content that is longer or shorter than it was said to be: somebody writes.
var ErrSize = errors.New("the size changed")

// A Blob is bytes under their name.
type Blob struct {
	ID    ID
	Bytes []byte
}

// Content is what a file has become.
type Content struct {
	Size  int64
	Hash  [32]byte // f: zero for an empty file
	Cap   Cap      // zero for an empty file
	Blobs []Blob   // what Cap needs, the referenced first: data, or info and recipe
	Large *Large   // of a file longer than [Small]
}

// Ingest reads a file of size bytes once and makes its blobs (docs/shares.md §2.2). workers goroutines hash and encrypt;
// 0 means as many as there are cores. Each needs memory for one piece, at most 128 MiB together. A reader that gives
// more or fewer bytes than size is an error that wraps [ErrSize], a size above [MaxFile] one that wraps [ErrTooLarge];
// errors of r come through.
func Ingest(ctx context.Context, conv [32]byte, r io.Reader, size int64, workers int) (Content, error) {
	if size <= Small {
		return ingestSmall(ctx, conv, r, size)
	}
	length := Padme(size)
	piece, err := PieceLength(length)
	if err != nil {
		return Content{}, err
	}
	n := pieces(length, piece)
	l := &Large{Size: size, Keys: make([]Key, n)}
	sums := make([][32]byte, n)
	pieceSums := make([]byte, n*sha1.Size)
	err = eachChunk(ctx, r, size, workers, func(i int, chunk []byte) {
		sums[i] = sha256.Sum256(chunk)
		l.Keys[i] = chunkKey(conv, sums[i])
		Crypt(l.Keys[i], 0, chunk, chunk)
		sum := sha1.Sum(chunk)
		copy(pieceSums[i*sha1.Size:], sum[:])
	})
	if err != nil {
		return Content{}, err
	}
	t, info := newTorrent(length, piece, pieceSums)
	l.Torrent, l.Hash = *t, hashOf(sums)
	c, recipe := l.seal(conv)
	return Content{
		Size: size, Hash: l.Hash, Cap: c, Large: l,
		Blobs: []Blob{{l.Info, info}, {c.ID, recipe}},
	}, nil
}

func ingestSmall(ctx context.Context, conv [32]byte, r io.Reader, size int64) (Content, error) {
	b := padded(Data, nil, int(max(size, 0)))
	plain := b[HeaderLen(0):][:max(size, 0)]
	if err := readAll(ctx, r, plain, size); err != nil || size == 0 {
		return Content{}, err
	}
	hash := sha256.Sum256(plain)
	c, b := sealInPlace(conv, b, 0, len(plain), hash)
	return Content{Size: size, Hash: hash, Cap: c, Blobs: []Blob{{c.ID, b}}}, nil
}

// Sum is f of a file of size bytes: what [Ingest] gives as Hash, for less than half the work. Arguments and errors are
// those of Ingest.
func Sum(ctx context.Context, r io.Reader, size int64, workers int) (f [32]byte, err error) {
	if size <= Small {
		plain := make([]byte, max(size, 0))
		if err := readAll(ctx, r, plain, size); err != nil || size == 0 {
			return [32]byte{}, err
		}
		return sha256.Sum256(plain), nil
	}
	length := Padme(size)
	piece, err := PieceLength(length)
	if err != nil {
		return [32]byte{}, err
	}
	sums := make([][32]byte, pieces(length, piece))
	err = eachChunk(ctx, r, size, workers, func(i int, chunk []byte) { sums[i] = sha256.Sum256(chunk) })
	if err != nil {
		return [32]byte{}, err
	}
	return hashOf(sums), nil
}

// readAll reads content of size bytes into plain, which is as long.
func readAll(ctx context.Context, r io.Reader, plain []byte, size int64) error {
	if size < 0 {
		return fmt.Errorf("content of %d bytes: %w", size, ErrSize)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := fill(r, plain); err != nil {
		return err
	}
	return atEnd(r)
}

// fill reads until b is full.
func fill(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("the content ends early: %w", ErrSize)
	}
	return err
}

// atEnd checks that r has nothing more to give.
func atEnd(r io.Reader) error {
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return fmt.Errorf("the content is longer: %w", ErrSize)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// chunkMemory is how much the chunks that are worked on may take together, in bytes.
const chunkMemory = 128 << 20

// eachChunk calls do for the chunks of a large file, padded, from several goroutines at once. do may change the chunk;
// it is not called after an error.
func eachChunk(ctx context.Context, r io.Reader, size int64, workers int, do func(i int, chunk []byte)) error {
	length := Padme(size)
	piece, err := PieceLength(length)
	if err != nil {
		return err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	s := &chunks{r: r, size: size, length: length, piece: piece}
	var wg sync.WaitGroup
	for range min(int64(workers), pieces(length, piece), chunkMemory/piece) {
		wg.Go(func() {
			buf := make([]byte, min(piece, length))
			for {
				i, chunk, ok := s.next(ctx, buf)
				if !ok {
					return
				}
				do(i, chunk)
			}
		})
	}
	wg.Wait()
	return s.err
}

// chunks hands out the chunks of a file in order. The workers take turns at reading, so that one reads while others
// hash.
type chunks struct {
	size, length, piece int64

	mu  sync.Mutex
	r   io.Reader // guarded by mu, as all below
	off int64     // where the next chunk begins
	err error     // the first
}

// next reads the next chunk into buf; not ok after the last, and after an error.
func (s *chunks) next(ctx context.Context, buf []byte) (i int, chunk []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.off >= s.length {
		return 0, nil, false
	}
	if ctx.Err() != nil {
		s.err = context.Cause(ctx)
		return 0, nil, false
	}
	chunk = buf[:min(s.piece, s.length-s.off)]
	content := max(0, min(int64(len(chunk)), s.size-s.off))
	if s.err = fill(s.r, chunk[:content]); s.err != nil {
		return 0, nil, false
	}
	clear(chunk[content:])
	i = int(s.off / s.piece)
	if s.off += int64(len(chunk)); s.off >= s.length {
		if s.err = atEnd(s.r); s.err != nil {
			return 0, nil, false
		}
	}
	return i, chunk, true
}
