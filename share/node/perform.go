package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// performer does arranged operations in their order: those of the disk in batches, rows of B after them.
type performer struct {
	e      *engine
	tally  *tally
	list   []disk.Op
	from   []*index.Op // of list
	rows   []index.Op  // that change B alone
	parked map[string]*index.Base
	slots  map[int]string  // temporary copies
	listed map[string]bool // paths of list
	failed map[string]bool // paths on disk where an operation was not done: those that count on it are not either
}

// perform does what needs nothing from others, and starts to fetch what does.
func (e *engine) perform(ops []index.Op, t *tally) error {
	p := &performer{e: e, tally: t, parked: map[string]*index.Base{}, slots: map[int]string{}, listed: map[string]bool{}, failed: map[string]bool{}}
	for i := range ops {
		t.begin(&ops[i])
	}
	for i := range ops {
		if err := p.op(&ops[i]); err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.writeRows()
}

func (p *performer) op(op *index.Op) error {
	switch op.Kind {
	case index.Adopt, index.Forget:
		p.rows = append(p.rows, *op)
	case index.Put:
		p.tally.fail(op) // until it is here
		return p.fetch(op)
	case index.Copy, index.Park:
		return p.copy(op)
	default:
		return p.add(op)
	}
	return nil
}

// fetch orders a file, unless what is to go first at its path stays.
func (p *performer) fetch(op *index.Op) error {
	if p.listed[op.Path] {
		if err := p.flush(); err != nil {
			return err
		}
	}
	if p.failed[op.Path] {
		return nil
	}
	return p.e.fetch(op.Shown)
}

// add puts an operation on the list. What comes before it at its paths is done first, for it may fail.
func (p *performer) add(op *index.Op) error {
	if p.listed[op.Path] || op.From != "" && p.listed[op.From] {
		if err := p.flush(); err != nil {
			return err
		}
	}
	lost := op.Kind == index.Rename && op.Slot != 0 && p.slots[op.Slot] == ""
	if lost || p.failed[op.Path] || op.From != "" && p.failed[op.From] {
		p.fail(op)
		return nil
	}
	if was := p.parked[op.Path]; was != nil && op.Kind == index.Mkdir {
		return p.clear(op, was)
	}
	p.enlist(op, p.diskOp(op))
	return nil
}

// clear takes away what was parked where a directory is to be, and then makes that.
func (p *performer) clear(op *index.Op, was *index.Base) error {
	delete(p.parked, op.Path)
	gone := &index.Op{Kind: index.Delete, Path: op.Path, Base: was}
	p.tally.begin(gone)
	p.enlist(gone, p.diskOp(gone))
	return p.add(op)
}

// fail notes that an operation is not done now. Those that count on it are not either.
func (p *performer) fail(op *index.Op) {
	p.tally.fail(op)
	p.stays(op)
}

// stays notes that what an operation was to change is as it was.
func (p *performer) stays(op *index.Op) {
	p.failed[op.Path] = true
	if op.Kind == index.Rename && op.From != "" {
		p.failed[op.From] = true
	}
}

// enlist puts on the list what nothing before it concerns.
func (p *performer) enlist(op *index.Op, d disk.Op) {
	p.listed[d.Path], p.listed[d.From] = true, true
	there := &d.Old // what is at the path
	if d.Do == disk.Rename {
		there = &d.Over
	}
	if was := p.parked[d.Path]; was != nil && *there == nil {
		*there = was // its content is safe in a copy, but it still stands there
		delete(p.parked, d.Path)
	}
	p.list, p.from = append(p.list, d), append(p.from, op)
}

// diskOp is an operation of the plan as the disk does it.
func (p *performer) diskOp(op *index.Op) disk.Op {
	d := disk.Op{Path: op.Path, Old: present(op.Base), New: newRow(op.Shown)}
	switch op.Kind {
	case index.SetMeta:
		d.Do = disk.SetMeta
	case index.Mkdir:
		d.Do = disk.Mkdir
	case index.MakeSymlink:
		d.Do = disk.PutSymlink
	case index.Delete:
		d.Do = disk.Delete
	case index.Rmdir:
		d.Do = disk.Rmdir
	case index.Rename:
		if op.Slot != 0 {
			d.Do, d.Temp = disk.Put, p.slots[op.Slot]
			break
		}
		d.Do, d.From, d.Old, d.Over = disk.Rename, op.From, present(op.Source), present(op.Base)
	}
	return d
}

func present(b *index.Base) *index.Base {
	if b == nil || !b.Present {
		return nil
	}
	if b.Local && b.Type == index.File && len(b.Dots) > 0 { // the row says what is shown: of what the user wrote over it, its identity is known
		own := *b
		own.Size, own.Hash, own.Caps, own.Dots = b.Ident.Size, [32]byte{}, nil, nil
		return &own
	}
	return b
}

func newRow(s *index.Shown) *index.Base {
	if s == nil {
		return nil
	}
	b := index.BaseOf(*s)
	return &b
}

// copy makes a temporary copy of a file that is here. Everything before it is done first, for it may have moved the file.
func (p *performer) copy(op *index.Op) error {
	if err := p.flush(); err != nil {
		return err
	}
	if p.failed[op.Path] {
		p.fail(op)
		return nil
	}
	source, path := op.Source, op.From
	if op.Kind == index.Park {
		source, path = op.Base, op.Path
	} else if source.Path != path { // it was renamed to there just now, and has another identity
		row, err := known{ctx: p.e.ctx, db: p.e.node.db, n: p.e.n}.Row(path)
		if err != nil {
			return err
		}
		if row != nil && row.Present && row.Hash == source.Hash && row.Size == source.Size {
			source = row
		}
	}
	temp, err := p.e.copyTemp(path, source)
	if err != nil {
		p.fail(op)
		if source.Ident.CTime <= 0 {
			p.e.settle(path)
			p.e.plan.waiting[naturalOf(op)] = p.e.node.now().Add(settleWait)
			return nil
		}
		p.e.lookAt(path)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, blob.ErrContent) {
			p.e.retry(naturalOf(op), path, err)
		}
		return nil
	}
	if op.Kind == index.Park {
		p.slots[op.Slot], p.parked[op.Path] = temp, op.Base
		p.tally.done(op)
		return nil
	}
	p.enlist(op, disk.Op{Do: disk.Put, Path: op.Path, Temp: temp, Old: present(op.Base), New: newRow(op.Shown)})
	return nil
}

