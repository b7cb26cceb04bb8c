package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
)

// cipherStorage is the ciphertext of a large file: pieces in its own file, and others that files of other torrents have.
// What leaves it is verified.
type cipherStorage struct {
	s     *store
	t     *blob.Torrent
	d     *db.Data
	f     disk.File
	whole bool
	cache *pieceCache

	mu       sync.Mutex // guards what follows
	have     []bool
	borrowed map[int]db.Piece
	others   map[int64]disk.File // files that pieces are borrowed from
	fresh    []int               // verified pieces in the own file that no row knows
	bytes    int64               // of fresh
}

// flushBytes is how much of a torrent comes before it is made durable.
const flushBytes = 64 << 20

func newCipherStorage(s *store, t *blob.Torrent, d *db.Data, f disk.File) *cipherStorage {
	return &cipherStorage{s: s, t: t, d: d, f: f, cache: s.e.node.pieces, have: make([]bool, t.Pieces()),
		borrowed: map[int]db.Piece{}, others: map[int64]disk.File{}}
}

// locate finds the pieces that are known to be here: in the own file, or in others of this node.
func (c *cipherStorage) locate() error {
	return c.s.e.node.db.View(c.s.e.ctx, func(t *db.Tx) error {
		for i := range c.have {
			places, err := t.Pieces(c.t.Sum(i), maxPlaces)
			if err != nil {
				return err
			}
			for _, p := range places {
				if p == (db.Piece{Data: c.d.N, I: i}) {
					c.have[i] = true
					delete(c.borrowed, i)
					break
				}
				d, err := t.DataN(p.Data)
				if err != nil {
					return err
				}
				if d != nil && d.State != db.DataPlain {
					c.have[i], c.borrowed[i] = true, p
				}
			}
		}
		return nil
	})
}

// survey finds the pieces that are here, also those in the own file that no row knows, and says how many bytes are missing.
func (c *cipherStorage) survey() (missing int64, err error) {
	if err := c.locate(); err != nil {
		return 0, err
	}
	for i := range c.have {
		if _, ok := c.borrowed[i]; ok { // whoever borrows does not trust
			if _, err := c.piece(i); err != nil && !errors.Is(err, bt.ErrPieceGone) {
				return 0, err
			}
		}
	}
	buf := make([]byte, c.t.PieceLength)
	end := int64(0) // nothing is in the file before this, after what was looked at
	for i := range c.have {
		if c.s.e.ctx.Err() != nil {
			return 0, context.Cause(c.s.e.ctx)
		}
		n, off := c.t.PieceLen(i), int64(i)*c.t.PieceLength
		if c.have[i] {
			continue
		}
		if s, ok := c.f.(sparse); ok && off >= end {
			if end, err = s.NextData(off); err != nil {
				end = off
			}
		}
		if off+n > end {
			if k, err := c.f.ReadAt(buf[:n], off); err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			} else if int64(k) == n && c.t.CheckPiece(i, buf[:n]) {
				c.have[i] = true
				c.fresh, c.bytes = append(c.fresh, i), c.bytes+n
				continue
			}
		}
		missing += n
	}
	return missing, c.flush()
}

