package node

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/secret"
)

// batchFindings is how many findings become one transaction.
const batchFindings = 1000

// scan looks at what may have changed, and commits what did. It says when to look again.
func (e *engine) scan() (next time.Duration, err error) {
	f, now := e.folder, e.node.now()
	var what disk.Paths
	switch {
	case f.walked.IsZero() || now.Sub(f.walked) >= hourly || now.Before(f.walked):
		what, f.dirty, f.settling = nil, disk.Paths{}, disk.Paths{}
	default:
		if !f.recheck.IsZero() && !now.Before(f.recheck) {
			for p, l := range f.settling {
				f.dirty.Add(p, l)
			}
			f.settling, f.recheck = disk.Paths{}, time.Time{}
		}
		if e.takeDirty(f); len(f.dirty) == 0 {
			return e.secondLook()
		}
		what, f.dirty = f.dirty, disk.Paths{}
	}
	if e.mustWait() {
		return idleLook, nil // nothing may be said before a first head has come
	}
	if what == nil {
		e.show(api.StateScanning, nil)
	}
	if what == nil {
		files, _, err := e.count()
		if err != nil {
			return 0, err
		}
		f.virgin = files == 0
	}
	c := &commit{e: e, now: now}
	report, err := f.scanner.Scan(e.ctx, what, c.add)
	if err == nil {
		err = c.flush()
	}
	f.virgin = false
	if err != nil {
		return 0, err
	}
	if what == nil {
		f.walked = now
	}
	if err := e.reported(report, what == nil); err != nil {
		return 0, err
	}
	return e.secondLook()
}

// count is how many files are present.
func (e *engine) count() (files, bytes int64, err error) {
	err = e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		files, bytes, err = t.CountBase(e.n)
		return err
	})
	return files, bytes, err
}

// mustWait reports whether local files may not be committed yet: who joins adopts what is there already, and a writer
// has no certificate to publish with, before a first head has come.
func (e *engine) mustWait() bool {
	return !e.row.Created && len(e.row.State.Ctx) == 0 && !e.kept().any()
}

// mayBegin reports whether this node waits for a first head, and could make one: it has the admin secret.
func (e *engine) mayBegin() bool {
	return e.mustWait() && e.token.Role == secret.Admin && e.store == nil && e.link == nil
}

// beginAnew ends the waiting for a first head: nobody is left who has one. This node is the first member of a share that
// begins with what is in its folder. Should somebody come after all, what he has and what is here are merged as any two
// states are that do not know of each other: nothing of either is lost.
func (e *engine) beginAnew() error {
	if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetCreated(e.n) }); err != nil {
		return ioError("beginning anew", err)
	}
	e.row.Created = true
	if err := e.enlist(); err != nil {
		return err
	}
	e.showRoot()
	e.poke()
	return nil
}

