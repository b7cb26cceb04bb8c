package node

import (
	"context"
	"errors"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// Times of a drop.
const (
	meetTime   = 20 * time.Second // a node that has just started may need so long to meet others
	youngTime  = 10 * time.Second // until a file that was written just now is known
	youngEvery = 500 * time.Millisecond
	dropMargin = 30 * time.Second // of a promise that must be left when files go
)

// Drop gives up the copies of paths here: all of them, or none. Each unit of them must be promised by as many listed nodes
// as the policy says, else the code is held; force needs no promise. What goes is in the archive first, and is no deletion:
// the share still has it.
func (n *Node) Drop(ctx context.Context, name string, paths []string, force bool) ([]api.FileInfo, error) {
	d := &dropping{force: force}
	if err := n.drop(ctx, name, paths, d); err != nil {
		return nil, err
	}
	return d.done, nil
}

func (n *Node) drop(ctx context.Context, name string, paths []string, d *dropping) error {
	e, t, err := n.reading(name)
	if err != nil {
		return err
	}
	items, err := t.items(ctx, paths)
	if err != nil {
		return err
	}
	fresh := !n.isRunning()
	n.Start()
	if e.fsNow() == nil && !e.waitFolder(ctx) {
		return fail(bt.NotFound, "the folder of %s is not there", e.row.Name)
	}
	d.e, d.items = e, items
	if err := d.find(ctx); err != nil {
		return err
	}
	if d.end, err = e.promise.keeper.give(ctx, d.units, d.force); err != nil {
		return held(err)
	}
	if err := d.secure(ctx, fresh); err != nil {
		d.end()
		return err
	}
	// From here on it must not be left in the middle: what is said to be given up is not promised until it is over.
	return e.do(context.WithoutCancel(ctx), d.drop)
}

// held says that the answer is no, for now.
func held(err error) error {
	var promised *errPromised
	if errors.As(err, &promised) {
		return &bt.Error{Code: codeHeld, Err: err, Advice: "try again then, or use force"}
	}
	return err
}

// waitFolder waits until the folder is open, a little while.
func (e *engine) waitFolder(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	return e.wait(ctx, func() (string, error) {
		if e.fsNow() == nil {
			return "the folder", nil
		}
		return "", nil
	}) == nil
}

// dropping is one Drop.
type dropping struct {
	e      *engine
	items  []item
	force  bool
	free   bool         // nothing goes to the archive; copies others have shown the file
	copies int          // 0 = as the policy says
	rows   []index.Base // that go: what is in a directory before it
	units  []unit
	of     []int // rows that the units are of
	until  time.Time
	end    func()
	done   []api.FileInfo
}

// find finds the rows that go, and their units. Files that are too young to be known are waited for.
func (d *dropping) find(ctx context.Context) error {
	e := d.e
	short, cancel := context.WithTimeout(ctx, youngTime)
	defer cancel()
	for {
		young, err := d.look(ctx)
		if err != nil || len(young) == 0 {
			return err
		}
		for _, p := range young {
			e.suspect(p)
		}
		if !sleep(short, youngEvery) {
			return fail(codeHeld, "%s was written just now", young[0])
		}
	}
}

// look is find, once; young are files that may not be what their rows say.
func (d *dropping) look(ctx context.Context) (young []string, err error) {
	d.rows, d.units, d.of = nil, nil, nil
	infos, err := d.e.larges(ctx)
	if err != nil {
		return nil, ioError("reading the node's state", err)
	}
	for _, i := range d.items {
		rows, err := d.e.rowsOfNatural(ctx, i.natural)
		if err != nil {
			return nil, ioError("reading the node's state", err)
		}
		for _, b := range rows {
			if !b.Present || b.Local || b.Type != index.Dir && len(b.Dots) == 0 {
				continue
			}
			if b.Type == index.File && (b.Ident.CTime <= 0 || d.free && !d.e.unchanged(&b)) {
				young = append(young, b.Path)
			}
			units, ok := rowUnits(&b, infos)
			if !ok && !d.force {
				return nil, fail(codeHeld, "it is not known what %s consists of", b.Path)
			}
			d.rows = append(d.rows, b)
			for _, u := range units {
				d.units, d.of = append(d.units, u), append(d.of, len(d.rows)-1)
			}
		}
	}
	return young, nil
}

// secure gets the promises. fresh: the node has just started, and others may come.
func (d *dropping) secure(ctx context.Context, fresh bool) error {
	if d.force || len(d.units) == 0 {
		return nil // what has no content is not lost
	}
	s, err := d.e.secure(ctx, d.units, d.copies, d.free, fresh)
	if err != nil {
		return err
	}
	if d.until = s.until; len(s.missing) == 0 {
		return nil
	}
	files := map[int]bool{}
	for _, i := range s.missing {
		files[d.of[i]] = true
	}
	return d.e.refused(d.rows[d.of[s.missing[0]]].Path, len(files)-1, s)
}

// drop takes the files from their places, on the control goroutine.
func (d *dropping) drop() error {
	defer d.end()
	e := d.e
	if e.folder == nil {
		return errNoFolder
	}
	c := parseConfig(e.row.Options)
	for _, i := range d.items {
		c = dropPath(c, i.natural)
	}
	todo := make([]string, 0, len(d.rows))
	for i := range d.rows {
		todo = append(todo, d.rows[i].Natural)
	}
	// A crash after this leaves paths that are not wanted, and are looked at again.
	if err := e.setConfig(e.ctx, c, todo); err != nil {
		return err
	}
	for rows := d.rows; len(rows) > 0; {
		if len(d.units) > 0 && !d.force && e.node.now().After(d.until.Add(-dropMargin)) {
			return fail(codeHeld, "the promises of others were over before all was dropped")
		}
		n := min(len(rows), applyAt)
		if err := d.apply(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (d *dropping) apply(rows []index.Base) error {
	e := d.e
	ops := make([]disk.Op, len(rows))
	for i := range rows {
		ops[i] = disk.Op{Do: disk.Delete, Path: rows[i].Path, Old: &rows[i]}
		if rows[i].Type == index.Dir {
			ops[i].Do = disk.Rmdir // as far as nothing else is in there
		}
	}
	var gone []index.Base
	var archived []disk.Archived
	var failed error
	for i, o := range e.folder.applier.Apply(e.ctx, ops) {
		row := rows[i]
		switch {
		case o.Done():
			row.Present, row.Ident = false, index.Ident{}
			gone = append(gone, row)
			if d.free && o.Archived != nil {
				archived = append(archived, *o.Archived)
			}
			d.done = append(d.done, rowInfo(&row))
		case row.Type == index.Dir:
		default:
			e.lookAt(row.Path)
			if o.Result != disk.Stale && failed == nil {
				failed = ioError("dropping "+row.Path, o.Err)
			} else if failed == nil {
				failed = fail(codeHeld, "%s was changed meanwhile, and stays", row.Path)
			}
		}
	}
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for i := range gone {
			if err := t.PutBase(e.n, &gone[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = e.folder.applier.Evict(e.ctx, archived)
	}
	return errors.Join(err, failed)
}

func rowInfo(b *index.Base) api.FileInfo {
	s := index.Shown{Path: b.Path, Natural: b.Natural, Type: b.Type, MTime: b.MTime, Size: b.Size, Value: b.Value}
	return fileInfo(&s, b.Present, b.Local)
}
