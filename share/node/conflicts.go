package node

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// Conflicts are the paths with several versions.
func (n *Node) Conflicts(ctx context.Context, name string) ([]api.Conflict, error) {
	e, t, err := n.reading(name)
	if err != nil {
		return nil, err
	}
	own, err := e.ownWriters(ctx)
	if err != nil {
		return nil, ioError("reading the node's state", err)
	}
	list := []api.Conflict{}
	for p, err := range t.forest.Walk(t.root, "") {
		if err != nil {
			return nil, ioError("reading the share", err)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(p.Entries) < 2 && (len(p.Entries) == 0 || p.Below.IsZero()) {
			continue
		}
		shown, err := t.shows.At(p.Path)
		if err != nil {
			return nil, ioError("reading the share", err)
		}
		if len(shown) < 2 {
			continue
		}
		c := api.Conflict{Path: p.Path}
		for i := range shown {
			v, err := e.version(ctx, &shown[i], own)
			if err != nil {
				return nil, err
			}
			v.N = i + 1
			c.Versions = append(c.Versions, v)
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b api.Conflict) int { return index.ComparePaths(a.Path, b.Path) })
	return list, nil
}

// version is what is shown as a version: on disk, or with others.
func (e *engine) version(ctx context.Context, s *index.Shown, own index.Context) (v api.Version, err error) {
	d := smallest(s.Dots)
	v = api.Version{Path: s.Path, Size: s.Size, MTime: time.Unix(0, s.MTime).UTC(), Ours: ours(own, s.Dots), Where: "peers"}
	if !d.IsZero() {
		v.Writer, v.ID = hex.EncodeToString(d.Writer[:]), dotText(d)
	}
	err = e.node.db.View(ctx, func(t *db.Tx) error {
		row, err := t.Base(e.n, s.Path)
		if row != nil && row.Present && !row.Local && row.Type == s.Type && row.Hash == s.Hash && row.Size == s.Size {
			v.Where = "disk"
		}
		return err
	})
	return v, err
}

// Resolve ends a conflict: one version keeps the name, the others go to the archive. keep is "ours", the newest of this
// node, "theirs", the newest of another, or the number of the version.
func (n *Node) Resolve(ctx context.Context, name, p, keep string) error {
	e, t, err := n.reading(name)
	if err != nil {
		return err
	}
	if e.token.Role < secret.Write {
		return fail(codeDenied, "only a writer can resolve conflicts in %s", e.row.Name)
	}
	natural, _, err := t.natural(cleanPath(p))
	if err != nil {
		return err
	}
	own, err := e.ownWriters(ctx)
	if err != nil {
		return ioError("reading the node's state", err)
	}
	return e.do(ctx, func() error {
		shown, err := e.treeOf(e.row.State.Root).shows.At(natural)
		if err != nil {
			return ioError("reading the share", err)
		}
		chosen, err := choose(shown, keep, own)
		if err != nil {
			return err
		}
		ev := index.Event{RemoveAt: natural}
		for i := range shown {
			// A directory has its name whatever is said here; what is in it is no version of a file.
			if i != chosen && shown[i].Type != index.Dir {
				ev.Remove = append(ev.Remove, shown[i].Dots...)
				e.plan.accepted[shown[i].Path] = true
			}
		}
		e.plan.accepted[natural] = true // the chosen one may come to it
		if len(ev.Remove) == 0 {
			return nil
		}
		return e.commitEvents([]index.Event{ev})
	})
}

// choose is the place of the version that stays.
func choose(shown []index.Shown, keep string, own index.Context) (int, error) {
	if len(shown) < 2 {
		return 0, fail(bt.NotFound, "there is no conflict at that path")
	}
	if i, err := strconv.Atoi(keep); err == nil {
		if i < 1 || i > len(shown) {
			return 0, fail(bt.NotFound, "there are versions 1 to %d, and no %d", len(shown), i)
		}
		return i - 1, nil
	}
	if keep != "ours" && keep != "theirs" {
		return 0, fail(bt.Usage, "what to keep is ours, theirs or a number, and not %q", keep)
	}
	for i := range shown { // the newest comes first
		if shown[i].Type != index.Dir && ours(own, shown[i].Dots) == (keep == "ours") {
			return i, nil
		}
	}
	if keep == "ours" {
		return 0, fail(bt.NotFound, "no version is of this node: say its number")
	}
	return 0, fail(bt.NotFound, "all versions are of this node: say its number")
}