// copyTemp copies a file to a new temporary one, and verifies that it is what B says.
func (e *engine) copyTemp(path string, b *index.Base) (temp string, err error) {
	e.temps++
	if temp, err = e.folder.applier.Temp(path, fmt.Sprintf("copy-%d", e.temps), b.Size); err != nil {
		return "", err
	}
	return temp, e.folder.applier.Copy(e.ctx, path, b, temp)
}

// flush does what has been collected.
func (p *performer) flush() error {
	if len(p.list) == 0 {
		return nil
	}
	list, from := p.list, p.from
	p.list, p.from = nil, nil
	clear(p.listed)
	outcomes := p.e.folder.applier.Apply(p.e.ctx, list)
	for i := range outcomes {
		done, err := p.e.outcome(&outcomes[i], naturalOf(from[i]))
		if err != nil {
			return err
		}
		switch {
		case !done:
			p.fail(from[i])
		case outcomes[i].Done():
			p.tally.done(from[i])
		default: // it never will be
			p.tally.done(from[i])
			p.stays(from[i])
		}
	}
	return context.Cause(p.e.ctx)
}

// outcome takes note of what became of an operation; done says that it need not be tried again.
func (e *engine) outcome(o *disk.Outcome, natural string) (done bool, err error) {
	switch o.Result {
	case disk.Saved:
		e.lookAt(o.Copy)
		fallthrough
	case disk.Applied:
		if o.Op.Do == disk.Mkdir {
			e.watchNew(o.Op.Path)
		}
		if row := o.Row(); row != nil && row.Type == index.File && row.Ident.CTime <= 0 {
			e.settle(row.Path)
		}
		return true, errors.Join(e.takes(o), e.relieved(o.Op.Path))
	case disk.Stale:
		return e.stale(o, natural)
	case disk.Impossible:
		return true, e.impossible(o)
	}
	e.retry(natural, o.Op.Path, o.Err)
	return false, nil
}

