package node

import (
	"context"
	"maps"
	"slices"

	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// releaseOld lets go of what was held at natural paths that have been planned again, and is not to be held any more: somebody
// put it back, or changed it again.
func (e *engine) releaseOld(planned []string, held []index.Op) error {
	if len(e.plan.held) == 0 {
		return nil
	}
	now := make(map[string]bool, len(held))
	for i := range held {
		now[held[i].Path] = true
	}
	at := make(map[string]bool, len(planned))
	for _, p := range planned {
		at[p] = e.plan.naturals[p] == 0 && e.plan.waiting[p].IsZero() // else it was passed over
	}
	var over []string
	for p, natural := range e.plan.held {
		if at[natural] && !now[p] {
			over = append(over, p)
		}
	}
	return e.release(e.ctx, over)
}

// release ends the holding of paths on disk.
func (e *engine) release(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	err := e.node.db.Update(ctx, func(t *db.Tx) error {
		for _, p := range paths {
			if err := t.Release(e.n, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return ioError("releasing what was held", err)
	}
	for _, p := range paths {
		delete(e.plan.held, p)
	}
	return nil
}

// Accept applies what is held on this node, and says how many paths that is. Where an admin waits for a first head, it begins
// anew instead.
func (n *Node) Accept(ctx context.Context, name string) (count int, err error) {
	e, err := n.find(name)
	if err != nil {
		return 0, err
	}
	err = e.do(ctx, func() error {
		if e.mayBegin() {
			return e.beginAnew()
		}
		paths := slices.Sorted(maps.Keys(e.plan.held))
		todo := make([]string, 0, len(paths))
		for _, p := range paths {
			todo = append(todo, e.plan.held[p])
		}
		err := e.node.db.Update(ctx, func(t *db.Tx) error {
			if err := t.AddTodo(e.n, todo...); err != nil {
				return err
			}
			return t.Accept(e.n) // a command without a node only says so: the next process does it
		})
		if err != nil {
			return ioError("accepting what is held", err)
		}
		for _, p := range paths {
			e.plan.accepted[p] = true
		}
		clear(e.plan.held)
		e.plan.promised = e.plan.promised || len(paths) > 0
		count = len(paths)
		e.planAgain(todo)
		return nil
	})
	return count, err
}

// acceptedDone forgets what a person has accepted, once nothing is left to do.
func (e *engine) acceptedDone() error {
	if !e.plan.promised {
		return nil
	}
	if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.Done(e.n) }); err != nil {
		return err
	}
	e.plan.promised = false
	return nil
}

// planAgain lets natural paths be planned soon.
func (e *engine) planAgain(naturals []string) {
	for _, p := range naturals {
		delete(e.plan.waiting, p)
	}
	e.plan.again = true
	e.poke()
}

// Reject puts back, for all nodes, what is held on this one: the content that is here comes back as an edit of this node. It
// says how many paths that is.
func (n *Node) Reject(ctx context.Context, name string) (count int, err error) {
	e, err := n.find(name)
	if err != nil {
		return 0, err
	}
	if e.token.Role < secret.Write {
		return 0, fail(codeDenied, "only a writer can put back what others did in %s", e.row.Name)
	}
	err = e.do(ctx, func() error {
		if len(e.plan.held) == 0 {
			return nil
		}
		if e.folder == nil {
			return errNoFolder
		}
		held, err := e.heldOps()
		if err != nil {
			return err
		}
		events := index.Reject(held)
		if len(events) > 0 {
			if err := e.commitEvents(events); err != nil {
				return err
			}
		}
		count = len(events)
		naturals := slices.Collect(maps.Values(e.plan.held))
		err = e.release(ctx, slices.Collect(maps.Keys(e.plan.held)))
		e.planAgain(naturals)
		return err
	})
	return count, err
}

// heldOps are the operations that are held, as they are planned now.
func (e *engine) heldOps() (held []index.Op, err error) {
	naturals := slices.Sorted(maps.Values(e.plan.held))
	for _, natural := range slices.Compact(naturals) {
		ops, err := e.planPath(natural)
		if err != nil {
			return nil, err
		}
		for _, op := range ops {
			if _, ok := e.plan.held[op.Path]; ok {
				held = append(held, op)
			}
		}
	}
	return held, nil
}
