package node

import (
	"context"
	"io"
	"slices"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// noteLarge records what an info belongs to, unless that is known.
func (e *engine) noteLarge(l *blob.Large, recipe blob.ID) error {
	known := false
	err := e.node.db.View(e.ctx, func(t *db.Tx) error {
		old, ok, err := t.Large(e.n, l.Info)
		if err != nil || !ok || old != recipe {
			return err
		}
		d, err := t.Data(e.n, l.Info)
		known = d != nil
		return err
	})
	if known || err != nil {
		return err
	}
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := e.chunksOf(t, &l.Torrent); err != nil {
			return err
		}
		return t.PutLarge(e.n, l.Info, recipe, l.Size)
	})
}

// reuseChunks copies chunks that any large file of this node has, on disk or in the archive, or that a store of it keeps
// (docs/shares.md §2.2): copies, renames with changes, old versions and other shares are free. What is copied is verified
// against its SHA-1 first.
func (e *engine) reuseChunks(l *blob.Large, to disk.File, have []bool) error {
	sources := map[int64]*chunkSource{}
	defer func() {
		for _, s := range sources {
			s.end()
		}
	}()
	places, err := e.chunkPlaces(l, have)
	if err != nil {
		return err
	}
	for i := range have {
		if err := context.Cause(e.ctx); err != nil {
			return err
		}
		for _, p := range places[i] {
			s := sources[p.Data]
			if s == nil {
				s = e.node.chunkSource(p.Data)
				sources[p.Data] = s
			}
			piece, ok := s.read(l, i, p.I)
			if !ok {
				continue
			}
			off := int64(i) * l.PieceLength
			l.Crypt(off, piece, piece)
			if _, err := to.WriteAt(piece[:min(int64(len(piece)), l.Size-off)], off); err != nil {
				return err
			}
			have[i] = true
			break
		}
	}
	return nil
}

// chunkPlaces is where the chunks of a file may be, beside the file itself.
func (e *engine) chunkPlaces(l *blob.Large, have []bool) (places map[int][]db.Piece, err error) {
	places = map[int][]db.Piece{}
	err = e.node.db.View(e.ctx, func(t *db.Tx) error {
		own, err := t.Data(e.n, l.Info)
		if err != nil {
			return err
		}
		for i := range have {
			if have[i] || l.Padding(i) {
				continue
			}
			all, err := t.Pieces(l.Sum(i), maxPlaces)
			if err != nil {
				return err
			}
			if all = slices.DeleteFunc(all, func(p db.Piece) bool { return own != nil && p.Data == own.N }); len(all) > 0 {
				places[i] = all
			}
		}
		return nil
	})
	return places, err
}

// chunkSource is a torrent of this node that chunks are copied from. It gives nothing when it is not whole any more.
type chunkSource struct {
	st   io.ReaderAt
	size int64 // of its pieces, bytes
	stop func()
}

func (n *Node) chunkSource(data int64) *chunkSource {
	var d *db.Data
	if err := n.db.View(n.ctx, func(t *db.Tx) (err error) { d, err = t.DataN(data); return err }); err != nil || d == nil {
		return &chunkSource{}
	}
	e := n.byNumber(d.Share)
	if e == nil {
		return &chunkSource{}
	}
	if e.store != nil {
		st, _, end, err := e.store.source(d.Info)
		if err != nil {
			return &chunkSource{}
		}
		return &chunkSource{st, st.(*cipherStorage).t.PieceLength, end}
	}
	l, f, end, err := e.openPlain(d.Info)
	if err != nil {
		return &chunkSource{}
	}
	// No cache: each piece is read once. A file that has changed is found by the next scan.
	return &chunkSource{&plainPieces{l, f}, l.PieceLength, end}
}

func (s *chunkSource) end() {
	if s.stop != nil {
		s.stop()
	}
}

// read is the ciphertext of piece i of l, which is at piece j of the source.
func (s *chunkSource) read(l *blob.Large, i, j int) ([]byte, bool) {
	if s.st == nil {
		return nil, false
	}
	b := make([]byte, l.PieceLen(i))
	n, err := s.st.ReadAt(b, int64(j)*s.size)
	return b, n == len(b) && (err == nil || n == len(b)) && l.CheckPiece(i, b)
}

// plainPieces reads ciphertext out of a plain file, piece by piece; whoever reads verifies.
type plainPieces struct {
	l *blob.Large
	f disk.File
}

func (p *plainPieces) ReadAt(b []byte, off int64) (int, error) {
	piece, err := p.l.Piece(int(off/p.l.PieceLength), p.f, nil)
	if err != nil {
		return 0, err
	}
	return copy(b, piece), nil
}

// openPlain opens the file, on disk or in the archive, that an info describes.
func (e *engine) openPlain(info blob.ID) (l *blob.Large, f disk.File, end func(), err error) {
	recipe, rows, archived, err := e.largeRows(info)
	if err != nil {
		return nil, nil, nil, err
	}
	fsys := e.fsNow()
	if fsys == nil {
		return nil, nil, nil, errNoFolder
	}
	for _, c := range append(rows, archived...) {
		if !c.Present || c.Local || len(c.Caps) == 0 || c.Caps[0].ID != recipe {
			continue
		}
		if l, err = e.knownRecipe(&c); err != nil {
			continue
		}
		if f, err = fsys.Open(c.Path); err == nil {
			return l, f, func() { f.Close() }, nil
		}
	}
	return nil, nil, nil, index.ErrMissing
}

// knownRecipe is how a file is put together, if its recipe and info are here.
func (e *engine) knownRecipe(c *index.Base) (*blob.Large, error) {
	recipe, err := e.blobs.Get(c.Caps[0].ID)
	if err != nil {
		return nil, err
	}
	h, err := blob.Parse(recipe)
	if err != nil || len(h.Refs) != 1 {
		return nil, blob.ErrInvalid
	}
	info, err := e.blobs.Get(h.Refs[0])
	if err != nil {
		return nil, err
	}
	return blob.OpenRecipe(c.Caps[0], c.Size, c.Hash, recipe, info)
}
