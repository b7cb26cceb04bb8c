package node

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strconv"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
)

// How stored ciphertext is read again, so that what a disk forgets is noticed while others still have it.
const (
	verifyEvery  = 30 * day // a whole pass
	verifyBudget = 64 << 20 // bytes in one look of the minder, which takes some seconds
)

// position is how far a pass has come: blobs by their ids, then torrents by their numbers, then nothing until it is due.
type position struct {
	blob  blob.ID
	data  int64
	piece int64
	ended int64 // unix seconds by the clock of ages; 0 = it is under way
}

func (p *position) encode() []byte {
	b := append([]byte(nil), p.blob[:]...)
	for _, n := range []int64{p.data, p.piece, p.ended} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

func decodePosition(b []byte) (p position) {
	if len(b) != len(p.blob)+24 {
		return position{}
	}
	p.blob = blob.ID(b[:32])
	for i, n := range []*int64{&p.data, &p.piece, &p.ended} {
		*n = int64(binary.BigEndian.Uint64(b[32+8*i:]))
	}
	return p
}

func (s *store) verifyKey() string { return "verify/" + strconv.FormatInt(s.e.n, 10) }

// verify reads some of what is stored, and goes on from there the next time. What is damaged is dropped and fetched again.
func (s *store) verify(ctx context.Context, budget int64) error {
	if _, err := s.folder(); err != nil {
		return nil
	}
	n := s.e.node
	var p position
	err := n.db.View(ctx, func(t *db.Tx) error {
		b, err := t.Value(s.verifyKey())
		p = decodePosition(b)
		return err
	})
	if err != nil {
		return err
	}
	if p.ended != 0 {
		if n.ages.now().Unix()-p.ended < int64(verifyEvery.Seconds()) {
			return nil
		}
		p = position{}
	}
	if err := s.verifyBlobs(ctx, &p, &budget); err != nil {
		return err
	}
	if budget > 0 {
		done, err := s.verifyData(ctx, &p, &budget)
		if err != nil {
			return err
		}
		if done {
			p = position{ended: n.ages.now().Unix()}
		}
	}
	return n.db.Update(ctx, func(t *db.Tx) error { return t.SetValue(s.verifyKey(), p.encode()) })
}

// lastBlob is behind all ids.
var lastBlob = blob.ID{0xff, 0xff}

func (s *store) verifyBlobs(ctx context.Context, p *position, budget *int64) error {
	for *budget > 0 && p.blob != lastBlob {
		var ids []blob.ID
		var inFile []bool
		err := s.e.node.db.View(ctx, func(t *db.Tx) (err error) { ids, inFile, err = t.BlobIDs(s.e.n, p.blob, 64); return err })
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			p.blob = lastBlob
		}
		for i, id := range ids {
			if inFile[i] {
				b, _ := s.read(id)
				*budget -= int64(len(b)) + 4096
			}
			p.blob = id
			if *budget <= 0 {
				break
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (s *store) verifyData(ctx context.Context, p *position, budget *int64) (done bool, err error) {
	var all []db.Data
	if err := s.e.node.db.View(ctx, func(t *db.Tx) (err error) { all, err = t.AllData(s.e.n); return err }); err != nil {
		return false, err
	}
	for i := range all {
		if all[i].N < p.data {
			continue
		}
		if all[i].N > p.data {
			p.data, p.piece = all[i].N, 0
		}
		if s.fetching(all[i].Info) {
			continue
		}
		if err := s.verifyTorrent(ctx, &all[i], p, budget); err != nil {
			return false, err
		}
		if *budget <= 0 {
			return false, nil
		}
		p.data, p.piece = all[i].N+1, 0
	}
	return true, nil
}

// verifyTorrent reads the pieces that are in the file of a torrent.
func (s *store) verifyTorrent(ctx context.Context, d *db.Data, p *position, budget *int64) error {
	t, err := s.torrent(d.Info)
	if err != nil {
		return nil
	}
	fsys, err := s.folder()
	if err != nil {
		return nil
	}
	f, err := fsys.Open(s.dataPath(d.Hash))
	if errors.Is(err, fs.ErrNotExist) && d.Bytes > 0 {
		s.lostData(t, err)
	}
	if err != nil {
		return nil
	}
	defer f.Close()
	st := newCipherStorage(s, t, d, f)
	for ; p.piece < int64(t.Pieces()) && *budget > 0; p.piece++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		i := int(p.piece)
		here := false
		err := s.e.node.db.View(ctx, func(tx *db.Tx) (err error) { here, err = tx.HasPiece(t.Sum(i), d.N, i); return err })
		if err != nil {
			return err
		}
		if here {
			*budget -= t.PieceLen(i)
			if _, err := st.readPiece(i, nil); err != nil && (lostFor(err) || errors.Is(err, io.EOF)) {
				st.lost(i, err)
			}
		}
	}
	return nil
}

// whole reports whether the data of a torrent is here, every piece of it, by reading it.
func (s *store) whole(ctx context.Context, t *blob.Torrent) (bool, error) {
	st, err := s.openWhole(t.Info)
	if errors.Is(err, errNotWhole) || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer st.f.Close()
	defer st.Close()
	for i := range t.Pieces() {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if _, err := st.readPiece(i, st.place(i)); err != nil {
			if lostFor(err) || errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, err
		}
	}
	return true, nil
}

// again drops what is damaged of the data of a torrent, and fetches it.
func (s *store) again(t *blob.Torrent) error {
	st, err := s.openWhole(t.Info)
	if err == nil {
		defer st.f.Close()
		defer st.Close()
		for i := range t.Pieces() {
			if _, err := st.piece(i); err != nil && !errors.Is(err, bt.ErrPieceGone) {
				return err
			}
			if s.e.ctx.Err() != nil {
				return context.Cause(s.e.ctx)
			}
		}
	}
	s.startLarge(t.Info)
	return nil
}

// holds reports whether the file of a blob is there; holdsData whether the data of a torrent is. Neither reads them.
func (s *store) holds(id blob.ID) bool {
	fsys, err := s.folder()
	if err != nil {
		return false
	}
	_, err = fsys.Lstat(s.path(id))
	return err == nil
}

func (s *store) holdsData(info blob.ID) bool {
	st, err := s.openWhole(info)
	if err != nil {
		return false
	}
	defer st.f.Close()
	return st.Close() == nil
}

// sweepStrangers removes files of torrents that nobody knows.
func (s *store) sweepStrangers(ctx context.Context) error {
	fsys, err := s.folder()
	if err != nil {
		return nil
	}
	names, err := fsys.ReadDir("data") // before the rows: each file has its row before it is there
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	known := map[string]bool{}
	err = s.e.node.db.View(ctx, func(t *db.Tx) error {
		all, err := t.AllData(s.e.n)
		for i := range all {
			known[s.dataPath(all[i].Hash)] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if !known["data/"+name] {
			if err := fsys.Remove("data/" + name); err != nil {
				return err
			}
		}
	}
	return nil
}
