package node

import (
	"context"
	"errors"
	"io"
	"slices"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// Content that is here for another share of this node.

// others are the other shares of this node that have content.
func (e *engine) others() (all []*engine) {
	for _, o := range e.node.all() {
		if o != e && !o.isBeside() {
			all = append(all, o)
		}
	}
	return all
}

// fromOther takes a small file that is to be fetched from the files of another share. The control goroutine calls it; what
// is large gets its recipe there (blobHere), and its chunks as those of any file.
func (e *engine) fromOther(a *arrival) bool {
	if a.large {
		return false
	}
	for _, o := range e.others() {
		names, err := o.filesOf(e.ctx, a.cap().ID)
		if err != nil || len(names) == 0 {
			continue
		}
		var plain memFile
		for _, name := range names {
			if plain = plain[:0]; o.copyFile(e.ctx, name, a.shown.Size, a.shown.Hash, &plain) != nil {
				continue
			}
			if e.writeTemp(a.temp, plain) != nil {
				return false
			}
			e.larder.mu.Lock()
			e.larder.bytes += a.shown.Size // arrive takes it off
			e.larder.mu.Unlock()
			e.arrive(a)
			return true
		}
	}
	return false
}

// memFile takes a small file in.
type memFile []byte

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	if off != int64(len(*m)) || off+int64(len(p)) > blob.Small+1 {
		return 0, io.ErrShortWrite
	}
	*m = append(*m, p...)
	return len(p), nil
}

// blobHere is a recipe or an info that another share of this node keeps, or index.ErrMissing. Whoever has a cap that leads to
// it may have it.
func (e *engine) blobHere(id blob.ID) ([]byte, error) {
	if k := id.Kind(); k != blob.Recipe && k != blob.Info {
		return nil, index.ErrMissing
	}
	for _, o := range e.others() {
		b, err := o.blobs.Get(id)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, index.ErrMissing) {
			return nil, err
		}
	}
	return nil, index.ErrMissing
}

// lenders are the shares whose content this one serves, as far as its own heads lead there: the one that it is beside, or all
// others where it has no folder and holds nothing itself.
func (e *engine) lenders() []*engine {
	switch {
	case e.isBeside():
		if o := e.node.byNumber(e.link.Of); o != nil {
			return []*engine{o}
		}
		return nil
	case e.forest != nil && e.row.Dir == "":
		return slices.DeleteFunc(e.others(), func(o *engine) bool { return o.row.Dir == "" })
	}
	return nil
}

// borrow is a blob of another share of this node that heads of this one lead to.
func (e *engine) borrow(ctx context.Context, id blob.ID) ([]byte, error) {
	lenders := e.lenders()
	if len(lenders) == 0 || !e.reaches(id) {
		return nil, wire.ErrNotHere
	}
	for _, o := range lenders {
		if b, err := o.serve(ctx, id); err == nil {
			return b, nil
		}
	}
	return nil, wire.ErrNotHere
}

// borrowData is the storage of a torrent of another share, likewise.
func (e *engine) borrowData(info blob.ID) (st bt.Storage, dict []byte, end func(), err error) {
	lenders := e.lenders()
	if len(lenders) == 0 || !e.reaches(info) {
		return nil, nil, nil, wire.ErrNotHere
	}
	for _, o := range lenders {
		if st, dict, end, err = o.sourceOf(info); err == nil {
			return st, dict, end, nil
		}
	}
	return nil, nil, nil, wire.ErrNotHere
}

// reached is what heads of a share lead to. Nobody gets more through it, whatever ids he knows.
type reached struct {
	ids     map[blob.ID]bool
	recipes map[blob.ID]bool // whose info is not known yet
}

// reaches reports whether the kept heads, that are whole, lead to a blob.
func (e *engine) reaches(id blob.ID) bool {
	heads := e.kept().all
	e.reachMu.Lock()
	defer e.reachMu.Unlock()
	r := &e.reach
	if r.ids == nil {
		*r = reached{map[blob.ID]bool{}, map[blob.ID]bool{}}
	}
	refs := index.RefsIn(e.blobs)
	for i := range heads {
		if !heads[i].Complete || r.ids[heads[i].ID] {
			continue
		}
		var found []blob.ID
		whole := true
		skip := func(id blob.ID) bool { return r.ids[id] && id.Kind() != blob.Head }
		for id, err := range index.Reach(refs, []blob.ID{heads[i].Root}, skip) {
			if err != nil {
				whole = false
				break
			}
			if id.Kind() == blob.Recipe {
				r.recipes[id] = true
			}
			found = append(found, id)
		}
		if !whole {
			continue
		}
		for _, id := range found {
			r.ids[id] = true
		}
		r.ids[heads[i].ID] = true
	}
	if !r.ids[id] && id.Kind() == blob.Info {
		for recipe := range r.recipes {
			for _, o := range e.lenders() {
				more, err := index.RefsIn(o.blobs)(recipe)
				for _, ref := range more {
					r.ids[ref] = true
				}
				if err == nil {
					delete(r.recipes, recipe)
					break
				}
			}
		}
	}
	return r.ids[id]
}

// refsAnywhere are the references of a blob that may be here for another share only.
func (n *Node) refsAnywhere(t *db.Tx, own int64, id blob.ID) ([]blob.ID, error) {
	refs, err := peekRefs(t, own, id)
	if err != nil || refs != nil || !hasRefs(id.Kind()) {
		return refs, err
	}
	for _, e := range n.all() {
		if e.n == own {
			continue
		}
		if refs, err = peekRefs(t, e.n, id); err != nil || refs != nil {
			return refs, err
		}
	}
	return nil, nil
}

func hasRefs(k blob.Kind) bool { return k == blob.Node || k == blob.Recipe }
