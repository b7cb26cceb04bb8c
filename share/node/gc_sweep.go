package node

import (
	"context"
	"errors"

	"shoal/share/blob"
	"shoal/share/db"
)

// alone runs f while nobody reads, after what came into use since the mark was added to it: f alone decides what goes.
// busy says that others read for too long: this part is left to the next collection.
func (c *collection) alone(ctx context.Context, f func(*db.Tx) error) (busy bool, err error) {
	err = c.n.db.Alone(ctx, func(t *db.Tx) error {
		if err := c.extend(t); err != nil {
			return err
		}
		return f(t)
	})
	if errors.Is(err, db.ErrCrowded) {
		return true, nil
	}
	return false, err
}

// extend follows the heads and trees of now, and what was looked for: only what is new costs anything.
func (c *collection) extend(t *db.Tx) error {
	add := func(id blob.ID) { c.late[keyOf(id)] = struct{}{} }
	for _, e := range c.engines {
		r, err := rootsOf(t, e)
		if err != nil {
			return err
		}
		refs := func(id blob.ID) ([]blob.ID, error) { return c.n.refsAnywhere(t, e.n, id) }
		if err := c.follow(refs, r.whole, true, add); err != nil {
			return err
		}
		if err := c.follow(refs, r.index, false, add); err != nil {
			return err
		}
	}
	for _, k := range c.n.db.Touches() {
		refs := func(id blob.ID) ([]blob.ID, error) { return c.n.refsAnywhere(t, k.Share, id) }
		if err := c.follow(refs, []blob.ID{k.ID}, true, add); err != nil {
			return err
		}
	}
	return nil
}

// sweepBlobs removes the blobs that are not in use.
func (c *collection) sweepBlobs(ctx context.Context) error {
	for _, e := range c.engines {
		err := c.eachID(ctx, e.n, func(ids []blob.ID, inFile []bool) error {
			var gone []blob.ID
			files := map[blob.ID]bool{}
			for i, id := range ids {
				if contains(c.old[e.n], keyOf(id)) && !c.inUse(id) {
					gone = append(gone, id)
					files[id] = inFile[i]
				}
			}
			if len(gone) == 0 {
				return ctx.Err()
			}
			return c.sweepSome(ctx, e, gone, files)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepSome removes those of some blobs that are still not in use: first the rows, then the files. A crash between the two
// leaves files without rows, which the store finds when it opens.
func (c *collection) sweepSome(ctx context.Context, e *engine, ids []blob.ID, inFile map[blob.ID]bool) error {
	var files []blob.ID
	count := 0
	_, err := c.alone(ctx, func(t *db.Tx) error {
		for _, id := range ids {
			keep, err := c.mustKeep(t, e, id)
			if err != nil {
				return err
			}
			if keep {
				continue
			}
			if id.Kind() == blob.Info {
				if err := c.dropPlain(t, e, id); err != nil {
					return err
				}
			}
			if err := t.DropBlob(e.n, id); err != nil {
				return err
			}
			count++
			if inFile[id] {
				files = append(files, id)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.swept += count
	if e.store != nil {
		return e.store.unlink(files)
	}
	return nil
}

// mustKeep reports whether a blob that the mark did not find has come into use, or is promised, or says what pieces are in
// a file that is needed.
func (c *collection) mustKeep(t *db.Tx, e *engine, id blob.ID) (bool, error) {
	if c.inUse(id) {
		return true, nil
	}
	until, err := t.Promised(e.n, unit(id), c.n.now())
	if err != nil || !until.IsZero() || id.Kind() != blob.Info {
		return !until.IsZero(), err
	}
	if d, err := t.Data(e.n, id); err != nil || d != nil && d.State != db.DataPlain {
		return true, err // sweepData decides
	}
	return c.stripesPromised(t, e, id)
}

// stripesPromised reports whether a part of a torrent is promised to another node.
func (c *collection) stripesPromised(t *db.Tx, e *engine, info blob.ID) (bool, error) {
	b, err := t.Peek(e.n, info)
	if err != nil {
		return false, err
	}
	torrent, err := blob.CheckInfo(info, b)
	if err != nil {
		return false, nil // no such torrent
	}
	for i := range stripes(torrent.Length) {
		until, err := t.Promised(e.n, stripeUnit(info, i), c.n.now())
		if err != nil || !until.IsZero() {
			return true, err
		}
	}
	return false, nil
}

// dropPlain forgets where the chunks of a plain file were, and its recipe.
func (c *collection) dropPlain(t *db.Tx, e *engine, info blob.ID) error {
	d, err := t.Data(e.n, info)
	if err != nil {
		return err
	}
	if d != nil {
		b, err := t.Peek(e.n, info)
		if err != nil {
			return err
		}
		if torrent, err := blob.CheckInfo(info, b); err == nil {
			for i := range torrent.Pieces() {
				if err := t.DropPiece(torrent.Sum(i), d.N, i); err != nil {
					return err
				}
			}
		}
		if err := t.DropData(d.N); err != nil {
			return err
		}
	}
	return t.DropLarge(e.n, info)
}
