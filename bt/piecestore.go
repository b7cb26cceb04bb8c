package bt

import (
	"context"
	"crypto/sha1"
	"errors"
	"hash"
	"io"
	"sync"
	"sync/atomic"

	g "github.com/anacrolix/generics"
	lib "github.com/anacrolix/torrent/metainfo"
	"github.com/anacrolix/torrent/storage"
)

// verifyChunk is how much of a piece is read at a time when it is hashed.
const verifyChunk = 256 << 10

// pieceStore stands between the library and a Storage. Gathering the blocks of a piece in memory first was measured:
// it costs memory and wins nothing, as the page cache does the same.
//
// The library drops bad peers by comparing blocks (smart ban), which needs it to do the hashing, at the price of a
// second hash over everything. So a v1 piece is hashed here until it fails once; from then on the library hashes it.
type pieceStore struct {
	completed func(piece int) // a piece is verified and stored
	failed    func(error)     // the storage failed
	buffers   sync.Pool       // of *[]byte, verifyChunk long
	open      atomic.Pointer[openStore]

	mu       sync.Mutex
	suspect  map[int]bool // pieces that failed their hash; guarded by mu
	suspects atomic.Int32 // how many they are
}

// openStore is what a pieceStore stores to, once that is known. Before, no piece is complete or wanted.
type openStore struct {
	m  *Metainfo
	st Storage
}

func newPieceStore(completed func(int), failed func(error)) *pieceStore {
	s := &pieceStore{completed: completed, failed: failed, suspect: map[int]bool{}}
	s.buffers.New = func() any {
		b := make([]byte, verifyChunk)
		return &b
	}
	return s
}

// OpenTorrent makes a pieceStore a storage.ClientImpl of the library, for its one torrent. The library calls it when
// it knows the info dictionary and has not used it yet, which is the moment to mend what it would stumble over.
func (s *pieceStore) OpenTorrent(_ context.Context, info *lib.Info, _ lib.Hash) (storage.TorrentImpl, error) {
	mendInfo(info, s.complete())
	return storage.TorrentImpl{PieceWithHash: s.piece, Close: func() error { return nil }}, nil
}

// complete reports whether every piece is there that is ever to come.
func (s *pieceStore) complete() bool {
	o := s.open.Load()
	if o == nil {
		return false
	}
	if _, ok := o.st.(*seedFiles); ok {
		return true
	}
	for i := range o.m.NumPieces {
		if !o.st.Complete(i) {
			return false
		}
	}
	return true
}

func (s *pieceStore) piece(p lib.Piece, _ g.Option[[]byte]) storage.PieceImpl {
	o := s.open.Load()
	if o == nil {
		return noPiece{}
	}
	sp := storedPiece{s: s, o: o, index: p.Index()}
	if !o.m.HasV1() || s.isSuspect(sp.index) {
		return sp
	}
	return hashingPiece{sp}
}

func (s *pieceStore) isSuspect(piece int) bool {
	if s.suspects.Load() == 0 {
		return false // this is asked for every block
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.suspect[piece]
}

// noPiece is a piece of a torrent whose storage is not open yet.
type noPiece struct{}

var errNotOpen = errors.New("the storage is not open yet")

func (noPiece) ReadAt([]byte, int64) (int, error)  { return 0, errNotOpen }
func (noPiece) WriteAt([]byte, int64) (int, error) { return 0, errNotOpen }
func (noPiece) MarkComplete() error                { return errNotOpen }
func (noPiece) MarkNotComplete() error             { return nil }
func (noPiece) Completion() storage.Completion     { return storage.Completion{Ok: true} }

// storedPiece is one piece, as the library wants to see it.
type storedPiece struct {
	s     *pieceStore
	o     *openStore
	index int
}

func (p storedPiece) base() int64 { return int64(p.index) * p.o.m.PieceLength }

// A peerReader is a storage that takes its time when it is read for peers.
type peerReader interface {
	readForPeer(b []byte, off int64) (int, error)
}

// ReadAt reads for peers.
func (p storedPiece) ReadAt(b []byte, off int64) (int, error) {
	read := p.o.st.ReadAt
	if st, ok := p.o.st.(peerReader); ok {
		read = st.readForPeer
	}
	n, err := read(b, p.base()+off)
	if err != nil && n < len(b) && errors.Is(err, io.EOF) {
		// To the library io.EOF means that the piece is lost, which a read error alone does not prove.
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// WriteAt stores a block.
func (p storedPiece) WriteAt(b []byte, off int64) (int, error) {
	n, err := p.o.st.WriteAt(b, p.base()+off)
	if err != nil {
		p.s.failed(err)
	}
	return n, err
}

// WriteTo gives to w what the hash of the piece covers.
func (p storedPiece) WriteTo(w io.Writer) (done int64, err error) {
	buf := p.s.buffers.Get().(*[]byte)
	defer p.s.buffers.Put(buf)
	for size := p.o.m.PieceSize(p.index); done < size; {
		b := (*buf)[:min(verifyChunk, size-done)]
		if _, err := p.o.st.ReadAt(b, p.base()+done); err != nil {
			p.s.failed(err) // to the library the piece is bad, and is fetched again for ever
			return done, err
		}
		n, err := w.Write(b)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// MarkComplete records that the hash is right.
func (p storedPiece) MarkComplete() error {
	if err := p.o.st.MarkComplete(p.index); err != nil {
		p.s.failed(err)
		return err
	}
	p.s.completed(p.index)
	return nil
}

// MarkNotComplete records that the hash is wrong.
func (p storedPiece) MarkNotComplete() error {
	p.s.mu.Lock()
	p.s.suspect[p.index] = true
	p.s.suspects.Store(int32(len(p.s.suspect)))
	p.s.mu.Unlock()
	return p.o.st.MarkIncomplete(p.index)
}

// Completion tells the library what it need not hash: everything, as the Storage knows its state when it is opened.
func (p storedPiece) Completion() storage.Completion {
	return storage.Completion{Ok: true, Complete: p.o.st.Complete(p.index)}
}

// hashingPiece is a storedPiece that does its own hashing.
type hashingPiece struct{ storedPiece }

var sha1Hashers = sync.Pool{New: func() any { return sha1.New() }}

// SelfHash is the v1 hash of the piece.
func (p hashingPiece) SelfHash() (sum lib.Hash, err error) {
	h := sha1Hashers.Get().(hash.Hash)
	defer sha1Hashers.Put(h)
	h.Reset()
	if _, err := p.WriteTo(h); err != nil {
		return lib.Hash{}, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
