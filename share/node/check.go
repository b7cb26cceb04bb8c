package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// Check reads everything that is here, and says what is not as it should be: files against B, blobs against their ids, the
// index, the archive, what is noted as still to do. repair scans again what has changed, and fetches again what is damaged,
// if somebody who is connected has it; what was damaged goes to the archive.
func (n *Node) Check(ctx context.Context, name string, repair bool) (*api.CheckResult, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	if repair {
		n.Start()
	}
	c := &checking{e: e, repair: repair, CheckResult: api.CheckResult{Problems: []api.Problem{}}}
	if e.store != nil {
		if err := e.do(ctx, e.store.open); err != nil {
			c.problem("", "the folder is not there: %v", err)
			return &c.CheckResult, nil
		}
	}
	steps := []func(context.Context) error{c.blobs, c.notes}
	if e.store != nil {
		steps = append(steps, c.ciphertext)
	} else {
		steps = append(steps, c.index, c.files, c.archive)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return &c.CheckResult, fmt.Errorf("checking %s: %w", e.row.Name, err)
		}
	}
	return &c.CheckResult, nil
}

// checking is one Check.
type checking struct {
	e      *engine
	repair bool
	api.CheckResult
}

// maxFound bounds what is listed; the rest is counted in one line.
const maxFound = 10_000

func (c *checking) problem(path, format string, args ...any) {
	switch {
	case len(c.Problems) < maxFound:
		c.Problems = append(c.Problems, api.Problem{Path: path, Why: fmt.Sprintf(format, args...)})
	case len(c.Problems) == maxFound:
		c.Problems = append(c.Problems, api.Problem{Why: "there is more"})
	}
}

// index checks the tree of the state, every node of it.
func (c *checking) index(ctx context.Context) error {
	v, _ := c.e.look()
	if v.Root == (index.Root{}) {
		return nil
	}
	// The root node is a function of the two trees; it is here already once the state was published.
	store := newBlobStore(ctx, c.e.node.db, c.e.n)
	forest := index.NewForest(c.e.keys.Conv, store)
	root, err := forest.PutRoot(v.Root)
	if err != nil {
		return err
	}
	if _, err := forest.Check(ctx, root, false, index.Root{}); err != nil && ctx.Err() == nil {
		c.problem("", "the index is not right: %v", err)
	}
	return ctx.Err()
}

// blobs checks what is kept as bytes.
func (c *checking) blobs(ctx context.Context) error {
	e := c.e
	for after := (blob.ID{}); ; {
		var page []db.KeptBlob
		err := e.node.db.View(ctx, func(t *db.Tx) (err error) { page, err = t.BlobPage(e.n, 0, after, 64); return err })
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			if b.Bytes == nil && e.store != nil {
				c.stored(ctx, b.ID)
				continue
			}
			c.Checked++
			c.Bytes += int64(len(b.Bytes))
			if blob.Verify(b.ID, b.Bytes) == nil {
				continue
			}
			c.problem("", "blob %s is damaged", b.ID)
			c.fixed(c.refetch(ctx, b.ID, func(right []byte) error {
				return e.node.db.Update(ctx, func(t *db.Tx) error { return t.ReplaceBlob(e.n, b.ID, right) })
			}))
		}
		after = page[len(page)-1].ID
	}
}

// stored checks a blob that a store has in a file.
func (c *checking) stored(ctx context.Context, id blob.ID) {
	c.Checked++
	b, err := c.e.store.readFile(id)
	c.Bytes += int64(len(b))
	if err == nil {
		return
	}
	c.problem("", "blob %s is damaged or gone: %v", id, err)
	c.fixed(c.refetch(ctx, id, func(right []byte) error { return c.e.store.keep(id, right) }))
}

var errNotRepaired = errors.New("not repaired")

func (c *checking) fixed(err error) {
	if err == nil {
		c.Repaired++
	} else if !errors.Is(err, errNotRepaired) {
		c.e.log.Warn("something damaged cannot be repaired", "why", err)
	}
}

