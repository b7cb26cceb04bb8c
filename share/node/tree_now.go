package node

import (
	"context"
	"encoding/hex"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// treeNow is what a share shows now, for a goroutine other than the control one.
type treeNow struct {
	e      *engine
	forest *index.Forest
	of     index.Root
	root   blob.Cap
	shows  *index.View
}

// reading is a share whose names this node can read, and its tree.
func (n *Node) reading(name string) (*engine, *treeNow, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, nil, err
	}
	if e.forest == nil {
		return nil, nil, fail(bt.NotFound, "a store cannot read what is in %s", e.row.Name)
	}
	return e, e.treeNow(), nil
}

func (e *engine) treeNow() *treeNow {
	v, _ := e.look()
	return e.treeOf(v.Root)
}

func (e *engine) treeOf(root index.Root) *treeNow {
	v, _ := e.look()
	t := &treeNow{e: e, forest: e.reader(), of: root, root: root.Files}
	t.shows = index.NewView(t.forest, t.root, v.FS != nil && v.FS.FoldsCase())
	return t
}

// cleanPath is a path as people write it: "" is the top.
func cleanPath(p string) string {
	p = strings.Trim(path.Clean("/"+norm.NFC.String(p)), "/")
	if p == "." {
		return ""
	}
	return p
}

// natural is the natural path that somebody means by p: p itself, or that whose conflict copy is called so. shown is the
// conflict copy alone, nil when p is a natural path. NotFound when nothing is called so.
func (t *treeNow) natural(p string) (natural string, shown *index.Shown, err error) {
	if p == "" {
		return "", nil, nil
	}
	set, err := t.forest.Find(t.root, p)
	if err != nil {
		return "", nil, ioError("reading the share", err)
	}
	if len(set.Entries) > 0 || !set.Below.IsZero() {
		return p, nil, nil
	}
	for _, c := range index.Touches(p) {
		all, err := t.shows.At(c)
		if err != nil {
			return "", nil, ioError("reading the share", err)
		}
		for i := range all {
			if all[i].Path == p {
				return c, &all[i], nil
			}
		}
	}
	return "", nil, fail(bt.NotFound, "there is no %q in %s", p, t.e.row.Name)
}