// reported keeps what a scan said beside its findings.
func (e *engine) reported(r disk.Report, whole bool) error {
	for _, p := range r.Settling {
		e.settle(p)
	}
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if whole {
			if err := t.ClearProblems(e.n, "scan"); err != nil {
				return err
			}
		}
		for _, p := range r.Problems {
			if err := t.SetProblem(e.n, p.Path, "scan", p.Err.Error(), e.node.now()); err != nil {
				return err
			}
		}
		for _, p := range r.Absent {
			if err := t.SetProblem(e.n, p, "scan", "a file system was mounted or unmounted here: nothing below it counts until it is back, or accepted", e.node.now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// secondLook looks again at what was missing, when it is time.
func (e *engine) secondLook() (time.Duration, error) {
	f := e.folder
	next, ok := f.scanner.NextLook()
	if ok && !e.node.now().Before(next) {
		c := &commit{e: e, now: e.node.now()}
		_, err := f.scanner.SecondLook(e.ctx, c.add)
		if err == nil {
			err = c.flush()
		}
		if err != nil {
			return 0, err
		}
		next, ok = f.scanner.NextLook()
	}
	wait := idleLook
	if ok {
		wait = min(wait, max(0, next.Sub(e.node.now())))
	}
	if !f.recheck.IsZero() {
		wait = min(wait, max(0, f.recheck.Sub(e.node.now())))
	}
	return wait, nil
}

// commit turns findings into events, a batch at a time.
type commit struct {
	e     *engine
	now   time.Time
	batch []found

	mu sync.Mutex // guards what hashing several files at once notes
}

// found is a finding with its content, once that is known.
type found struct {
	disk.Finding
	row     index.Base // what B says from now on
	content blob.Content
	hashed  bool
	read    time.Time // when hashing began
	skip    bool      // it was not to be read: it is found again
}

func (c *commit) add(f disk.Finding) error {
	c.batch = append(c.batch, found{Finding: f})
	if len(c.batch) < batchFindings {
		return nil
	}
	return c.flush()
}

// flush hashes what must be, and commits the batch in one transaction.
func (c *commit) flush() error {
	if len(c.batch) == 0 {
		return nil
	}
	defer func() { c.batch = c.batch[:0] }()
	if err := c.hash(); err != nil {
		return err
	}
	if err := c.moved(); err != nil {
		return err
	}
	if c.e.keys.Role < secret.Write {
		return c.keepLocal()
	}
	return c.write()
}

// hash reads the files of the batch whose content is not known: small ones side by side, large ones one after another, for
// they take all cores themselves.
func (c *commit) hash() error {
	g, ctx := errgroup.WithContext(c.e.ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range c.batch {
		if f := &c.batch[i]; f.needsHash() && f.Info.Ident.Size <= blob.Small {
			g.Go(func() error { return c.hashOne(ctx, f, 1) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range c.batch {
		if f := &c.batch[i]; f.needsHash() && f.Info.Ident.Size > blob.Small {
			if err := c.hashOne(c.e.ctx, f, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// moved finds those that are renames: their content is missing elsewhere.
func (c *commit) moved() error {
	for i := range c.batch {
		f := &c.batch[i]
		if f.skip || !f.hashed || f.Kind != disk.Created {
			continue
		}
		moved, err := c.e.folder.scanner.Moved(c.e.ctx, f.Finding, f.content.Hash)
		if err != nil {
			return err
		}
		f.Finding = moved
	}
	return nil
}

func (f *found) needsHash() bool { return f.Type == index.File && f.Hash && f.Kind != disk.Deleted }

func (c *commit) hashOne(ctx context.Context, f *found, workers int) error {
	read := c.e.node.now()
	ident, err := disk.HashFile(c.e.folder.fs, f.Disk, func(r io.ReaderAt, size int64) error {
		content, err := c.ingest(ctx, f, r, size, workers)
		f.content = content
		return err
	})
	c.e.node.hashed.Add(f.content.Size)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		f.skip = true
		c.mu.Lock()
		defer c.mu.Unlock()
		c.e.again(f.Path, err)
		return nil
	}
	f.hashed = true
	f.read = read
	f.row = f.Row(ident, f.content.Hash, read)
	if f.row.Ident.CTime <= 0 {
		c.young(f.Path)
	}
	if !f.content.Cap.IsZero() {
		f.row.Caps = []blob.Cap{f.content.Cap}
	}
	return nil
}

// ingest reads a file. One that is looked at again, though its time says that it is still what B says, is only summed as
// long as it is that.
func (c *commit) ingest(ctx context.Context, f *found, r io.ReaderAt, size int64, workers int) (blob.Content, error) {
	if b := f.Base; b != nil && b.Present && len(b.Caps) == 1 && b.Size == size && b.Ident.MTime == f.Info.Ident.MTime {
		sum, err := blob.Sum(ctx, io.NewSectionReader(r, 0, size), size, workers)
		if err != nil || sum == b.Hash {
			return blob.Content{Size: size, Hash: sum, Cap: b.Caps[0]}, err
		}
	}
	return blob.Ingest(ctx, c.e.keys.Conv, io.NewSectionReader(r, 0, size), size, workers)
}

// young lets a file be hashed once more, that could have changed while it was read.
func (c *commit) young(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.e.settle(path)
}

// settle lets a file be hashed again after the time in which it can change unseen.
func (e *engine) settle(path string) {
	f := e.folder
	f.settling.Add(path, disk.LookHash)
	if f.recheck.IsZero() {
		f.recheck = e.node.now().Add(disk.RacyTime)
	}
}

// again lets a path be scanned again that could not be read now.
func (e *engine) again(path string, err error) {
	if errors.Is(err, disk.ErrUnstable) || errors.Is(err, blob.ErrSize) {
		e.settle(path)
		return
	}
	e.log.Warn("a file cannot be read", "path", path, "why", err)
	_ = e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetProblem(e.n, path, "read", err.Error(), e.node.now()) })
}
