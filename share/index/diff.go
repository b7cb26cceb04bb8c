package index

import (
	"context"
	"iter"
	"slices"
	"strings"

	"shoal/share/blob"
)

// Diff gives every natural path whose entries differ between two trees, before and after. It reads only nodes that
// differ, and holds no more than those on the way to one name. A directory comes before what is in it, and all that is in
// it comes together: [Forest.ApplySeq] takes paths in this order. An error, that of ctx included, is the last it gives.
func (f *Forest) Diff(ctx context.Context, before, after blob.Cap) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := differ{f: f, ctx: ctx, yield: yield}
		d.dirs("", 0, before, after)
	}
}

type differ struct {
	f     *Forest
	ctx   context.Context // of the one call that this value lives in
	yield func(Change, error) bool
}

func (d *differ) fail(err error) bool {
	d.yield(Change{}, err)
	return false
}

// dirs compares two directories; false when it is to end.
func (d *differ) dirs(path string, depth int, a, b blob.Cap) bool {
	if a == b {
		return true
	}
	if depth >= MaxDepth {
		return d.fail(errPaths)
	}
	return d.shards(path, depth, 0, shardView{dir: a}, shardView{dir: b})
}

// A shardView is one side of a comparison: a node that is not read yet, or names that are those of a shard of a leaf.
type shardView struct {
	dir   blob.Cap
	names []NameSet
}

// load reads the view's node: its names, or its children.
func (d *differ) load(v *shardView) (kids *[fan]blob.Cap, err error) {
	if v.dir.IsZero() {
		return nil, nil
	}
	n, err := d.f.node(v.dir)
	if err != nil {
		return nil, err
	}
	v.names = n.names
	return n.kids, nil
}

func (d *differ) shards(path string, depth, level int, a, b shardView) bool {
	if a.dir == b.dir && len(a.names)+len(b.names) == 0 {
		return true
	}
	if err := d.ctx.Err(); err != nil {
		return d.fail(context.Cause(d.ctx))
	}
	ka, err := d.load(&a)
	if err != nil {
		return d.fail(err)
	}
	kb, err := d.load(&b)
	if err != nil {
		return d.fail(err)
	}
	if ka == nil && kb == nil {
		return d.leaves(path, depth, a.names, b.names)
	}
	if level == nibbles {
		return d.fail(errDeep)
	}
	va, vb := spread(ka, a.names, level), spread(kb, b.names, level)
	for i := range fan {
		if !d.shards(path, depth, level+1, va[i], vb[i]) {
			return false
		}
	}
	return true
}

// spread is a view of each child of an inner node, or of what they would hold if the leaf were split.
func spread(kids *[fan]blob.Cap, names []NameSet, level int) (v [fan]shardView) {
	if kids != nil {
		for i := range kids {
			v[i].dir = kids[i]
		}
		return v
	}
	for _, s := range names {
		h := place(s.Name)
		i := nibble(&h, level)
		v[i].names = append(v[i].names, s)
	}
	return v
}

// leaves compares the names of two leaves, both in order.
func (d *differ) leaves(path string, depth int, a, b []NameSet) bool {
	for len(a)+len(b) > 0 {
		var x, y NameSet
		c := 0
		switch {
		case len(a) == 0:
			c = 1
		case len(b) == 0:
			c = -1
		default:
			c = strings.Compare(a[0].Name, b[0].Name)
		}
		if c <= 0 {
			x, a = a[0], a[1:]
		}
		if c >= 0 {
			y, b = b[0], b[1:]
		}
		if !d.name(path, depth, x, y) {
			return false
		}
	}
	return true
}

func (d *differ) name(path string, depth int, x, y NameSet) bool {
	same := EqualEntries(x.Entries, y.Entries)
	if same && x.Below == y.Below {
		return true
	}
	p := PathOf(path, max(x.Name, y.Name)) // one may be ""
	if !same && !d.yield(Change{p, slices.Clip(x.Entries), slices.Clip(y.Entries)}, nil) {
		return false
	}
	return d.dirs(p, depth+1, x.Below, y.Below)
}