// refetch gets the right bytes of a blob from peers, if that is wanted.
func (c *checking) refetch(ctx context.Context, id blob.ID, keep func([]byte) error) error {
	if !c.repair || c.e.net == nil {
		return errNotRepaired
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return c.e.net.fetcher.Fetch(ctx, []blob.ID{id}, func(_ blob.ID, b []byte) error { return keep(b) })
}

// ciphertext checks the large files of a store.
func (c *checking) ciphertext(ctx context.Context) error {
	e := c.e
	for after := (blob.ID{}); ; {
		var page []db.KeptBlob
		err := e.node.db.View(ctx, func(t *db.Tx) (err error) { page, err = t.BlobPage(e.n, blob.Info, after, 16); return err })
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			t, err := blob.CheckInfo(b.ID, b.Bytes)
			if err != nil {
				continue // it was said
			}
			good, err := e.store.whole(ctx, t)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			c.Checked++
			c.Bytes += t.Length
			if good {
				continue
			}
			c.problem("", "the data of %s is damaged or not here", b.ID)
			if c.repair {
				c.fixed(e.store.again(t))
			}
		}
		after = page[len(page)-1].ID
	}
}

// notes checks what is noted as begun or still to do.
func (c *checking) notes(ctx context.Context) error {
	e := c.e
	return e.node.db.View(ctx, func(t *db.Tx) error {
		intents, err := t.Intents(e.n)
		if err != nil {
			return err
		}
		for _, b := range intents {
			if in, err := loadIntent(b); err != nil {
				c.problem("", "a note of what was begun cannot be read: %v", err)
			} else if !disk.ValidPath(in.Op.Path) {
				c.problem(in.Op.Path, "something was begun at a path that cannot be")
			}
		}
		for after := ""; ; {
			todo, err := t.Todo(e.n, after, unitsPage)
			if err != nil || len(todo) == 0 {
				return err
			}
			for _, p := range todo {
				if !disk.ValidPath(p) {
					c.problem(p, "something is to be done at a path that cannot be")
				}
			}
			after = todo[len(todo)-1]
		}
	})
}

// files reads all files.
func (c *checking) files(ctx context.Context) error {
	if c.e.row.Dir == "" {
		return nil
	}
	fsys := c.e.fsNow()
	if fsys == nil { // no node has it open
		own, err := c.e.node.openFS(c.e.row.Dir)
		if err != nil {
			c.problem("", "the folder is not there: %v", err)
			return nil
		}
		defer own.Close()
		fsys = own
	}
	if err := disk.CheckMark(fsys, c.e.idText()); err != nil {
		c.problem("", "the folder is not there: %v", err)
		return nil
	}
	return c.e.eachRow(ctx, func(b *index.Base) error {
		if !b.Present {
			return nil
		}
		why := c.file(ctx, fsys, b)
		if why == nil {
			return ctx.Err()
		}
		now, err := known{ctx: ctx, db: c.e.node.db, n: c.e.n}.Row(b.Path)
		if err != nil || now == nil || now.Ident != b.Ident || now.Hash != b.Hash {
			return err // it was changed while we looked
		}
		c.problem(b.Path, "%v", why)
		if c.repair {
			c.repairFile(ctx, b, why)
		}
		return nil
	})
}

// What is wrong with a file.
var (
	errTouched = errors.New("it has changed and was not scanned yet")
	errRotten  = errors.New("its content is not what it was, and nobody changed it: the disk is failing, or something hid the change")
	errEmpty   = errors.New("it has no cap, and cannot be given to others")
)

