package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// store keeps ciphertext that it cannot read (docs/shares.md §2.3): small blobs as files named by their ids, large files
// as the data of their torrents.
type store struct {
	e   *engine
	dir string

	mu      sync.Mutex // guards what follows
	started map[blob.ID]bool
	wanted  map[blob.ID]bool // roots whose data has been asked for
}

func newStore(e *engine) *store {
	return &store{e: e, dir: e.row.Dir, started: map[blob.ID]bool{}, wanted: map[blob.ID]bool{}}
}

func (s *store) path(id blob.ID) string {
	return filepath.Join(s.dir, "blobs", hex.EncodeToString(id[1:2]), id.String())
}

func (s *store) dataPath(hash [20]byte) string {
	return filepath.Join(s.dir, "data", hex.EncodeToString(hash[:]))
}

// read is a kept blob.
func (s *store) read(id blob.ID) ([]byte, error) {
	if s == nil {
		return nil, wire.ErrNotHere
	}
	b, err := os.ReadFile(s.path(id))
	if err == nil {
		err = blob.Verify(id, b)
	}
	return b, err
}

// keep writes a blob whose bytes were verified.
func (s *store) keep(id blob.ID, b []byte) error {
	p := s.path(id)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(p+".tmp", b, 0o600); err != nil {
		return err
	}
	if err := os.Rename(p+".tmp", p); err != nil {
		return err
	}
	return s.e.node.db.Update(s.e.ctx, func(t *db.Tx) error { return t.PutBlob(s.e.n, id, nil, int64(len(b))) })
}

// want asks for the data of all complete heads that is not here. The control goroutine calls it.
func (s *store) want() {
	if s.e.net == nil {
		return
	}
	for _, h := range s.e.kept().all {
		s.mu.Lock()
		ask := h.Complete && !s.wanted[h.Root]
		if ask {
			s.wanted[h.Root] = true
		}
		s.mu.Unlock()
		if ask {
			if err := s.wantBelow(h.Root); err != nil && s.e.ctx.Err() == nil {
				s.e.log.Error("the data of a head cannot be asked for", "why", err)
			}
		}
	}
}

// asked reports whether the data of all complete heads has been asked for.
func (s *store) asked(l headList) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range l.all {
		if h.Complete && !s.wanted[h.Root] {
			return false
		}
	}
	return true
}

func (s *store) wantBelow(root blob.ID) error {
	for id, err := range index.Reach(index.RefsIn(s.e.blobs), []blob.ID{root}, nil) {
		if err != nil {
			return err
		}
		if id.Kind() == blob.Node {
			continue
		}
		here, err := s.e.blobs.has(id)
		if err != nil {
			return err
		}
		if !here {
			s.e.net.wantData(id)
		} else if id.Kind() == blob.Info {
			s.startLarge(id)
		}
	}
	return nil
}

// take takes in a blob that was asked for.
func (s *store) take(id blob.ID, b []byte) error {
	if id.Kind() == blob.Data {
		return s.keep(id, b)
	}
	err := s.e.node.db.Update(s.e.ctx, func(t *db.Tx) error { return t.PutBlob(s.e.n, id, b, int64(len(b))) })
	if err != nil {
		return err
	}
	if id.Kind() == blob.Info {
		s.startLarge(id)
		return nil
	}
	if h, err := blob.Parse(b); err == nil {
		for _, ref := range h.Refs {
			if here, err := s.e.blobs.has(ref); err == nil && !here {
				s.e.net.wantData(ref)
			} else if err == nil && ref.Kind() == blob.Info {
				s.startLarge(ref)
			}
		}
	}
	return nil
}

// startLarge fetches the torrent of a large file, unless it is here.
func (s *store) startLarge(info blob.ID) {
	s.mu.Lock()
	started := s.started[info]
	s.started[info] = true
	s.mu.Unlock()
	if started {
		return
	}
	s.e.wg.Go(func() {
		if err := s.getLarge(info); err != nil && s.e.ctx.Err() == nil {
			s.e.log.Warn("a large file cannot be stored", "info", info, "why", err)
		}
		s.mu.Lock()
		delete(s.started, info)
		s.mu.Unlock()
		s.e.poke()
	})
}

