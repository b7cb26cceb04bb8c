package node

import (
	"context"
	"fmt"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
)

// Get fetches paths, and keeps them from now on; it waits until they are here. With out it copies them there instead: a file
// to that path, what is in a folder to that folder, and several paths into it by their names. When ctx ends with something
// missing: NoPeers when nobody was there to ask, else Stalled.
func (n *Node) Get(ctx context.Context, name string, paths []string, out string) ([]api.FileInfo, error) {
	e, t, err := n.reading(name)
	if err != nil {
		return nil, err
	}
	items, err := t.items(ctx, paths)
	if err != nil {
		return nil, err
	}
	n.Start()
	defer e.tellGetting(ctx, items)()
	if out != "" {
		return e.copyOut(ctx, items, out)
	}
	if e.row.Dir == "" {
		return nil, fail(bt.Usage, "share %s has no folder here: say where to copy to", e.row.Name)
	}
	err = e.do(ctx, func() error {
		c := parseConfig(e.row.Options)
		var todo []string
		for _, i := range items {
			c = wantPath(c, i.natural)
			for j := range i.shown {
				todo = append(todo, i.shown[j].Natural)
			}
		}
		return e.setConfig(ctx, c, todo)
	})
	if err != nil {
		return nil, err
	}
	if err := e.waitPresent(ctx, items); err != nil {
		return nil, err
	}
	list := []api.FileInfo{}
	for _, i := range items {
		for j := range i.shown {
			list = append(list, fileInfo(&i.shown[j], true, false))
		}
	}
	return list, nil
}

// An item is what somebody asked for.
type item struct {
	path    string // as it was said
	natural string
	isDir   bool
	shown   []index.Shown // files, directories and symbolic links, a directory before what is in it
}

func (t *treeNow) items(ctx context.Context, paths []string) (items []item, err error) {
	if len(paths) == 0 {
		paths = []string{""}
	}
	for _, p := range paths {
		i := item{path: cleanPath(p), isDir: cleanPath(p) == ""}
		natural, only, err := t.natural(i.path)
		if err != nil {
			return nil, err
		}
		i.natural = natural
		err = t.under(ctx, natural, func(s *index.Shown) error {
			if s.Type != index.File && s.Type != index.Dir && s.Type != index.Symlink || only != nil && s.Path != only.Path {
				return nil
			}
			i.isDir = i.isDir || s.Path == i.path && s.Type == index.Dir
			i.shown = append(i.shown, *s)
			return nil
		})
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, nil
}

// lookEvery is how often somebody who waits looks, when there is news all the time.
const lookEvery = 100 * time.Millisecond

// waitPresent waits until all items are on disk, or no longer in the share.
func (e *engine) waitPresent(ctx context.Context, items []item) error {
	var left []*index.Shown
	for i := range items {
		for j := range items[i].shown {
			left = append(left, &items[i].shown[j])
		}
	}
	return e.wait(ctx, func() (string, error) {
		for len(left) > 0 {
			ok, err := e.arrived(ctx, left[len(left)-1])
			if err != nil {
				return "", err
			}
			if !ok {
				return fmt.Sprintf("%d of the files are still missing: %s", len(left), left[len(left)-1].Path), nil
			}
			left = left[:len(left)-1]
		}
		return "", nil
	})
}

// arrived reports whether what was to be shown is on disk, or is no longer to be there.
func (e *engine) arrived(ctx context.Context, s *index.Shown) (ok bool, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) error {
		row, err := t.Base(e.n, s.Path)
		ok = row != nil && row.Present && (row.Type != index.File || row.Hash == s.Hash && row.Size == s.Size)
		return err
	})
	if ok || err != nil {
		return ok, err
	}
	t := e.treeNow()
	all, err := t.shows.At(s.Natural)
	if err != nil {
		return false, err
	}
	for i := range all {
		if all[i].Path == s.Path && all[i].Type == s.Type && all[i].Hash == s.Hash && all[i].Size == s.Size {
			return false, nil
		}
	}
	return true, nil // others have changed or removed it meanwhile
}

// wait looks, whenever there is news, until left is "": what is still to come. When the time of ctx is over that is said in
// an error: NoPeers when nobody is connected, else Stalled.
func (e *engine) wait(ctx context.Context, look func() (left string, err error)) error {
	for {
		_, news := e.look()
		left, err := look()
		if err != nil && ctx.Err() == nil || err == nil && left == "" {
			return err
		}
		select {
		case <-news:
			sleep(ctx, lookEvery)
		case <-ctx.Done():
		case <-e.ctx.Done():
			return errStopping
		}
		if ctx.Err() == nil {
			continue
		}
		if ctx.Err() != context.DeadlineExceeded {
			return context.Cause(ctx)
		}
		if e.net == nil || len(e.net.all()) == 0 {
			return fail(bt.NoPeers, "no other node of the share is connected; %s", left)
		}
		return fail(bt.Stalled, "%s", left)
	}
}