// watchNew lets a directory be watched that is new here, and what a user put into it before that be found.
func (e *engine) watchNew(dir string) {
	if w := e.folder.watcher; w != nil {
		w.Enter(dir)
		e.folder.dirty.Add(dir, disk.LookDeep)
		e.poke()
	}
}

// relieved ends the problem of a path, if it had one.
func (e *engine) relieved(path string) error {
	if !e.plan.troubled[path] {
		return nil
	}
	delete(e.plan.troubled, path)
	return e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetProblem(e.n, path, "", "", e.node.now()) })
}

// A taken is a file that others removed or replaced here.
type taken struct {
	path  string
	bytes int64
}

// takes counts what others removed or replaced here, for the guard.
func (e *engine) takes(o *disk.Outcome) error {
	var b *index.Base
	switch o.Op.Do {
	case disk.Delete, disk.Put, disk.PutSymlink:
		b = o.Op.Old
	case disk.Rename:
		b = o.Op.Over
	}
	if b == nil || b.Type == index.Dir || e.plan.accepted[o.Op.Path] {
		delete(e.plan.accepted, o.Op.Path)
		return nil
	}
	e.lost = append(e.lost, taken{o.Op.Path, b.Size})
	return nil
}

// impossible notes that something cannot be on this disk: it is in the index, and not present.
func (e *engine) impossible(o *disk.Outcome) error {
	e.log.Warn("this cannot be put on this disk", "path", o.Op.Path, "why", o.Err)
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if o.Op.New != nil {
			row := *o.Op.New
			row.Present = false
			if err := t.PutBase(e.n, &row); err != nil {
				return err
			}
		}
		return t.SetProblem(e.n, o.Op.Path, "apply", o.Err.Error(), e.node.now())
	})
}

// retry lets a natural path wait before it is tried again.
func (e *engine) retry(natural, path string, why error) {
	e.log.Warn("this is tried again later", "path", path, "why", why)
	if isFull(why) {
		e.noteFull(why)
	}
	e.plan.waiting[natural] = e.node.now().Add(retryAfter)
	e.plan.troubled[path] = true
	_ = e.node.db.Update(e.ctx, func(t *db.Tx) error {
		return t.SetProblem(e.n, path, "wait", why.Error(), e.node.now())
	})
}

// lookAt lets a path be scanned.
func (e *engine) lookAt(path string) { e.folder.dirty.Add(path, disk.LookHash); e.poke() }

// writeRows changes what only B says, and counts losses.
func (p *performer) writeRows() error {
	e := p.e
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for i := range p.rows {
			op := &p.rows[i]
			if p.failed[op.Path] { // what is there is still what B says, or is found by the next scan
				p.tally.fail(op)
				continue
			}
			p.tally.done(op)
			if op.Kind == index.Forget {
				if err := t.DropBase(e.n, op.Path); err != nil {
					return err
				}
				continue
			}
			row := index.BaseOf(*op.Shown)
			if op.Base != nil && !op.Absent {
				row.Present, row.Ident, row.XDev = op.Base.Present, op.Base.Ident, op.Base.XDev
			}
			if err := t.PutBase(e.n, &row); err != nil {
				return err
			}
		}
		for _, l := range e.lost {
			if err := t.Take(e.n, l.path, e.node.now(), l.bytes); err != nil {
				return err
			}
		}
		e.lost = nil
		return nil
	})
}