func (s *store) getLarge(info blob.ID) error {
	t, err := s.torrent(info)
	if err != nil {
		return err
	}
	whole := s.dataPath(t.InfoHash)
	if _, err := os.Stat(whole); err == nil {
		return nil
	}
	x := s.e.node.transfers
	select {
	case x.slots <- struct{}{}:
		defer func() { <-x.slots }()
	case <-s.e.ctx.Done():
		return s.e.ctx.Err()
	}
	if err := os.MkdirAll(filepath.Dir(whole), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(whole+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	st := &cipherStorage{t: t, f: f, have: make([]bool, t.Pieces())}
	if err := st.check(s.e); err != nil {
		return err
	}
	if err := s.e.download(&blob.Large{Torrent: *t}, st); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(whole+".part", whole)
}

func (s *store) torrent(info blob.ID) (*blob.Torrent, error) {
	b, err := s.e.blobs.Get(info)
	if err != nil {
		return nil, err
	}
	return blob.CheckInfo(info, b)
}

// source serves a torrent that is here whole.
func (s *store) source(info blob.ID) (bt.Storage, []byte, func(), error) {
	t, err := s.torrent(info)
	if errors.Is(err, index.ErrMissing) {
		err = wire.ErrNotHere
	}
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := os.Open(s.dataPath(t.InfoHash))
	if errors.Is(err, fs.ErrNotExist) {
		err = wire.ErrNotHere
	}
	if err != nil {
		return nil, nil, nil, err
	}
	st := &cipherStorage{t: t, f: f, whole: true, cache: s.e.node.pieces}
	return st, t.Dict, func() { f.Close() }, nil
}

// missing is how many bytes of what complete heads name are not here: 0 when all is.
func (s *store) missing() int64 {
	s.mu.Lock()
	n := int64(len(s.started))
	s.mu.Unlock()
	s.e.larder.mu.Lock()
	defer s.e.larder.mu.Unlock()
	if s.e.net != nil {
		n += int64(s.e.net.data.Status().Left)
	}
	return n
}

// cipherStorage is the ciphertext of a large file. What leaves it is verified.
type cipherStorage struct {
	t     *blob.Torrent
	f     *os.File
	whole bool
	cache *pieceCache

	mu   sync.Mutex // guards have
	have []bool
}

// check finds the pieces that are in the file already.
func (c *cipherStorage) check(e *engine) error {
	info, err := c.f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	buf := make([]byte, c.t.PieceLength)
	for i := range c.have {
		n, err := c.f.ReadAt(buf[:c.t.PieceLen(i)], int64(i)*c.t.PieceLength)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		c.have[i] = int64(n) == c.t.PieceLen(i) && c.t.CheckPiece(i, buf[:n])
		if e.ctx.Err() != nil {
			return e.ctx.Err()
		}
	}
	return nil
}

func (c *cipherStorage) ReadAt(p []byte, off int64) (n int, err error) {
	if !c.whole {
		return c.f.ReadAt(p, off)
	}
	for n < len(p) {
		if off >= c.t.Length {
			return n, io.EOF
		}
		i := int(off / c.t.PieceLength)
		piece, err := c.cache.get(pieceName{c.t.Info, i}, func() ([]byte, error) { return c.piece(i) })
		if err != nil {
			return n, err
		}
		k := copy(p[n:], piece[off%c.t.PieceLength:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

func (c *cipherStorage) piece(i int) ([]byte, error) {
	b := make([]byte, c.t.PieceLen(i))
	if _, err := c.f.ReadAt(b, int64(i)*c.t.PieceLength); err != nil {
		return nil, fmt.Errorf("%w: %w", bt.ErrPieceGone, err)
	}
	if !c.t.CheckPiece(i, b) {
		return nil, bt.ErrPieceGone
	}
	return b, nil
}

func (c *cipherStorage) WriteAt(p []byte, off int64) (int, error) { return c.f.WriteAt(p, off) }

func (c *cipherStorage) Complete(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole || c.have[i]
}

func (c *cipherStorage) MarkComplete(i int) error   { return c.mark(i, true) }
func (c *cipherStorage) MarkIncomplete(i int) error { return c.mark(i, false) }

func (c *cipherStorage) mark(i int, have bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.whole {
		c.have[i] = have
	}
	return nil
}

func (c *cipherStorage) Close() error { return nil }

// whole reports whether the data of a torrent is here, every piece of it.
func (s *store) whole(ctx context.Context, t *blob.Torrent) (bool, error) {
	f, err := os.Open(s.dataPath(t.InfoHash))
	if err != nil {
		return false, err
	}
	defer f.Close()
	c := &cipherStorage{t: t, f: f, whole: true}
	for i := range t.Pieces() {
		if _, err := c.piece(i); err != nil {
			return false, nil
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}
	return true, nil
}

// again fetches what is not right of a torrent's data.
func (s *store) again(t *blob.Torrent) error {
	p := s.dataPath(t.InfoHash)
	if err := os.Rename(p, p+".part"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.startLarge(t.Info)
	return nil
}