func (c *cipherStorage) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= c.t.Length {
			return n, io.EOF
		}
		i := int(off / c.t.PieceLength)
		part := p[n:min(int64(len(p)), int64(n)+int64(i+1)*c.t.PieceLength-off)]
		if !c.Complete(i) { // the library looks at what has just come
			k, err := c.f.ReadAt(part, off)
			if n += k; err != nil {
				return n, err
			}
			off += int64(k)
			continue
		}
		piece, err := c.cache.get(pieceName{c.t.Info, i}, func() ([]byte, error) { return c.piece(i) })
		if err != nil {
			return n, err
		}
		k := copy(part, piece[off%c.t.PieceLength:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

// piece reads and verifies a piece. One that is damaged is forgotten, and fetched again.
func (c *cipherStorage) piece(i int) ([]byte, error) {
	b, err := c.readPiece(i, c.place(i))
	if err != nil {
		if lostFor(err) || errors.Is(err, io.EOF) {
			c.lost(i, err)
			return nil, fmt.Errorf("%w: %w", bt.ErrPieceGone, err)
		}
		return nil, err
	}
	return b, nil
}

// place is where a borrowed piece is; nil = in the own file.
func (c *cipherStorage) place(i int) *db.Piece {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.borrowed[i]; ok {
		return &at
	}
	return nil
}

// readPiece reads and verifies a piece from where it is; nil = the own file.
func (c *cipherStorage) readPiece(i int, at *db.Piece) ([]byte, error) {
	f, off := c.f, int64(i)*c.t.PieceLength
	if at != nil {
		other, length, err := c.other(at.Data)
		if err != nil {
			return nil, err
		}
		f, off = other, int64(at.I)*length
	}
	b := make([]byte, c.t.PieceLen(i))
	if _, err := f.ReadAt(b, off); err != nil {
		return nil, err
	}
	if !c.t.CheckPiece(i, b) {
		return nil, errDamaged
	}
	return b, nil
}

// other is the file of another torrent, and the length of its pieces.
func (c *cipherStorage) other(data int64) (disk.File, int64, error) {
	var d *db.Data
	if err := c.s.e.node.db.View(c.s.e.ctx, func(t *db.Tx) (err error) { d, err = t.DataN(data); return err }); err != nil {
		return nil, 0, err
	}
	if d == nil {
		return nil, 0, fs.ErrNotExist
	}
	e := c.s.e.node.byNumber(d.Share)
	if e == nil || e.store == nil {
		return nil, 0, fs.ErrNotExist
	}
	t, err := e.store.torrent(d.Info)
	if err != nil {
		return nil, 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.others[data]; f != nil {
		return f, t.PieceLength, nil
	}
	fsys, err := e.store.folder()
	if err != nil {
		return nil, 0, err
	}
	f, err := fsys.Open(e.store.dataPath(d.Hash))
	if err != nil {
		return nil, 0, err
	}
	c.others[data] = f
	return f, t.PieceLength, nil
}

// lost notes that a piece is not what it was.
func (c *cipherStorage) lost(i int, why error) {
	c.mu.Lock()
	at, ok := c.borrowed[i]
	if !ok {
		at = db.Piece{Data: c.d.N, I: i}
	}
	delete(c.borrowed, i)
	c.have[i] = false
	c.mu.Unlock()
	c.s.lostPiece(at, c.t.Sum(i), c.t.PieceLen(i), why)
}

func (c *cipherStorage) WriteAt(p []byte, off int64) (int, error) { return c.f.WriteAt(p, off) }

func (c *cipherStorage) Complete(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.whole || c.have[i]
}

// MarkComplete notes a verified piece; every so often those are made durable, and then known.
func (c *cipherStorage) MarkComplete(i int) error {
	c.mu.Lock()
	if c.whole || c.have[i] {
		c.mu.Unlock()
		return nil
	}
	c.have[i] = true
	c.fresh, c.bytes = append(c.fresh, i), c.bytes+c.t.PieceLen(i)
	due := c.bytes >= flushBytes
	c.mu.Unlock()
	if due {
		return c.flush()
	}
	return nil
}

func (c *cipherStorage) MarkIncomplete(i int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.whole {
		c.have[i] = false
	}
	return nil
}

// flush makes the pieces that came durable, and then known.
func (c *cipherStorage) flush() error {
	c.mu.Lock()
	fresh, bytes := c.fresh, c.bytes
	c.fresh, c.bytes = nil, 0
	c.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	if err := c.f.Sync(); err != nil {
		return err
	}
	err := c.s.e.node.db.Update(c.s.e.ctx, func(t *db.Tx) error {
		for _, i := range fresh {
			if err := t.PutPiece(c.t.Sum(i), c.d.N, i); err != nil {
				return err
			}
		}
		return t.GrowData(c.d.N, bytes)
	})
	if err == nil {
		c.s.spend(bytes)
	}
	return err
}

func (c *cipherStorage) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for data, f := range c.others {
		f.Close()
		delete(c.others, data)
	}
	return nil
}
