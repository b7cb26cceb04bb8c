package node

import (
	"context"
	"slices"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// wantPath is c with a path, and all below it, to be kept here.
func wantPath(c api.ShareConfig, p string) api.ShareConfig {
	c.Dropped, c.Wanted = without(c.Dropped, p), without(c.Wanted, p)
	if !wantsAll(&c) && nearest(p, c.Wanted) <= nearest(p, c.Dropped) {
		c.Wanted = append(c.Wanted, p)
	}
	return c
}

// dropPath is c with a path, and all below it, not to be kept here.
func dropPath(c api.ShareConfig, p string) api.ShareConfig {
	c.Dropped, c.Wanted = without(c.Dropped, p), without(c.Wanted, p)
	if wanted := nearest(p, c.Wanted); wanted >= 0 && wanted >= nearest(p, c.Dropped) || !c.OnDemand && nearest(p, c.Dropped) < 0 {
		c.Dropped = append(c.Dropped, p)
	}
	return c
}

// without is paths without p and those below it.
func without(paths []string, p string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(q string) bool { return within(q, []string{p}) })
}

// setConfig changes what this node keeps. The control goroutine calls it.
func (e *engine) setConfig(ctx context.Context, c api.ShareConfig, todo []string) error {
	options := encodeOptions(c, e.link)
	err := e.node.db.Update(ctx, func(t *db.Tx) error {
		if err := t.AddTodo(e.n, todo...); err != nil {
			return err
		}
		return t.SetOptions(e.n, options)
	})
	if err != nil {
		return ioError("keeping what is wanted", err)
	}
	e.row.Options = options
	for _, p := range todo {
		delete(e.plan.waiting, p)
	}
	e.plan.again = true
	v, _ := e.look()
	e.show(v.State, nil)
	e.poke()
	return nil
}

// larges are the infos of large files by their recipes.
func (e *engine) larges(ctx context.Context) (infos map[blob.ID]blob.ID, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) error { infos, _, err = t.Larges(e.n); return err })
	return infos, err
}

// rowsOfNatural are the rows of B that show a natural path and what is below it, those of directories after what is in
// them.
func (e *engine) rowsOfNatural(ctx context.Context, natural string) (rows []index.Base, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) error {
		if natural != "" {
			if rows, err = t.ShownOf(e.n, natural); err != nil {
				return err
			}
		}
		return t.Under(e.n, natural, func(b *index.Base) error {
			if b.Path != "" {
				rows = append(rows, *b)
			}
			return nil
		})
	})
	slices.SortFunc(rows, func(a, b index.Base) int { return -index.ComparePaths(a.Path, b.Path) })
	return rows, err
}
