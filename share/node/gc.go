package node

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// How long heads are kept after a complete one superseded them, by the clock of ages (docs/shares.md §6.4).
const (
	keepHistory = 30 * day  // stores
	keepIndex   = 7 * day   // readers and writers
	keepMissing = 180 * day // everybody, while data that the frontier names is missing
	missingLong = day       // for how long it must be missing
)

// A collection is one mark and sweep over all shares of a node (docs/shares.md §6.4): from the heads that are kept, and
// what the disk shows, it follows all references, and removes what was not found. It runs beside everything else. What
// somebody asks for, finds present or adds meanwhile stays; the database notes that (db.Watch), and the sweep looks again
// while nobody reads.
type collection struct {
	n       *Node
	engines []*engine
	old     map[int64][]uint64 // what was here when the mark began, by share, in order

	found []uint64            // what is in use, in order once the mark is over
	late  map[uint64]struct{} // what came into use since
	whole map[blob.ID]bool    // blobs with references that were followed: true = with the data
	swept int
}

// keyOf is how a collection remembers an id. Two ids of one key make it keep too much, no more.
func keyOf(id blob.ID) uint64 { return binary.BigEndian.Uint64(id[1:]) }

// collect marks and sweeps. It returns how many blobs and large files went. It can be interrupted at any point.
func (n *Node) collect(ctx context.Context) (swept int, err error) {
	n.collecting.Lock()
	defer n.collecting.Unlock()
	if len(n.sleeping()) > 0 {
		return 0, nil // what those need is not known
	}
	stop := n.db.Watch()
	defer stop()
	c := &collection{n: n, engines: n.all(), old: map[int64][]uint64{}, late: map[uint64]struct{}{}, whole: map[blob.ID]bool{}}
	for _, step := range []func(context.Context) error{c.begin, c.mark, c.sweepData, c.sweepBlobs} {
		if err := step(ctx); err != nil {
			return c.swept, err
		}
	}
	return c.swept, nil
}

// begin lets old heads go, and lists what is here.
func (c *collection) begin(ctx context.Context) error {
	for _, e := range c.engines {
		if e.net != nil {
			e.net.index.forget()
		}
		if e.store != nil {
			e.store.forget()
			e.poke() // it walks them again
		}
		if err := e.do(ctx, e.dropOldHeads); err != nil && !errors.Is(err, errStopping) {
			return err
		}
		var keys []uint64
		err := c.eachID(ctx, e.n, func(ids []blob.ID, _ []bool) error {
			for _, id := range ids {
				keys = append(keys, keyOf(id))
			}
			return nil
		})
		if err != nil {
			return err
		}
		slices.Sort(keys)
		c.old[e.n] = keys
	}
	return nil
}

// idPage is how many ids are looked at in one transaction.
const idPage = 1000