// under calls f with all that is shown at natural and below it.
func (t *treeNow) under(ctx context.Context, natural string, f func(s *index.Shown) error) error {
	for p, err := range t.forest.Walk(t.root, natural) {
		if err != nil {
			return ioError("reading the share", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		all, err := t.shows.At(p.Path)
		if err != nil {
			return ioError("reading the share", err)
		}
		for i := range all {
			if err := f(&all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// lsTries is how often Ls looks for a tree and rows that are of the same moment.
const lsTries = 10

// Ls is what is in the share at a path and below it, as it is shown on disk, also what is not here.
func (n *Node) Ls(ctx context.Context, name, p string) ([]api.FileInfo, error) {
	e, t, err := n.reading(name)
	if err != nil {
		return nil, err
	}
	p = cleanPath(p)
	var natural string
	var only *index.Shown
	var rows map[string]rowNow
	for tries := 0; ; tries++ {
		if natural, only, err = t.natural(p); err != nil {
			return nil, err
		}
		var root index.Root
		if rows, root, err = e.rowsUnder(ctx, natural); err != nil {
			return nil, err
		}
		if root == t.of || tries == lsTries {
			break
		}
		t = e.treeOf(root) // what went meanwhile would look like what others have
	}
	list := []api.FileInfo{}
	err = t.under(ctx, natural, func(s *index.Shown) error {
		row := rows[s.Path]
		delete(rows, s.Path)
		if only == nil || only.Path == s.Path {
			list = append(list, fileInfo(s, row.present || s.Type == index.Link && e.showsLink(s.Path), row.local))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for path, row := range rows { // what only this node has
		if row.local && row.present && within(path, []string{p}) {
			list = append(list, api.FileInfo{Path: path, Type: typeName(row.typ), Size: row.size, MTime: mtimeOf(row.typ, row.mtime), Present: true, Local: true})
		}
	}
	slices.SortFunc(list, func(a, b api.FileInfo) int { return index.ComparePaths(a.Path, b.Path) })
	return list, nil
}

// rowNow is what a listing needs of a row of B.
type rowNow struct {
	present, local bool
	typ            index.Type
	size, mtime    int64
}

// rowsUnder are the rows of a natural path, of its conflict copies, and of what is below; and the root of their moment.
func (e *engine) rowsUnder(ctx context.Context, natural string) (_ map[string]rowNow, root index.Root, _ error) {
	rows := map[string]rowNow{}
	add := func(b *index.Base) error {
		rows[b.Path] = rowNow{b.Present, b.Local || b.Present && b.Type != index.Dir && len(b.Dots) == 0, b.Type, b.Size, b.MTime}
		return nil
	}
	err := e.node.db.View(ctx, func(t *db.Tx) error {
		row, err := t.Share(e.n)
		if err != nil || row == nil {
			return err
		}
		root = row.State.Root
		if natural != "" {
			all, err := t.ShownOf(e.n, natural)
			if err != nil {
				return err
			}
			for i := range all {
				_ = add(&all[i])
			}
		}
		return t.Under(e.n, natural, add)
	})
	delete(rows, "")
	if err != nil {
		return nil, root, ioError("reading the node's state", err)
	}
	return rows, root, nil
}

func fileInfo(s *index.Shown, present, local bool) api.FileInfo {
	i := api.FileInfo{Path: s.Path, Type: typeName(s.Type), Size: s.Size, MTime: mtimeOf(s.Type, s.MTime), Present: present, Local: local}
	if s.Type == index.Symlink {
		i.Target = string(s.Value)
	}
	if s.Path != s.Natural {
		i.Natural = s.Natural
	}
	if s.Type == index.File && s.Size > 0 {
		i.Hash = hex.EncodeToString(s.Hash[:])
	}
	return i
}

// mtimeOf is when what has a time was modified, from ns since 1970; zero for all else.
func mtimeOf(t index.Type, ns int64) time.Time {
	if t == index.File || t == index.Symlink {
		return time.Unix(0, ns).UTC()
	}
	return time.Time{}
}

// showsLink reports whether the share that the link at a path leads to is here.
func (e *engine) showsLink(p string) bool {
	return slices.ContainsFunc(e.node.mountedIn(e), func(x *engine) bool { return x.link.Path == p })
}

func typeName(t index.Type) string {
	switch t {
	case index.Dir:
		return "dir"
	case index.Symlink:
		return "symlink"
	case index.Link:
		return "link"
	case index.Pin:
		return "pin"
	}
	return "file"
}

// dotText is how people name a version, dotIn what such a text names.
func dotText(d index.Dot) string {
	return hex.EncodeToString(d.Writer[:]) + "-" + strconv.FormatUint(d.Counter, 10)
}

// ownWriters are the ids that this node writes, or wrote, under.
func (e *engine) ownWriters(ctx context.Context) (own index.Context, err error) {
	err = e.node.db.View(ctx, func(t *db.Tx) error { own, err = t.Own(e.n); return err })
	v, _ := e.look()
	if own != nil && v.Writer != (index.Writer{}) {
		own[v.Writer] = max(1, own[v.Writer])
	}
	return own, err
}

// ours reports whether one of the dots is of this node.
func ours(own index.Context, dots []index.Dot) bool {
	return slices.ContainsFunc(dots, func(d index.Dot) bool { return own[d.Writer] > 0 })
}

// smallest is the smallest of dots; zero of none.
func smallest(dots []index.Dot) index.Dot {
	if len(dots) == 0 {
		return index.Dot{}
	}
	return slices.MinFunc(dots, index.Dot.Compare)
}
