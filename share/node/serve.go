package node

import (
	"context"
	"errors"
	"io"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/wire"
)

// serve is the blob of an id that a peer asks for: one that is kept as bytes, or that a plain file becomes
// (docs/shares.md §5.3). Knowing an id from elsewhere tests nothing: ids of other shares are not here.
func (e *engine) serve(ctx context.Context, id blob.ID) ([]byte, error) {
	var b []byte
	var kept bool
	var rows []index.Base
	var archived []db.Archived
	err := e.node.db.View(ctx, func(t *db.Tx) (err error) {
		if id.Kind() == blob.Data && e.store == nil { // most are a file's
			if rows, err = t.ByCap(e.n, id, 8); err != nil || len(rows) > 0 {
				return err
			}
		}
		if b, kept, err = t.Blob(e.n, id); err != nil || kept || id.Kind() != blob.Data {
			return err
		}
		archived, err = t.ArchivedByCap(e.n, id[:])
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case b != nil:
		return b, nil
	case kept:
		return e.store.read(id)
	}
	for i := range rows {
		if r := &rows[i]; r.Present && !r.Local {
			if b, err := e.seal(r.Path, r); err == nil {
				return b, nil
			}
		}
	}
	if len(rows) > 0 {
		if err := e.node.db.View(ctx, func(t *db.Tx) (err error) {
			if b, _, err = t.Blob(e.n, id); err != nil || b != nil {
				return err
			}
			archived, err = t.ArchivedByCap(e.n, id[:])
			return err
		}); err != nil || b != nil {
			return b, err
		}
	}
	for i := range archived {
		if b, err := e.seal(archived[i].Name, &archived[i].Row); err == nil {
			return b, nil
		}
	}
	return e.borrow(ctx, id)
}

// seal is the blob of a small file. When the file is no longer what its row says, it is to be scanned, and nothing leaves.
func (e *engine) seal(path string, row *index.Base) ([]byte, error) {
	fs := e.fsNow()
	if fs == nil || len(row.Caps) == 0 {
		return nil, wire.ErrNotHere
	}
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain := make([]byte, row.Size)
	if _, err := f.ReadAt(plain, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	b, err := blob.Reseal(row.Caps[0], nil, plain)
	if err != nil {
		e.suspect(row.Path)
	}
	return b, err
}

// fsNow is the folder's file system while it is open; safe for all goroutines.
func (e *engine) fsNow() disk.FS {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.view.FS
}

// suspect lets a path be scanned; it is called from any goroutine.
func (e *engine) suspect(path string) {
	e.mu.Lock()
	e.suspects = append(e.suspects, path)
	e.mu.Unlock()
	e.poke()
}

// watched takes in what the watcher saw; takeDirty gives it, and what is suspect, to the control goroutine.
func (e *engine) watched(paths disk.Paths) error {
	e.mu.Lock()
	for p, l := range paths {
		e.seen.Add(p, l)
	}
	if paths == nil {
		e.seenAll = true
	}
	e.mu.Unlock()
	e.poke()
	return nil
}

func (e *engine) takeDirty(f *folder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p, l := range e.seen {
		f.dirty.Add(p, l)
	}
	for _, p := range e.suspects {
		f.dirty.Add(p, disk.LookHash)
	}
	if e.seenAll {
		f.dirty.Add("", disk.LookDeep)
	}
	e.seen, e.suspects, e.seenAll = disk.Paths{}, nil, false
}