// eachID gives the ids of all blobs of a share, page by page, and which of them are in files.
func (c *collection) eachID(ctx context.Context, n int64, f func(ids []blob.ID, inFile []bool) error) error {
	for after := (blob.ID{}); ; {
		var ids []blob.ID
		var inFile []bool
		err := c.n.db.View(ctx, func(t *db.Tx) (err error) { ids, inFile, err = t.BlobIDs(n, after, idPage); return err })
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := f(ids, inFile); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

func contains(keys []uint64, k uint64) bool {
	_, ok := slices.BinarySearch(keys, k)
	return ok
}

func (c *collection) inUse(id blob.ID) bool {
	k := keyOf(id)
	if _, ok := c.late[k]; ok {
		return true
	}
	return contains(c.found, k)
}

// roots are where a mark begins: heads and trees that are kept whole, and those of which the index is enough.
type roots struct {
	frontier, whole, index []blob.ID
}

func rootsOf(t *db.Tx, e *engine) (r roots, err error) {
	heads, err := t.Heads(e.n)
	if err != nil {
		return r, err
	}
	r.frontier = headList{all: heads}.frontier()
	for i := range heads {
		h := &heads[i]
		if e.store != nil || h.Superseded.IsZero() {
			r.whole = append(r.whole, h.ID)
		} else {
			r.index = append(r.index, h.ID)
		}
	}
	ended, err := t.Ended(e.n)
	if err != nil {
		return r, err
	}
	for i := range ended {
		if id := ended[i].Moved; id != nil {
			r.whole = append(r.whole, *id)
		}
	}
	s, err := t.Share(e.n)
	if err != nil || s == nil {
		return r, err
	}
	for _, tree := range []blob.Cap{s.State.Root.Files, s.State.Root.Meta} {
		if !tree.IsZero() {
			r.whole = append(r.whole, tree.ID)
		}
	}
	return r, nil
}

// mark follows everything that is in use.
func (c *collection) mark(ctx context.Context) error {
	for _, e := range c.engines {
		var r roots
		err := c.n.db.View(ctx, func(t *db.Tx) (err error) {
			if r, err = rootsOf(t, e); err != nil {
				return err
			}
			return t.Recipes(e.n, func(id blob.ID) error { r.whole = append(r.whole, id); return nil })
		})
		if err != nil {
			return err
		}
		refs := func(id blob.ID) (ids []blob.ID, err error) {
			err = c.n.db.View(ctx, func(t *db.Tx) error { ids, err = c.n.refsAnywhere(t, e.n, id); return err })
			return ids, err
		}
		missing, err := c.markFrontier(ctx, e, refs, r.frontier)
		if err != nil {
			return err
		}
		if err := c.noteMissing(ctx, e, missing); err != nil {
			return err
		}
		add := func(id blob.ID) { c.found = append(c.found, keyOf(id)) }
		if err := c.follow(refs, r.whole, true, add); err != nil {
			return err
		}
		if err := c.follow(refs, r.index, false, add); err != nil {
			return err
		}
	}
	slices.Sort(c.found)
	c.found = slices.Compact(c.found)
	return nil
}

// peekRefs are the references of a blob, as far as it is here and makes sense.
func peekRefs(t *db.Tx, n int64, id blob.ID) ([]blob.ID, error) {
	b, err := t.Peek(n, id)
	if err != nil || b == nil {
		return nil, err
	}
	h, err := blob.Parse(b)
	if err != nil {
		return nil, nil // kept as it is; nothing follows from it
	}
	return h.Refs, nil
}

// follow gives everything that is reached from some blobs and was not given before: with the data, or the index alone.
func (c *collection) follow(refs index.Refs, from []blob.ID, whole bool, add func(blob.ID)) error {
	skip := func(id blob.ID) bool {
		followed, ok := c.whole[id]
		if followed || ok && !whole {
			return true
		}
		return !whole && id.Kind() != blob.Node && id.Kind() != blob.Head
	}
	for id, err := range index.Reach(refs, from, skip) {
		if err != nil {
			return err
		}
		if id.Kind() != blob.Data && id.Kind() != blob.Info {
			c.whole[id] = whole
		}
		add(id)
	}
	return nil
}

// markFrontier follows the newest heads, and reports whether anything of their data that should be here is not.
func (c *collection) markFrontier(ctx context.Context, e *engine, refs index.Refs, frontier []blob.ID) (missing bool, err error) {
	state := map[blob.ID]db.DataState{}
	if e.store == nil {
		v, _ := e.look()
		missing = !v.Settled && v.Todo > 0
	} else {
		err = c.n.db.View(ctx, func(t *db.Tx) error {
			all, err := t.AllData(e.n)
			for i := range all {
				state[all[i].Info] = all[i].State
			}
			return err
		})
	}
	if err != nil {
		return false, err
	}
	err = c.follow(refs, frontier, true, func(id blob.ID) {
		c.found = append(c.found, keyOf(id))
		if e.store == nil || missing {
			return
		}
		missing = !contains(c.old[e.n], keyOf(id)) || id.Kind() == blob.Info && state[id] != db.DataWhole
	})
	return missing, err
}

// noteMissing remembers since when data has been missing, by the clock of ages.
func (c *collection) noteMissing(ctx context.Context, e *engine, missing bool) error {
	since := e.missingSince()
	switch {
	case missing == !since.IsZero():
		return nil
	case missing:
		since = c.n.ages.now()
	default:
		since = time.Time{}
	}
	e.mu.Lock()
	e.lacking = since
	e.mu.Unlock()
	return c.n.db.Update(ctx, func(t *db.Tx) error { return setTime(t, e.missingKey(), since) })
}