// file checks one row of B.
func (c *checking) file(ctx context.Context, fsys disk.FS, b *index.Base) error {
	info, err := fsys.Lstat(b.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", errTouched, err)
	}
	switch {
	case b.Type == index.Dir:
		if !info.Type.IsDir() {
			return errTouched
		}
		return nil
	case b.Type == index.Symlink:
		target, err := fsys.Readlink(b.Path)
		if err != nil || target != string(b.Value) {
			return errTouched
		}
		return nil
	}
	c.Checked++
	c.Bytes += b.Size
	if b.Local {
		return nil // it is known to be another
	}
	same := info.Ident.Size == b.Ident.Size && info.Ident.MTime == b.Ident.MTime && info.Ident.Inode == b.Ident.Inode
	if !same || b.Ident.CTime > 0 && info.Ident.CTime != b.Ident.CTime {
		return errTouched
	}
	var sum [32]byte
	ident, err := disk.HashFile(fsys, b.Path, func(r io.ReaderAt, size int64) (err error) {
		sum, err = blob.Sum(ctx, io.NewSectionReader(r, 0, size), size, 0)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && (errors.Is(err, disk.ErrUnstable) || errors.Is(err, fs.ErrNotExist)):
		return errTouched
	case err != nil:
		return fmt.Errorf("it cannot be read: %w", err)
	case ident != info.Ident:
		return errTouched
	case sum != b.Hash && b.Ident.CTime <= 0:
		return errTouched
	case sum != b.Hash:
		return errRotten
	case b.Size > 0 && len(b.Caps) == 0 && len(b.Dots) > 0:
		return errEmpty
	}
	return nil
}

// repairFile lets what was changed be scanned; what is rotten goes to the archive, and comes again, if somebody has it.
func (c *checking) repairFile(ctx context.Context, b *index.Base, why error) {
	e := c.e
	switch {
	case errors.Is(why, errTouched):
		e.suspect(b.Path)
		c.Repaired++
	case errors.Is(why, errRotten) && e.net != nil:
		infos, err := e.larges(ctx)
		units, ok := rowUnits(b, infos)
		if err != nil || !ok {
			return
		}
		claims := e.promise.askAll(ctx, e.net.all(), units, 0)
		if len(lacking(promises(len(units), claims, func([32]byte) bool { return true }), 1)) > 0 {
			return // it is the only copy, and perhaps better than none
		}
		c.fixed(e.do(context.WithoutCancel(ctx), func() error { return e.renew(b) }))
	}
}

// renew lets a file go to the archive and come again from others. The control goroutine calls it.
func (e *engine) renew(b *index.Base) error {
	if e.folder == nil {
		return errNoFolder
	}
	for _, o := range e.folder.applier.Apply(e.ctx, []disk.Op{{Do: disk.Delete, Path: b.Path, Old: b}}) {
		if !o.Done() {
			return fmt.Errorf("moving %s to the archive: %w", b.Path, errors.Join(errNotRepaired, o.Err))
		}
		if o.Archived == nil {
			continue
		}
		// What is there now is not what its row would say of it.
		wrong := archivedRow(o.Archived)
		wrong.Row.Hash, wrong.Row.Caps = [32]byte{}, nil
		err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
			if err := t.AddArchived(e.n, wrong); err != nil {
				return err
			}
			return t.AddTodo(e.n, b.Natural)
		})
		if err != nil {
			return err
		}
	}
	e.planAgain([]string{b.Natural})
	return nil
}

// archive checks that what it should have is there.
func (c *checking) archive(ctx context.Context) error {
	e := c.e
	fsys := e.fsNow()
	if fsys == nil {
		return nil
	}
	var old []db.Archived
	err := e.node.db.View(ctx, func(t *db.Tx) (err error) { old, err = t.Archived(e.n); return err })
	if err != nil {
		return err
	}
	for i := range old {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := fsys.Lstat(old[i].Name); err != nil {
			c.problem(old[i].Row.Path, "its archived version %s is not there: %v", old[i].Name, err)
			if c.repair && errors.Is(err, fs.ErrNotExist) {
				c.fixed(e.node.db.Update(ctx, func(t *db.Tx) error { return t.DropArchived(e.n, old[i].Name) }))
			}
		}
	}
	return nil
}
