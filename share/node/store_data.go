package node

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/wire"
)

// A sparse is a file of which parts can be given back, and found: where the system can.
type sparse interface {
	Punch(off, size int64) error
	NextData(off int64) (int64, error)
}

// sumKey is how a set of pieces knows a SHA-1.
func sumKey(sum []byte) uint64 { return binary.BigEndian.Uint64(sum) }

// maxPlaces is in how many places a piece is looked for.
const maxPlaces = 16

// getLarge fetches what is missing of the data of a torrent.
func (s *store) getLarge(info blob.ID) error {
	t, err := s.torrent(info)
	if err != nil {
		return err
	}
	d := db.Data{Share: s.e.n, Info: info, Hash: t.InfoHash}
	if err := s.e.node.db.Update(s.e.ctx, func(tx *db.Tx) error { return tx.AddData(&d) }); err != nil {
		return err
	}
	if d.State == db.DataWhole {
		return nil
	}
	f, err := s.openData(t)
	if err != nil {
		return err
	}
	defer f.Close()
	st := newCipherStorage(s, t, &d, f)
	defer st.Close()
	missing, err := st.survey()
	if err != nil {
		return err
	}
	if missing > 0 {
		if err := s.room(missing); err != nil {
			return err
		}
		fetch := func() error { return s.e.download(s.e.ctx, &blob.Large{Torrent: *t}, st, true) }
		for err = errUnserved; errors.Is(err, errUnserved); {
			if err = s.e.node.transfers.use(s.e.ctx, fetch); errors.Is(err, errUnserved) {
				s.noteUnserved(info)
			}
		}
		if err != nil {
			return errors.Join(err, st.flush())
		}
	}
	if err := st.flush(); err != nil {
		return err
	}
	return s.e.node.db.Update(s.e.ctx, func(tx *db.Tx) error {
		now, err := tx.DataN(d.N)
		if err != nil || now == nil {
			return errors.Join(err, errNotWhole)
		}
		now.State = db.DataWhole
		if err := tx.SetProblem(s.e.n, s.dataPath(t.InfoHash), "store", "", s.e.node.now()); err != nil {
			return err
		}
		return tx.SetData(now)
	})
}

// noteUnserved notes that nobody who is here sends anything of a torrent.
func (s *store) noteUnserved(info blob.ID) {
	s.mu.Lock()
	if w := s.large[info]; w != nil {
		w.unserved = true
	}
	s.mu.Unlock()
	s.e.poke()
}

// openData opens the sparse file of a torrent.
func (s *store) openData(t *blob.Torrent) (disk.File, error) {
	fsys, err := s.folder()
	if err != nil {
		return nil, err
	}
	p := s.dataPath(t.InfoHash)
	f, err := fsys.Write(p)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(fsys, "data"); err != nil {
			return nil, err
		}
		if f, err = fsys.Create(p); err == nil {
			err = fsys.SyncDir("data")
		}
	}
	if err == nil {
		err = f.Truncate(t.Length)
	}
	if err != nil && f != nil {
		f.Close()
	}
	return f, err
}

func (s *store) torrent(info blob.ID) (*blob.Torrent, error) {
	b, err := s.e.blobs.Get(info)
	if err != nil {
		return nil, err
	}
	return blob.CheckInfo(info, b)
}

// source serves a torrent, or what is here of one that is not being fetched: several stores may have all of it together.
func (s *store) source(info blob.ID) (bt.Storage, []byte, func(), error) {
	st, err := s.openWhole(info)
	if errors.Is(err, errNotWhole) {
		st, err = s.openPart(info)
	}
	if errors.Is(err, index.ErrMissing) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotWhole) || errors.Is(err, disk.ErrAbsent) {
		err = wire.ErrNotHere
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return st, st.t.Dict, func() {
		st.Close()
		st.f.Close()
		st.cache.forget(info)
	}, nil
}

// known is a torrent, and what the database says of its data; errNotWhole when nothing of that is here.
func (s *store) known(info blob.ID) (t *blob.Torrent, d *db.Data, err error) {
	if t, err = s.torrent(info); err != nil {
		return nil, nil, err
	}
	err = s.e.node.db.View(s.e.ctx, func(tx *db.Tx) (err error) { d, err = tx.Data(s.e.n, info); return err })
	if err == nil && d == nil {
		err = errNotWhole
	}
	return t, d, err
}

