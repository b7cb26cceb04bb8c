package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shoal/share/blob"
)

// manySiblings are n entries of one name.
func manySiblings(name string, n int) (all []Entry) {
	for i := range n {
		all = append(all, fileOf(name, dotOf(byte(i%7), uint64(i/7+1))))
	}
	return all
}

// T11 of docs/shares.md §12: siblings of one name that no split can part are one leaf at the last nibble, the same on
// every node whatever they learnt first; up to 256 of them.
func TestManySiblings(t *testing.T) {
	t.Parallel()
	for _, n := range []int{Leaf, Leaf + 1, MaxSiblings} {
		for _, others := range []int{0, 1, 300} {
			t.Run(fmt.Sprintf("%d and %d", n, others), func(t *testing.T) {
				t.Parallel()
				all := map[string][]Entry{"same/deep": manySiblings("deep", 1), "same": manySiblings("same", n)}
				for i := range others {
					p := fmt.Sprintf("other%d", i)
					all[p] = manySiblings(p, 1)
				}
				var first blob.Cap
				for node := range 3 {
					f := NewForest(testConv, newMemory())
					tree := inRandomOrder(t, f, uint64(node), all)
					checkSame(t, f, tree, all)
					if node == 0 {
						first = tree
					} else if tree != first {
						t.Fatal("two nodes have different trees")
					}
					root, err := f.PutRoot(Root{Files: tree})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := f.Check(t.Context(), root, false, Root{}); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// inRandomOrder makes the tree of all in several steps; siblings come a few at a time, and some go again.
func inRandomOrder(t *testing.T, f *Forest, seed uint64, all map[string][]Entry) blob.Cap {
	rnd := rand.New(rand.NewPCG(seed, 3))
	var tree blob.Cap
	for step := 9; step >= 0; step-- {
		var sets []PathSet
		for _, s := range setsOf(rnd, all) {
			if step > 0 {
				s.Entries = slices.Clone(s.Entries)
				rnd.Shuffle(len(s.Entries), func(i, j int) { s.Entries[i], s.Entries[j] = s.Entries[j], s.Entries[i] })
				s.Entries = s.Entries[:rnd.IntN(len(s.Entries)+1)]
			}
			sets = append(sets, s)
		}
		var err error
		if tree, err = f.Apply(tree, sets); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// A hostile writer's 257 siblings are refused, and so is everything else that Apply would not make.
func TestCheckRefusesHostileTrees(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := NewForest(testConv, m)
	seal := func(refs []blob.ID, plain string) blob.Cap {
		c, b := blob.Seal(testConv, blob.Node, refs, []byte(plain))
		m.all[c.ID] = b
		return c
	}
	leafOf := func(names ...NameSet) blob.Cap {
		refs, plain := encodeLeaf(names)
		return seal(refs, string(plain))
	}
	one := func(name string) NameSet { return NameSet{Name: name, Entries: manySiblings(name, 1)} }
	chain := func(n int, leaf blob.Cap, name string) blob.Cap {
		h := place(name)
		for l := n - 1; l >= 0; l-- {
			var kids [fan]blob.Cap
			kids[nibble(&h, l%nibbles)] = leaf
			refs, plain := encodeInner(&kids)
			leaf = seal(refs, string(plain))
		}
		return leaf
	}
	deep := leafOf(one("f"))
	for range MaxDepth {
		deep = leafOf(NameSet{Name: "d", Below: deep})
	}
	twice := one("b")
	twice.Entries[0].Caps[0].ID = capOf(blob.Data, "other").ID
	refs, plain := encodeLeaf([]NameSet{one("a"), twice})
	member := Entry{Name: "policy", Type: Meta, Dot: dotOf(1, 1), Value: []byte("x")}
	otherKey := func() blob.Cap {
		refs, plain := encodeLeaf([]NameSet{one("a")})
		id, b := blob.SealWith(blob.Key{1}, blob.Node, refs, plain)
		m.all[id] = b
		return blob.Cap{ID: id, Key: blob.Key{1}}
	}()
	for name, tree := range map[string]blob.Cap{
		"257 siblings":           chain(nibbles, leafOf(NameSet{Name: "s", Entries: manySiblings("s", MaxSiblings+1)}), "s"),
		"a split without need":   chain(1, leafOf(one("f")), "f"),
		"a wrong place":          chain(1, leafOf(NameSet{Name: "s", Entries: manySiblings("s", Leaf+1)}), "t"),
		"a chain that is short":  chain(nibbles-1, leafOf(NameSet{Name: "s", Entries: manySiblings("s", Leaf+1)}), "s"),
		"a chain that is long":   chain(nibbles+1, leafOf(NameSet{Name: "s", Entries: manySiblings("s", Leaf+1)}), "s"),
		"a leaf not split":       leafOf(NameSet{Name: "s", Entries: manySiblings("s", Leaf+1)}),
		"129 names":              hundredAndMore(leafOf),
		"too deep":               deep,
		"an empty leaf":          seal(nil, "le"),
		"an empty inner node":    seal(nil, "l"+"0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:"+"e"),
		"no order":               leafOf(one("b"), one("a")),
		"an entry twice":         leafOf(one("a"), one("a")),
		"an id twice in refs":    seal([]blob.ID{refs[0], refs[0]}, string(plain)),
		"a reference not used":   seal(append(slices.Clone(refs), capOf(blob.Data, "x").ID), string(plain)),
		"padding":                seal(refs, string(plain)+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"more behind it":         seal(refs, string(plain)+"le"),
		"no list":                seal(nil, "de"),
		"a member among files":   leafOf(NameSet{Name: "policy", Entries: []Entry{member}}),
		"a key of one's own":     otherKey,
		"a key that opens not":   {ID: otherKey.ID, Key: blob.Key{2}},
		"a reserved name":        leafOf(one(".SHOAL")),
		"two tree records":       leafOf(NameSet{Name: "d", Below: seal(refs, string(plain))}, NameSet{Name: "d", Below: leafOf(one("f"))}),
		"a pin that is too deep": leafOf(NameSet{Name: "p", Entries: []Entry{{Name: "p", Type: Pin, Dot: dotOf(1, 1), Caps: []blob.Cap{deep}}}}),
	} {
		rc, b := blob.Seal(testConv, blob.Node, []blob.ID{tree.ID}, append([]byte("d1:d32:"), append(tree.Key[:], 'e')...))
		m.all[rc.ID] = b
		if _, err := f.Check(context.Background(), rc, false, Root{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hundredAndMore is a leaf of more names than fit into one.
func hundredAndMore(leafOf func(...NameSet) blob.Cap) blob.Cap {
	var names []NameSet
	for i := range Leaf + 1 {
		name := fmt.Sprintf("f%03d", i)
		names = append(names, NameSet{Name: name, Entries: manySiblings(name, 1)})
	}
	return leafOf(names...)
}

// A pin's tree is sealed under another secret, and is right all the same; an export has nothing else.
func TestCheckForeign(t *testing.T) {
	t.Parallel()
	m := newMemory()
	theirs, ours := NewForest([32]byte{1}, m), NewForest(testConv, m)
	tree, err := theirs.Apply(blob.Cap{}, []PathSet{{"a/f", manySiblings("f", 2)}})
	if err != nil {
		t.Fatal(err)
	}
	pin := Entry{Name: "p", Type: Pin, Dot: dotOf(1, 1), Caps: []blob.Cap{tree}}
	pinned, err := ours.Apply(blob.Cap{}, []PathSet{{"x/p", []Entry{pin}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		tree          blob.Cap
		foreign, good bool
		nodes         int
	}{
		"pin":           {pinned, false, true, 4},
		"export":        {tree, true, true, 2},
		"not an export": {tree, false, false, 0},
	} {
		root, err := ours.PutRoot(Root{Files: tt.tree})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ours.Check(t.Context(), root, tt.foreign, Root{})
		if (err == nil) != tt.good || tt.good && got.Nodes != tt.nodes {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// A tree may be small and have more paths than can be walked; checking it ends all the same, and refuses it. As many as an
// honest writer may come to are right.
func TestCheckOfManyPaths(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := NewForest(testConv, m)
	tree, err := f.Apply(blob.Cap{}, []PathSet{{"f", manySiblings("f", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	for depth := 1; depth < MaxDepth; depth++ {
		var names []NameSet
		for i := range 16 {
			names = append(names, NameSet{Name: fmt.Sprintf("%02d", i), Below: tree})
		}
		if tree, err = f.put(&node{names: names}, blob.Cap{}); err != nil {
			t.Fatal(err)
		}
		root, err := f.PutRoot(Root{Files: tree})
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Check(t.Context(), root, false, Root{})
		if right := depth < 5; (err == nil) != right || !right && !errors.Is(err, ErrLimit) || got.Nodes != depth+1 || got.Entries < 1<<min(62, 4*depth) {
			t.Fatalf("at depth %d: %+v, %v", depth, got, err)
		}
	}
}

// With a state that is known to be right, what a head changed is looked at and no more.
func TestCheckIsIncremental(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := NewForest(testConv, m)
	var sets []PathSet
	for i := range 20000 {
		name := fmt.Sprintf("f%d", i)
		sets = append(sets, PathSet{fmt.Sprintf("d%d/%s", i%10, name), manySiblings(name, 1)})
	}
	old, err := f.Apply(blob.Cap{}, sets)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := f.Apply(old, []PathSet{{"d3/f3", nil}, {"d4/new", manySiblings("new", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.PutRoot(Root{Files: tree})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Check(t.Context(), root, false, Root{Files: old})
	if err != nil || got.Nodes > 7 {
		t.Errorf("%+v, %v", got, err)
	}
	all, err := f.Check(t.Context(), root, false, Root{})
	nodes := 0
	for id := range Reach(RefsIn(m), []blob.ID{tree.ID}, nil) {
		if id.Kind() == blob.Node {
			nodes++
		}
	}
	if err != nil || all.Entries != 20010 || all.Nodes != nodes {
		t.Errorf("%+v of %d nodes, %v", all, nodes, err)
	}
}
