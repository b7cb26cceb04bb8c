package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/secret"
)

// Bounds of what is under way at once.
const (
	planPaths  = 20_000 // natural paths planned together: renames are found within them
	maxComing  = 4_000  // files that are being fetched
	applyAt    = 1_000  // fetched files that are put at once
	retryAfter = 30 * time.Second
)

// planner is what the control goroutine remembers of what is to be done.
type planner struct {
	cursor   string               // the last natural path planned; "" = begin
	again    bool                 // begin again once the end is reached
	twins    bool                 // a path waits for content that is coming for another
	coming   map[string]*arrival  // files that are being fetched, by path on disk
	naturals map[string]int       // how many of them a natural path has
	waiting  map[string]time.Time // natural paths that failed, and when to try again
	accepted map[string]bool      // paths on disk whose loss a person has accepted
	promised bool                 // the database has some of those
	troubled map[string]bool      // paths on disk that could not be put there at first
	linger   map[string]string    // directories that should go, by natural path, and hold what B does not know
	tries    map[string]int       // natural paths that something stood in the way of, and how often
	held     map[string]string    // natural paths of those on disk that are held
}

func newPlanner() planner {
	return planner{again: true, coming: map[string]*arrival{}, naturals: map[string]int{}, waiting: map[string]time.Time{}, troubled: map[string]bool{}, accepted: map[string]bool{}, linger: map[string]string{}, tries: map[string]int{}, held: map[string]string{}}
}

// work brings the disk nearer to the state: what has been fetched is put in place, and more is planned. more says that it
// can go on at once.
func (e *engine) work() (more bool, err error) {
	if err := errors.Join(e.giveUpOld(), e.lookAtLingering()); err != nil {
		return false, err
	}
	more, err = e.putArrived()
	if err != nil || len(e.plan.coming) >= maxComing {
		return more, err
	}
	if e.plan.cursor == "" && !e.plan.again && !e.dueAgain() {
		return more, nil
	}
	var paths []string
	err = e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		paths, err = t.Todo(e.n, e.plan.cursor, planPaths)
		return err
	})
	if err != nil {
		return false, err
	}
	if e.plan.cursor == "" {
		e.plan.again = false
	}
	if len(paths) < planPaths {
		e.plan.cursor = ""
	} else {
		e.plan.cursor, more = paths[len(paths)-1], true
	}
	if len(paths) == 0 {
		return more, nil
	}
	err = e.planPaths(paths) // it may want to be called again
	return more || e.plan.again, err
}

// dueAgain reports whether a path that failed may be tried again.
func (e *engine) dueAgain() bool {
	now := e.node.now()
	due := false
	for p, at := range e.plan.waiting {
		if !now.Before(at) {
			delete(e.plan.waiting, p)
			due = true
		}
	}
	return due
}

// planPaths plans natural paths, does at once what needs nothing from others, and starts to fetch the rest.
func (e *engine) planPaths(paths []string) error {
	var ops []index.Op
	var idle []string // nothing to do there
	var young []string
	paths = slices.DeleteFunc(paths, func(p string) bool { return e.plan.naturals[p] > 0 || !e.plan.waiting[p].IsZero() })
	err := e.planEach(paths, func(p string, todo []index.Op) {
		switch {
		case len(todo) == 0:
			idle = append(idle, p)
		case e.unsettled(todo):
			e.plan.waiting[p] = e.node.now().Add(settleWait)
			young = append(young, p)
		default:
			ops = append(ops, todo...)
		}
	})
	if err != nil {
		return err
	}
	batch, err := e.guard(ops)
	if err != nil {
		return err
	}
	if err := e.releaseOld(paths, batch.Held); err != nil {
		return err
	}
	if err := e.unblock(batch.Blocked); err != nil {
		return err
	}
	done := newTally(paths, idle)
	for _, p := range young {
		done.bad[p] = true
	}
	done.wait(batch.Held)
	done.wait(batch.Blocked)
	if err := e.perform(batch.Ops, done); err != nil {
		return err
	}
	return e.finish(done)
}

// unblock has planned what may stand in the way of operations: a file where a directory is to be is no news of its own when
// only what is below has changed.
func (e *engine) unblock(blocked []index.Op) error {
	var todo []string
	for i := range blocked {
		natural := naturalOf(&blocked[i])
		e.rest(natural)
		for _, p := range index.Touches(blocked[i].Path) {
			if p != natural {
				todo = append(todo, p)
			}
		}
	}
	if len(todo) == 0 {
		return nil
	}
	e.plan.again = true
	slices.Sort(todo)
	return e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.AddTodo(e.n, slices.Compact(todo)...) })
}

// settleWait is a little more than the time after which a young file is hashed again.
const settleWait = disk.RacyTime + 100*time.Millisecond

// staleWait is how long a natural path rests the first time that something else than what was expected is in the way.
const staleWait = time.Second

// rest lets a natural path wait because something is in the way, longer each time.
func (e *engine) rest(natural string) {
	e.plan.waiting[natural] = e.node.now().Add(staleWait << min(e.plan.tries[natural], 5))
	e.plan.tries[natural]++
}

// unsettled reports whether operations touch a file that is too young to be known by its identity: it is hashed again
// first.
func (e *engine) unsettled(ops []index.Op) (young bool) {
	for i := range ops {
		if b := ops[i].Base; b != nil && b.Present && b.Type == index.File && b.Ident.CTime <= 0 && ops[i].Kind != index.Adopt {
			e.settle(b.Path)
			young = true
		}
	}
	return young
}

