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
