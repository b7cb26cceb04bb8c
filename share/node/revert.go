package node

import (
	"context"
	"fmt"
	"slices"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// Revert gives up what the user of a read-only node changed at a path and below it: his files go to the archive, and what the
// share says comes in their place. It waits until that is so; when ctx ends before, the code is NoPeers or Stalled.
func (n *Node) Revert(ctx context.Context, name, p string) ([]api.FileInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	if e.token.Role >= secret.Write {
		return nil, fail(bt.Usage, "this node writes to %s: its changes are everybody's; restore brings back an older version", e.row.Name)
	}
	if e.forest == nil {
		return nil, fail(bt.NotFound, "a store has no files to change in %s", e.row.Name)
	}
	p = cleanPath(p)
	changed, err := e.localRows(ctx, p)
	if err != nil {
		return nil, ioError("reading the node's state", err)
	}
	n.Start()
	var naturals []string
	for i := range changed {
		naturals = append(naturals, changed[i].Natural)
	}
	err = e.do(ctx, func() error {
		err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.AddTodo(e.n, naturals...) })
		if err != nil {
			return ioError("reverting", err)
		}
		e.reverting = append(e.reverting, p)
		for i := range changed {
			e.plan.accepted[changed[i].Path] = true
		}
		e.planAgain(naturals)
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer e.doneReverting(p)
	err = e.wait(ctx, func() (string, error) {
		left, err := e.localRows(ctx, p)
		left = slices.DeleteFunc(left, func(b index.Base) bool {
			return !slices.ContainsFunc(changed, func(c index.Base) bool { return c.Path == b.Path })
		})
		if err != nil || len(left) == 0 {
			return "", err
		}
		return fmt.Sprintf("%d paths are not yet as the share says: %s", len(left), left[0].Path), nil
	})
	if err != nil {
		return nil, err
	}
	list := []api.FileInfo{}
	for i := range changed {
		list = append(list, rowInfo(&changed[i]))
	}
	return list, nil
}

// localRows are the rows of what the user of a read-only node changed at a path and below it.
func (e *engine) localRows(ctx context.Context, p string) (rows []index.Base, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) error {
		return t.Locals(e.n, func(b *index.Base) error {
			if within(b.Path, []string{p}) {
				rows = append(rows, *b)
			}
			return nil
		})
	})
	return rows, err
}

// doneReverting ends what Revert began.
func (e *engine) doneReverting(p string) {
	_ = e.do(e.ctx, func() error {
		if i := slices.Index(e.reverting, p); i >= 0 {
			e.reverting = slices.Delete(e.reverting, i, i+1)
		}
		return nil
	})
}