// nextTry is when the first of those that wait may be tried again.
func (e *engine) nextTry() time.Duration {
	next := idleLook
	for _, at := range e.plan.waiting {
		next = min(next, max(0, at.Sub(e.node.now())))
	}
	return next
}

// planPath is what is to be done at a natural path, by the state as it is now.
func (e *engine) planPath(natural string) (ops []index.Op, err error) {
	err = e.planEach([]string{natural}, func(_ string, todo []index.Op) { ops = todo })
	return ops, err
}

// viewNow is how the state as it is now is shown on this disk.
func (e *engine) viewNow() *index.View {
	if e.shows == nil || e.showsOf != e.row.State.Root.Files {
		e.shows, e.showsOf = index.NewView(e.forest, e.row.State.Root.Files, e.folder.fs.FoldsCase()), e.row.State.Root.Files
	}
	return e.shows
}

// planEach plans natural paths: first what should be there, then, in one transaction, what is.
func (e *engine) planEach(paths []string, f func(natural string, ops []index.Op)) error {
	view := e.viewNow()
	shown := make([][]index.Shown, len(paths))
	for i, p := range paths {
		var err error
		if shown[i], err = view.At(p); err != nil {
			return err
		}
	}
	config := parseConfig(e.row.Options)
	rules := index.Rules{Wanted: func(p string) bool { return wants(&config, p) }, ReadOnly: e.token.Role < secret.Write, Revert: e.reverts}
	return e.node.db.View(e.ctx, func(t *db.Tx) error {
		conflicts, err := t.AnyConflict(e.n)
		for i, p := range paths {
			if err != nil {
				return err
			}
			var base []index.Base
			var own *index.Base
			if conflicts {
				base, err = t.ShownOf(e.n, p)
			} else if own, err = t.Base(e.n, p); own != nil {
				base = []index.Base{*own}
			}
			if err == nil {
				f(p, index.Plan(shown[i], base, rules))
			}
		}
		return err
	})
}

// guard arranges what is planned, and holds back what a person must decide.
func (e *engine) guard(ops []index.Op) (index.Batch, error) {
	g := index.Guard{
		Held:     func(p string) bool { _, ok := e.plan.held[p]; return ok },
		Accepted: func(p string) bool { return e.plan.accepted[p] },
	}
	since := e.node.now().Add(-24 * time.Hour)
	err := e.node.db.Update(e.ctx, func(t *db.Tx) error {
		files, bytes, err := t.CountBase(e.n)
		if err != nil {
			return err
		}
		g.Total = index.Count{Files: int(files), Bytes: bytes}
		files, bytes, err = t.Taken(e.n, since)
		g.Removed = index.Count{Files: int(files), Bytes: bytes}
		return err
	})
	if err != nil {
		return index.Batch{}, err
	}
	var b index.Batch
	if err := e.node.db.View(e.ctx, func(t *db.Tx) error {
		rows := rowsOf{t, e.n, g.Total.Files == 0, new(error)}
		g.Counted = func(p string) bool {
			was, err := t.WasTaken(e.n, p, since)
			*rows.err = cmp.Or(*rows.err, err)
			return was
		}
		b = g.Arrange(ops, rows)
		return *rows.err
	}); err != nil {
		return b, err
	}
	return b, e.hold(b.Held)
}

// hold records operations that wait for a person.
func (e *engine) hold(held []index.Op) error {
	if len(held) == 0 {
		return nil
	}
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for i := range held {
			op := &held[i]
			e.plan.held[op.Path] = naturalOf(op)
			if err := t.Hold(e.n, &db.Held{Path: op.Path, Op: op.Kind.String(), Why: "guard", Since: e.node.now()}); err != nil {
				return err
			}
		}
		return nil
	})
}

// rowsOf is B as index.Arrange wants it, within a transaction. The first error stays.
type rowsOf struct {
	t       *db.Tx
	n       int64
	noFiles bool // there is none to copy
	err     *error
}

func (r rowsOf) Row(p string) (index.Base, bool) {
	row, err := r.t.Base(r.n, p)
	*r.err = cmp.Or(*r.err, err)
	if row == nil {
		return index.Base{}, false
	}
	return *row, true
}

func (r rowsOf) Having(hash [32]byte, size int64) []index.Base {
	if r.noFiles {
		return nil
	}
	all, err := r.t.ByHash(r.n, hash, 8)
	*r.err = cmp.Or(*r.err, err)
	return slices.DeleteFunc(all, func(b index.Base) bool { return !b.Present || b.Local || b.Size != size || b.Type != index.File })
}

// reverts reports whether a read-only node's own change at a path is to be given up.
func (e *engine) reverts(p string) bool { return e.reverting != nil && within(p, e.reverting) }

// arrival is a file that is on its way from peers.
type arrival struct {
	shown index.Shown
	temp  string
	large bool
	of    blob.Cap // the tree that it was last wanted by
	alone bool     // putting it is all there is to do at its natural path
	err   error

	ctx    context.Context // until it is not wanted any more
	cancel context.CancelFunc
}

// caps that a file is fetched by; nil of an empty one.
func (a *arrival) cap() blob.Cap {
	if len(a.shown.Caps) == 0 {
		return blob.Cap{}
	}
	return a.shown.Caps[0]
}
