package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// A past is one version of a path: of the state as it is, of a head that is kept, or of the archive.
type past struct {
	natural string
	shown   index.Shown // Type, MTime, Mode, Size, Hash, Caps, Value and Dots
	current bool
	disk    bool // it is on disk here
	archive bool // its content is in the archive here
	at      time.Time
}

// id names the version: its smallest dot, or the hash of what was never in the index.
func (p *past) id() string {
	if d := smallest(p.shown.Dots); !d.IsZero() {
		return dotText(d)
	}
	return "x" + hex.EncodeToString(p.shown.Hash[:8])
}

// oldHead is a complete head that can be read, and when it was made.
type oldHead struct {
	db.Head
	root index.Root
	made time.Time // by the clock of its writer
}

// oldHeads are all that are kept, the newest first. Those of other epochs are among them as far as this node had their keys.
func (e *engine) oldHeads() (all []oldHead, err error) {
	forest := e.reader()
	for _, h := range e.kept().all {
		keys := e.keysAt(h.Epoch)
		if !h.Complete || keys == nil {
			continue
		}
		o := oldHead{Head: h}
		b, err := e.blobs.Get(h.ID)
		if err != nil {
			return nil, err
		}
		head, err := index.ReadHead(e.token.Share, h.ID, b)
		if err != nil {
			return nil, err
		}
		sealed, err := head.ForReaders(keys)
		if err != nil {
			return nil, err
		}
		if o.root, err = forest.ReadRoot(blob.Cap{ID: h.Root, Key: sealed.Root}); err != nil {
			return nil, err
		}
		o.made = time.Unix(0, sealed.Time)
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b oldHead) int { return cmp.Or(b.made.Compare(a.made), bytes.Compare(a.ID[:], b.ID[:])) })
	return all, nil
}

// pasts are the versions of a path and of what is below it, by path and the newest first. Of a path that is below another
// only what has changed is known: what is as it was is not listed.
func (e *engine) pasts(ctx context.Context, p string) ([]past, error) {
	t := e.treeNow()
	heads, err := e.oldHeads()
	if err != nil {
		return nil, ioError("reading old heads", err)
	}
	all := map[string]*past{} // by path and content
	add := func(natural string, s *index.Shown) *past {
		if s.Type != index.File && s.Type != index.Symlink {
			return &past{}
		}
		key := natural + "\x00" + string(s.Hash[:]) + string(s.Value)
		if all[key] == nil {
			all[key] = &past{natural: natural, shown: *s}
		}
		return all[key]
	}
	current := func(natural string) error {
		shown, err := t.shows.At(natural)
		for i := range shown {
			add(natural, &shown[i]).current = true
		}
		return err
	}
	if p != "" {
		if err := current(p); err != nil {
			return nil, ioError("reading the share", err)
		}
	}
	for _, h := range heads {
		for c, err := range t.forest.Diff(ctx, t.root, h.root.Files) {
			if err != nil {
				return nil, ioError("reading an old head", err)
			}
			if !within(c.Path, []string{p}) {
				continue
			}
			if err := current(c.Path); err != nil {
				return nil, ioError("reading the share", err)
			}
			for i := range c.After {
				v := add(c.Path, shownOf(&c.After[i]))
				if v.at.IsZero() || h.made.Before(v.at) {
					v.at = h.made
				}
			}
		}
	}
	if err := e.archivedPasts(ctx, p, add, current); err != nil {
		return nil, ioError("reading the archive", err)
	}
	list := make([]past, 0, len(all))
	for _, v := range all {
		list = append(list, *v)
	}
	return list, e.locate(ctx, list)
}

// shownOf is what an entry says.
func shownOf(x *index.Entry) *index.Shown {
	return &index.Shown{Path: x.Name, Type: x.Type, Dots: []index.Dot{x.Dot}, MTime: x.MTime, Mode: x.Mode, HasMode: x.HasMode,
		Size: x.Size, Hash: x.Hash, Caps: x.Caps, Value: x.Value}
}

func (e *engine) archivedPasts(ctx context.Context, p string, add func(string, *index.Shown) *past, current func(string) error) error {
	var old []db.Archived
	err := e.node.db.View(ctx, func(t *db.Tx) (err error) { old, err = t.ArchivedAt(e.n, p); return err })
	for i := range old {
		r := &old[i].Row
		if r.Hash == [32]byte{} && r.Size > 0 || r.Size > 0 && len(r.Caps) == 0 {
			continue // a directory, a link, or a file that nobody shared: it is there to be looked at
		}
		if err := current(r.Path); err != nil {
			return err
		}
		v := add(r.Path, &index.Shown{Path: r.Path, Type: index.File, Dots: r.Dots, MTime: r.Ident.MTime, Mode: r.Ident.Mode & 0o777, HasMode: r.Ident.Mode != 0,
			Size: r.Size, Hash: r.Hash, Caps: r.Caps})
		v.archive = true
	}
	return err
}

// locate says of versions whether they are on disk or in the archive, and sorts them.
func (e *engine) locate(ctx context.Context, list []past) error {
	err := e.node.db.View(ctx, func(t *db.Tx) error {
		for i := range list {
			v := &list[i]
			rows, err := t.ShownOf(e.n, v.natural)
			if err != nil {
				return err
			}
			for j := range rows {
				b := &rows[j]
				v.disk = v.disk || b.Present && !b.Local && b.Type == v.shown.Type && b.Hash == v.shown.Hash && string(b.Value) == string(v.shown.Value)
			}
			if v.archive || len(v.shown.Caps) == 0 {
				continue
			}
			old, err := t.ArchivedByCap(e.n, v.shown.Caps[0].ID[:])
			if err != nil {
				return err
			}
			v.archive = len(old) > 0
		}
		return nil
	})
	slices.SortFunc(list, func(a, b past) int {
		rank := func(p *past) int {
			if p.current {
				return 0
			}
			return 1
		}
		return cmp.Or(index.ComparePaths(a.natural, b.natural), cmp.Compare(rank(&a), rank(&b)), cmp.Compare(b.shown.MTime, a.shown.MTime), cmp.Compare(a.id(), b.id()))
	})
	return err
}

// History is the versions of a path, or of all paths below it that have others than the one of now: those of the index and
// of heads that are kept, and those in the archive here.
func (n *Node) History(ctx context.Context, name, p string) ([]api.Version, error) {
	e, t, err := n.reading(name)
	if err != nil {
		return nil, err
	}
	p = cleanPath(p)
	if natural, _, err := t.natural(p); err == nil { // what is gone has a history too
		p = natural
	}
	all, err := e.pasts(ctx, p)
	if err != nil {
		return nil, err
	}
	own, err := e.ownWriters(ctx)
	if err != nil {
		return nil, ioError("reading the node's state", err)
	}
	list := make([]api.Version, 0, len(all))
	for i := range all {
		v := &all[i]
		out := api.Version{N: 1, Path: v.natural, Size: v.shown.Size, MTime: time.Unix(0, v.shown.MTime).UTC(), Ours: ours(own, v.shown.Dots), Where: "peers", ID: v.id()}
		if i > 0 && list[i-1].Path == v.natural {
			out.N = list[i-1].N + 1
		}
		if d := smallest(v.shown.Dots); !d.IsZero() {
			out.Writer = hex.EncodeToString(d.Writer[:])
		}
		switch {
		case v.disk:
			out.Where = "disk"
		case v.archive:
			out.Where = "archive"
		}
		list = append(list, out)
	}
	return list, nil
}
