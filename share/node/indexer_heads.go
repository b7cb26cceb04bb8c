package node

import (
	"fmt"
	"slices"

	"shoal/share/blob"
	"shoal/share/db"
)

// maxToldOf is how many heads that are not here yet one peer may have told of.
const maxToldOf = 4 * maxIncomplete

// want asks for heads that are not known, of which a peer has told. One that tells of heads that do not exist keeps no room
// but its own, and that until it leaves.
func (x *indexer) want(p *peer, ids []blob.ID) {
	l := x.s.e.kept()
	x.mu.Lock()
	mine := x.toldBy[p]
	if mine == nil {
		mine = map[blob.ID]bool{}
		x.toldBy[p] = mine
	}
	var more []blob.ID
	for _, id := range ids {
		if id.Kind() == blob.Head && x.heads[id] == nil && !x.wrong[id] && !l.has(id) && len(mine) < maxToldOf {
			x.heads[id], mine[id] = p, true
			more = append(more, id)
		}
	}
	x.mu.Unlock()
	if len(more) > 0 {
		x.job.Want(more...)
	}
}

// came notes that a head is no longer on its way.
func (x *indexer) came(id blob.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.toldBy[x.heads[id]], id)
	delete(x.heads, id)
}

// left forgets what only a peer that has left told of, and has not come; others may have told of it later.
func (x *indexer) left(p *peer) {
	x.mu.Lock()
	var gone []blob.ID
	for id := range x.toldBy[p] {
		delete(x.heads, id)
		gone = append(gone, id)
	}
	delete(x.toldBy, p)
	x.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	x.job.Forget(gone...)
	for _, q := range x.s.all() {
		x.want(q, slices.DeleteFunc(slices.Clone(gone), func(id blob.ID) bool { return !x.s.hasTold(q, id) }))
	}
}

// makeRoom lets a head in when there are too many already whose index is not whole: the one that waits longest gives way.
// Refused would be what honest writers publish as soon as one of them has signed that many of which nobody has the rest.
func (x *indexer) makeRoom() error {
	l := x.s.e.kept().incomplete()
	if len(l) < maxIncomplete {
		return nil
	}
	oldest := slices.MinFunc(l, func(a, b db.Head) int { return a.Received.Compare(b.Received) })
	x.s.e.log.Warn("a head is given up: too many are not whole", "head", oldest.ID, "writer", oldest.Writer)
	return x.s.e.dropHead(oldest.ID)
}

// ignore drops a head whose index is not right, and names its writer.
func (x *indexer) ignore(h *db.Head, why error) error {
	e := x.s.e
	e.log.Warn("a head is ignored: its index is not right", "head", h.ID, "writer", h.Writer, "why", why)
	e.alarm(fmt.Sprintf("a state signed by writer %x is ignored: it is not right", h.Writer[:]))
	x.mu.Lock()
	if len(x.wrong) >= 4*maxIncomplete {
		clear(x.wrong)
	}
	x.wrong[h.ID] = true
	x.mu.Unlock()
	return e.dropHead(h.ID)
}

// dropHead forgets a head that is not complete.
func (e *engine) dropHead(id blob.ID) error {
	if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.DropHead(e.n, id) }); err != nil {
		return err
	}
	e.changeHeads(func(l *headList) {
		l.all = slices.DeleteFunc(l.all, func(h db.Head) bool { return h.ID == id })
		delete(l.root, id)
	})
	return nil
}
