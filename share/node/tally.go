package node

import (
	"shoal/share/db"
	"shoal/share/index"
)

// tally is which natural paths of a plan have come to their end.
type tally struct {
	left map[string]int  // operations still to be done
	own  map[string]bool // those that were planned; nil = all. Others are only touched, as is a directory made on the way
	bad  map[string]bool // not done: the path stays on the list
}

func newTally(paths, idle []string) *tally {
	t := &tally{left: map[string]int{}, bad: map[string]bool{}}
	if paths != nil {
		t.own = make(map[string]bool, len(paths))
	}
	for _, p := range paths {
		t.own[p] = true
	}
	for _, p := range idle {
		t.left[p] = 0
	}
	return t
}

// wait keeps the natural paths of operations on the list.
func (t *tally) wait(ops []index.Op) {
	for i := range ops {
		t.fail(&ops[i])
	}
}

// begin, done and fail count an operation at the natural paths that are at their end with it: what a rename takes away, or
// anything replaces, may be of another, which has no operation of its own.
func (t *tally) begin(op *index.Op) { t.each(op, func(p string) { t.left[p]++ }) }
func (t *tally) done(op *index.Op)  { t.each(op, func(p string) { t.left[p]-- }) }
func (t *tally) fail(op *index.Op)  { t.each(op, func(p string) { t.bad[p] = true }) }

func (t *tally) each(op *index.Op, f func(natural string)) {
	p := naturalOf(op)
	f(p)
	if b := present(op.Base); b != nil && b.Natural != p {
		f(b.Natural)
	}
	if op.Kind == index.Rename && op.Source != nil && op.Source.Natural != p {
		f(op.Source.Natural)
	}
}

// naturalOf is the natural path that an operation was planned for.
func naturalOf(op *index.Op) string {
	switch {
	case op.Shown != nil:
		return op.Shown.Natural
	case op.Base != nil:
		return op.Base.Natural
	}
	return op.Path
}

// finish takes from the list what is done.
func (e *engine) finish(t *tally) error {
	return e.node.db.Update(e.ctx, func(tx *db.Tx) error {
		for p, left := range t.left {
			if left > 0 || t.bad[p] || t.own != nil && !t.own[p] {
				continue
			}
			delete(e.plan.tries, p)
			if err := tx.Did(e.n, p); err != nil {
				return err
			}
		}
		return nil
	})
}
