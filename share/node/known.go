package node

import (
	"context"
	"iter"

	"shoal/share/db"
	"shoal/share/index"
)

// known is B of a share as the scanner wants it.
type known struct {
	ctx context.Context
	db  *db.DB
	n   int64
	// empty says that there are no rows, and so nothing to look for; nil = look.
	empty func() bool
}

func (k known) view(f func(*db.Tx) error) error { return k.db.View(k.ctx, f) }

func (k known) Row(path string) (b *index.Base, err error) {
	err = k.view(func(t *db.Tx) (err error) { b, err = t.Base(k.n, path); return err })
	return b, err
}

func (k known) Children(dir string) iter.Seq2[*index.Base, error] {
	return func(yield func(*index.Base, error) bool) {
		var all []index.Base
		err := k.view(func(t *db.Tx) (err error) { all, err = t.Children(k.n, dir); return err })
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range all {
			if !yield(&all[i], nil) {
				return
			}
		}
	}
}

func (k known) ByInode(inode uint64) (all []index.Base, err error) {
	if k.empty != nil && k.empty() {
		return nil, nil
	}
	err = k.view(func(t *db.Tx) (err error) { all, err = t.ByInode(k.n, inode, 4); return err })
	return all, err
}

func (k known) ByContent(hash [32]byte, size int64) (all []index.Base, err error) {
	err = k.view(func(t *db.Tx) (err error) { all, err = t.ByHash(k.n, hash, 8); return err })
	out := all[:0]
	for _, b := range all {
		if b.Size == size {
			out = append(out, b)
		}
	}
	return out, err
}