// openWhole opens the data of a torrent that is here, every piece of it.
func (s *store) openWhole(info blob.ID) (*cipherStorage, error) {
	t, d, err := s.known(info)
	if err != nil {
		return nil, err
	}
	if d.State != db.DataWhole {
		return nil, errNotWhole
	}
	fsys, err := s.folder()
	if err != nil {
		return nil, err
	}
	f, err := fsys.Open(s.dataPath(t.InfoHash))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && disk.CheckMark(fsys, s.e.idText()) == nil {
			s.lostData(t, err)
		}
		return nil, err
	}
	st := newCipherStorage(s, t, d, f)
	if d.Bytes < t.Length {
		if err = st.locate(); err == nil && slices.Contains(st.have, false) {
			err = errNotWhole
			s.startLarge(info)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	st.whole = true
	return st, nil
}

// openPart opens the data of a torrent of which some pieces are here.
func (s *store) openPart(info blob.ID) (*cipherStorage, error) {
	t, d, err := s.known(info)
	if err != nil {
		return nil, err
	}
	fsys, err := s.folder()
	if err != nil {
		return nil, err
	}
	f, err := fsys.Open(s.dataPath(t.InfoHash))
	if err != nil {
		return nil, err
	}
	st := newCipherStorage(s, t, d, f)
	if err = st.locate(); err == nil && !slices.Contains(st.have, true) {
		err = errNotWhole
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return st, nil
}

// lostPiece forgets that a piece is in the file of a torrent: it is damaged. All torrents that have the piece fetch it
// again.
func (s *store) lostPiece(at db.Piece, sum []byte, size int64, why error) {
	e := s.e
	var again []db.Data
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		here, err := t.HasPiece(sum, at.Data, at.I)
		if err != nil {
			return err
		}
		if here {
			if err := errors.Join(t.DropPiece(sum, at.Data, at.I), t.GrowData(at.Data, -size)); err != nil {
				return err
			}
		}
		again, err = e.node.havingPiece(t, sum)
		if err != nil {
			return err
		}
		for i := range again {
			again[i].State = db.DataPart
			if err := t.SetData(&again[i]); err != nil {
				return err
			}
			if err := t.SetProblem(again[i].Share, s.dataPath(again[i].Hash), "store", "damaged: "+why.Error(), e.node.now()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e.log.Error("a damaged piece cannot be noted", "why", err)
		return
	}
	for i := range again {
		e.log.Error("a stored piece is damaged: it is fetched again", "info", again[i].Info, "why", why)
		if o := e.node.byNumber(again[i].Share); o != nil && o.store != nil {
			o.store.startLarge(again[i].Info)
		}
	}
}

// havingPiece are the whole torrents of all stores of the node that have a piece. It reads all their infos: pieces are
// damaged rarely.
func (n *Node) havingPiece(t *db.Tx, sum []byte) (all []db.Data, err error) {
	for _, e := range n.all() {
		if e.store == nil {
			continue
		}
		data, err := t.AllData(e.n)
		if err != nil {
			return nil, err
		}
		for i := range data {
			b, err := t.Peek(e.n, data[i].Info)
			if err != nil {
				return nil, err
			}
			set := map[uint64]bool{sumKey(sum): false}
			if shareSums(data[i].Info, b, set); set[sumKey(sum)] && data[i].State == db.DataWhole {
				all = append(all, data[i])
			}
		}
	}
	return all, nil
}

// byNumber is the share that the database calls so.
func (n *Node) byNumber(share int64) *engine {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.engines {
		if e.n == share {
			return e
		}
	}
	return nil
}

// lostData fetches a torrent again whose file is gone. Torrents that borrow pieces of it notice when they read them.
func (s *store) lostData(t *blob.Torrent, why error) {
	e := s.e
	err := e.node.db.Update(e.ctx, func(tx *db.Tx) error {
		d, err := tx.Data(e.n, t.Info)
		if err != nil || d == nil {
			return err
		}
		for i := range t.Pieces() {
			if err := tx.DropPiece(t.Sum(i), d.N, i); err != nil {
				return err
			}
		}
		d.State, d.Bytes = db.DataPart, 0
		if err := tx.SetProblem(e.n, s.dataPath(t.InfoHash), "store", why.Error(), e.node.now()); err != nil {
			return err
		}
		return tx.SetData(d)
	})
	if err != nil {
		e.log.Error("a lost file cannot be noted", "why", err)
		return
	}
	s.startLarge(t.Info)
}

// giveBack gives back the room of pieces that are no longer needed, or of the whole file.
func (s *store) giveBack(x *dead) error {
	fsys, err := s.folder()
	if err != nil {
		return nil // it is found when the folder is back
	}
	p := s.dataPath(x.Hash)
	s.e.node.pieces.forget(x.Info)
	if x.kept == 0 {
		if err := fsys.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	f, err := fsys.Write(p)
	if err != nil {
		return nil
	}
	defer f.Close()
	punch, ok := f.(sparse)
	if !ok {
		return nil
	}
	for from := 0; from < len(x.gone); {
		to := from + 1
		for to < len(x.gone) && x.gone[to] == x.gone[to-1]+1 {
			to++
		}
		off := int64(x.gone[from]) * x.torrent.PieceLength
		end := min(int64(x.gone[to-1]+1)*x.torrent.PieceLength, x.torrent.Length)
		if err := punch.Punch(off, end-off); err != nil {
			if errors.Is(err, errors.ErrUnsupported) {
				return nil
			}
			return err
		}
		from = to
	}
	return nil
}
