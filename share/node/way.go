package node

import (
	"slices"

	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// makeWay lets a file replace what B has at its path for another natural path, if that is to go. If it is not, or is what has
// to go by itself first, the file does not come there now: B would forget what it has there, and below.
func (e *engine) makeWay(op *disk.Op, natural string) (free bool, err error) {
	if op.Old != nil {
		return true, nil
	}
	var row *index.Base
	err = e.node.db.View(e.ctx, func(t *db.Tx) (err error) { row, err = t.Base(e.n, op.Path); return err })
	if err != nil || row == nil || !row.Present {
		return true, err
	}
	ops, err := e.planPath(row.Natural)
	if err != nil {
		return false, err
	}
	e.plan.again = true
	goes := row.Natural != natural && slices.ContainsFunc(ops, func(o index.Op) bool { return o.Kind == index.Delete && o.Path == op.Path })
	if _, held := e.plan.held[op.Path]; !goes || held {
		e.rest(natural)
		return false, nil
	}
	op.Old = row
	return true, nil
}

// stale lets a path be scanned where something else is than B says, and planned again after that. A directory that is to go
// and has only in it what B does not know stays: that may be ignored here, and is nobody else's business.
func (e *engine) stale(o *disk.Outcome, natural string) (done bool, err error) {
	look := disk.LookHash
	if o.Op.Do == disk.Rmdir {
		look = disk.LookDeep
		if done, err = e.holdsOthers(o.Op.Path); done || err != nil {
			e.plan.linger[natural] = o.Op.Path
			e.folder.dirty.Add(o.Op.Path, look)
			return done, err
		}
	}
	for _, p := range o.Op.Paths() {
		e.folder.dirty.Add(p, look)
	}
	e.poke()
	// It is scanned first; a name that is missing counts as removed only after a second look.
	e.rest(natural)
	return false, nil
}

// holdsOthers reports whether a directory is there in which nothing is that B knows.
func (e *engine) holdsOthers(dir string) (bool, error) {
	names, err := e.folder.fs.ReadDir(dir)
	if err != nil || len(names) == 0 {
		return false, nil
	}
	var rows []index.Base
	err = e.node.db.View(e.ctx, func(t *db.Tx) (err error) { rows, err = t.Children(e.n, dir); return err })
	return !slices.ContainsFunc(rows, func(b index.Base) bool { return b.Present }), err
}

// lookAtLingering lets directories go that had something in them that B does not know, and have no more.
func (e *engine) lookAtLingering() error {
	for natural, dir := range e.plan.linger {
		if names, err := e.folder.fs.ReadDir(dir); err == nil && len(names) > 0 {
			continue
		}
		delete(e.plan.linger, natural)
		e.plan.again = true
		if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.AddTodo(e.n, natural) }); err != nil {
			return err
		}
	}
	return nil
}

// sweep puts directories on the list that are here and should not be: an earlier process may have left them for what was in
// them.
func (e *engine) sweep() error {
	var dirs []index.Base
	err := e.node.db.View(e.ctx, func(t *db.Tx) (err error) { dirs, err = t.Dirs(e.n); return err })
	if err != nil {
		return err
	}
	var todo []string
	view := e.viewNow()
	for i := range dirs {
		d := &dirs[i]
		shown, err := view.At(d.Natural)
		if err != nil {
			return err
		}
		if d.Path != "" && !d.Local && !slices.ContainsFunc(shown, func(s index.Shown) bool { return s.Type == index.Dir && s.Path == d.Path }) {
			todo = append(todo, d.Natural)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	e.plan.again = true
	return e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.AddTodo(e.n, todo...) })
}
