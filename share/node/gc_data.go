package node

import (
	"context"

	"shoal/share/blob"
	"shoal/share/db"
)

// deadPieces is how many pieces of torrents that are no longer in use are decided on at once.
const deadPieces = 1 << 20

// A dead torrent is one in the files of a store that no kept head names. Others may share pieces with it: their ranges
// stay, and it is a donor then; the rest of its file is given back (docs/shares.md §6.4).
type dead struct {
	db.Data
	e       *engine
	torrent *blob.Torrent
	gone    []int // pieces
	kept    int   // pieces that others need
}

// sweepData gives back the ciphertext of large files that is not in use, in the files of all stores of the node.
func (c *collection) sweepData(ctx context.Context) error {
	var batch []*dead
	pieces := 0
	flush := func() error {
		defer func() { batch, pieces = nil, 0 }()
		return c.sweepTorrents(ctx, batch)
	}
	for _, e := range c.engines {
		if e.store == nil {
			continue
		}
		var all []db.Data
		err := c.n.db.View(ctx, func(t *db.Tx) (err error) { all, err = t.AllData(e.n); return err })
		if err != nil {
			return err
		}
		for _, d := range all {
			if c.inUse(d.Info) || e.store.fetching(d.Info) {
				continue
			}
			x := &dead{Data: d, e: e}
			if err := c.n.db.View(ctx, func(t *db.Tx) error {
				b, err := t.Peek(e.n, d.Info)
				if err == nil {
					x.torrent, _ = blob.CheckInfo(d.Info, b) // nil: its info is lost, and with it the file
				}
				return err
			}); err != nil {
				return err
			}
			batch = append(batch, x)
			if x.torrent != nil {
				pieces += x.torrent.Pieces()
			}
			if pieces >= deadPieces {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := e.store.sweepStrangers(ctx); err != nil {
			return err
		}
	}
	return flush()
}

func (c *collection) sweepTorrents(ctx context.Context, batch []*dead) error {
	if len(batch) == 0 {
		return nil
	}
	shared := map[uint64]bool{} // sums of the pieces in question: true = a torrent in use has it, too
	isDead := map[int64]bool{}
	for _, x := range batch {
		isDead[x.N] = true
		if x.torrent != nil {
			for i := range x.torrent.Pieces() {
				shared[sumKey(x.torrent.Sum(i))] = false
			}
		}
	}
	if err := c.findShared(ctx, shared); err != nil {
		return err
	}
	for _, x := range batch {
		done := false
		busy, err := c.alone(ctx, func(t *db.Tx) (err error) {
			if c.inUse(x.Info) || x.e.store.fetching(x.Info) {
				return nil
			}
			if promised, err := c.torrentPromised(t, x); promised || err != nil {
				return err
			}
			if err := c.shareNew(t, shared); err != nil {
				return err
			}
			done = true
			return c.bury(t, x, shared, isDead)
		})
		if busy || err != nil {
			return err
		}
		if done {
			delete(isDead, x.N) // what it keeps now is needed
			if err := x.e.store.giveBack(x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *collection) torrentPromised(t *db.Tx, x *dead) (bool, error) {
	until, err := t.Promised(x.e.n, unit(x.Info), c.n.now())
	if err != nil || !until.IsZero() {
		return true, err
	}
	return c.stripesPromised(t, x.e, x.Info)
}

// findShared marks the sums that torrents in use have, of all stores of the node.
func (c *collection) findShared(ctx context.Context, shared map[uint64]bool) error {
	for _, e := range c.engines {
		if e.store == nil {
			continue
		}
		for after := (blob.ID{}); ; {
			var page []db.KeptBlob
			err := c.n.db.View(ctx, func(t *db.Tx) (err error) { page, err = t.BlobPage(e.n, blob.Info, after, 16); return err })
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			for i := range page {
				if c.inUse(page[i].ID) {
					shareSums(page[i].ID, page[i].Bytes, shared)
				}
			}
			after = page[len(page)-1].ID
		}
	}
	return nil
}

func shareSums(info blob.ID, b []byte, shared map[uint64]bool) {
	t, err := blob.CheckInfo(info, b)
	if err != nil {
		return
	}
	for i := range t.Pieces() {
		if k := sumKey(t.Sum(i)); len(shared) > 0 {
			if _, ok := shared[k]; ok {
				shared[k] = true
			}
		}
	}
}

// shareNew does the same with what came into use since the mark.
func (c *collection) shareNew(t *db.Tx, shared map[uint64]bool) error {
	for _, e := range c.engines {
		if e.store == nil {
			continue
		}
		all, err := t.AllData(e.n)
		if err != nil {
			return err
		}
		for i := range all {
			id := all[i].Info
			if _, late := c.late[keyOf(id)]; !late && !e.store.fetching(id) {
				continue
			}
			b, err := t.Peek(e.n, id)
			if err != nil {
				return err
			}
			shareSums(id, b, shared)
		}
	}
	return nil
}

// bury forgets the pieces of a torrent that nobody else needs.
func (c *collection) bury(t *db.Tx, x *dead, shared map[uint64]bool, isDead map[int64]bool) error {
	if x.torrent != nil {
		for i := range x.torrent.Pieces() {
			if err := c.buryPiece(t, x, i, shared, isDead); err != nil {
				return err
			}
		}
	}
	if x.kept > 0 {
		x.State = db.DataDonor
		return t.SetData(&x.Data)
	}
	if err := t.DropData(x.N); err != nil {
		return err
	}
	if err := t.DropBlob(x.e.n, x.Info); err != nil {
		return err
	}
	c.swept++
	return nil
}

func (c *collection) buryPiece(t *db.Tx, x *dead, i int, shared map[uint64]bool, isDead map[int64]bool) error {
	sum := x.torrent.Sum(i)
	own, err := t.HasPiece(sum, x.N, i)
	if err != nil {
		return err
	}
	if own && shared[sumKey(sum)] {
		// It is needed, unless one that is in use has it in its own file.
		places, err := t.Pieces(sum, 64)
		if err != nil {
			return err
		}
		elsewhere := false
		for _, p := range places {
			if p.Data == x.N {
				elsewhere = elsewhere || p.I < i
				continue
			}
			d, err := t.DataN(p.Data)
			if err != nil {
				return err
			}
			elsewhere = elsewhere || d != nil && !isDead[p.Data] && d.State != db.DataPlain
		}
		if !elsewhere {
			x.kept++
			return nil
		}
	}
	x.gone = append(x.gone, i)
	if !own {
		return nil
	}
	x.Bytes = max(0, x.Bytes-x.torrent.PieceLen(i))
	return t.DropPiece(sum, x.N, i)
}
