package node

import (
	"context"
	"errors"
	"io/fs"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
)

// loadKept reads what the engine keeps in memory of the archive and of what is held.
func (e *engine) loadKept() error {
	return e.node.db.View(e.ctx, func(t *db.Tx) error {
		some, err := t.AnyArchived(e.n)
		if err != nil {
			return err
		}
		e.shelved.Store(some)
		held, err := t.Held(e.n)
		if err != nil {
			return err
		}
		for _, h := range held {
			row, err := t.Base(e.n, h.Path)
			if err != nil {
				return err
			}
			e.plan.held[h.Path] = h.Path
			if row != nil {
				e.plan.held[h.Path] = row.Natural
			}
		}
		accepted, err := t.Accepted(e.n)
		for _, p := range accepted {
			e.plan.accepted[p], e.plan.promised = true, true
		}
		return err
	})
}

// fromArchive takes a file that is to be fetched from the archive, if its content is there: what was removed or replaced
// comes back without a byte from others. The control goroutine calls it.
func (e *engine) fromArchive(a *arrival) bool {
	if !e.shelved.Load() {
		return false
	}
	var old []db.Archived
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		id := a.cap().ID
		old, err = t.ArchivedByCap(e.n, id[:])
		return err
	})
	if err != nil || len(old) == 0 {
		return false
	}
	if a.large {
		e.wg.Go(func() {
			if e.unshelve(e.ctx, old, a) != nil {
				e.fetchLarge(a)
				return
			}
			e.arrive(a)
		})
		return true
	}
	if e.unshelve(e.ctx, old, a) != nil {
		return false
	}
	e.larder.mu.Lock()
	e.larder.bytes += a.shown.Size // arrive takes it off
	e.larder.mu.Unlock()
	e.arrive(a)
	return true
}

// unshelve copies the content of an arrival from the archive to its temporary file.
func (e *engine) unshelve(ctx context.Context, old []db.Archived, a *arrival) error {
	fsys := e.fsNow()
	if fsys == nil {
		return errNoFolder
	}
	if _, err := fsys.Lstat(a.temp); err == nil && a.large {
		return fs.ErrExist // something of it has come already: go on with that
	} else if err == nil {
		if err := fsys.Remove(a.temp); err != nil {
			return err
		}
	}
	f, err := fsys.Create(a.temp)
	if err != nil {
		return err
	}
	defer f.Close()
	for i := range old {
		if err = e.copyFile(ctx, old[i].Name, a.shown.Size, a.shown.Hash, f); err == nil {
			return f.Truncate(a.shown.Size)
		}
	}
	return errors.Join(err, fsys.Remove(a.temp))
}

// keepArchived reports whether a file of the archive is promised to another node, and so must not be given up.
func (e *engine) keepArchived(a *disk.Archived) bool {
	if len(a.Caps) == 0 {
		return false
	}
	kept := false
	err := e.node.db.View(e.ctx, func(t *db.Tx) error {
		units := []unit{unit(a.Caps[0].ID)}
		if a.Caps[0].ID.Kind() == blob.Recipe {
			infos, _, err := t.Larges(e.n)
			if err != nil {
				return err
			}
			if info, ok := infos[a.Caps[0].ID]; ok {
				units = largeUnits(a.Caps[0].ID, info, blob.Padme(a.Size))
			}
		}
		for _, u := range units {
			until, err := t.Promised(e.n, u, e.node.now())
			if err != nil {
				return err
			}
			kept = kept || !until.IsZero()
		}
		return nil
	})
	return kept || err != nil
}
