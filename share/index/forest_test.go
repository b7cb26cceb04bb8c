package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"shoal/share/blob"
)

// randomChange is a batch of changes to all, which it applies to it: additions, replacements and removals, few or many,
// in a few directories, so that leaves split and join.
func randomChange(rnd *rand.Rand, all map[string][]Entry, counter *uint64) map[string][]Entry {
	batch := make(map[string][]Entry)
	dirs := []string{"", "a/", "a/b/", "ab/c/", "a/b/c/d/", "été/"}
	dir := dirs[rnd.IntN(len(dirs))]
	draw := func(path string) {
		var set []Entry
		for range 1 + rnd.IntN(3)/2 {
			*counter++
			set = append(set, randomEntry(rnd, base(path), dotOf(byte(rnd.IntN(3)), *counter)))
		}
		batch[path] = set
	}
	switch n := 1 << rnd.IntN(9); rnd.IntN(5) {
	case 4: // siblings that fill a leaf, or more than that
		path := fmt.Sprintf("%ss%d", dir, rnd.IntN(2))
		n := []int{Leaf - 1, Leaf, Leaf + 1, MaxSiblings}[rnd.IntN(4)]
		for range n {
			*counter++
			batch[path] = append(batch[path], fileOf(base(path), dotOf(byte(rnd.IntN(9)), *counter)))
		}
	case 0, 1: // additions
		for range n {
			draw(fmt.Sprintf("%sf%d", dir, rnd.IntN(2000)))
		}
	case 2: // of many below one directory a part goes
		keep := rnd.Float64()
		for _, path := range slices.Sorted(maps.Keys(all)) {
			if strings.HasPrefix(path, dir) && rnd.Float64() > keep {
				batch[path] = nil
			}
		}
	case 3: // a directory gets an entry, and loses one
		if dir != "" {
			draw(strings.TrimSuffix(dir, "/"))
		}
		batch["a/b"] = nil
	}
	for path, set := range batch {
		if all[path] = set; set == nil {
			delete(all, path)
		}
	}
	return batch
}

// randomEntry is a valid entry of any type that has a dot.
func randomEntry(rnd *rand.Rand, name string, d Dot) Entry {
	e := Entry{Name: name, Dot: d}
	switch rnd.IntN(10) {
	case 0:
		e.Type, e.HasMode, e.Mode = Dir, rnd.IntN(2) == 0, 0
		if e.HasMode {
			e.Mode = 0o755
		}
	case 1:
		e.Type, e.Value, e.MTime = Symlink, []byte("../target"), -int64(rnd.Uint64()>>1)
	case 2:
		e.Type, e.Value = Link, []byte("token")
	case 3:
		e.Type, e.Extra = 'z', []byte("d1:fle1:tdee") // of a later version
		e.Caps = []blob.Cap{capOf(7, d), capOf(blob.Data, d), capOf(7, d)}
	case 4:
		e = fileOf(name, d)
		e.Extra = []byte("d0:1:a1:x3:abce")
	case 5:
		e.Type = File
	case 6:
		e = fileOf(name, d)
		e.Caps = []blob.Cap{capOf(e.Caps[0].ID.Kind(), "same content")}
		e.Old = []Dot{dotOf(1, 5), dotOf(1, 7), dotOf(2, 1)}
	default:
		e = fileOf(name, d)
	}
	return e
}

// The tree is a function of the set of entries: however it came about, it is the one that the naive builder makes, and
// Diff, Walk and Find say what is in it.
func TestTreeIsFunctionOfSet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		f := NewForest(testConv, newMemory())
		all := make(map[string][]Entry)
		var tree blob.Cap
		var counter uint64
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			before, old := maps.Clone(all), tree
			batch := randomChange(rnd, all, &counter)
			var err error
			if tree, err = f.Apply(tree, setsOf(rnd, batch)); err != nil {
				rt.Fatal(err)
			}
			checkSame(t, f, tree, all)
			checkDiff(rt, f, old, tree, before, all)
			checkDiff(rt, f, tree, old, all, before)
		}
		checkWalk(rt, f, tree, all)
		once, err := f.Apply(blob.Cap{}, setsOf(rnd, all))
		if err != nil || once != tree {
			rt.Fatalf("at once: %v, %v; in steps: %v", once, err, tree)
		}
		root, err := f.PutRoot(Root{Files: tree})
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := f.Check(context.Background(), root, false, Root{}); err != nil {
			rt.Fatal(err)
		}
	})
}

// checkDiff checks that the differences of two trees are those of the sets, and make the one of the other.
func checkDiff(t *rapid.T, f *Forest, a, b blob.Cap, before, after map[string][]Entry) {
	got := make(map[string]bool)
	again, err := f.ApplySeq(a, func(yield func(PathSet, error) bool) {
		for c, err := range f.Diff(context.Background(), a, b) {
			if err != nil || got[c.Path] {
				t.Fatalf("%q: %v", c.Path, err)
			}
			got[c.Path] = true
			if !EqualEntries(c.Before, sorted(before[c.Path])) || !EqualEntries(c.After, sorted(after[c.Path])) ||
				EqualEntries(c.Before, c.After) {
				t.Fatalf("wrong change of %q", c.Path)
			}
			if !yield(PathSet{c.Path, c.After}, nil) {
				return
			}
		}
	})
	if err != nil || again != b {
		t.Fatalf("the differences make %v of it, want %v: %v", again, b, err)
	}
	for _, m := range []map[string][]Entry{before, after} {
		for path := range m {
			if !got[path] && !EqualEntries(sorted(before[path]), sorted(after[path])) {
				t.Fatalf("no change of %q", path)
			}
		}
	}
}

func checkWalk(t *rapid.T, f *Forest, tree blob.Cap, all map[string][]Entry) {
	n := 0
	for p, err := range f.Walk(tree, "") {
		if err != nil {
			t.Fatal(err)
		}
		if !EqualEntries(p.Entries, sorted(all[p.Path])) {
			t.Fatalf("walking finds other entries of %q", p.Path)
		}
		if len(p.Entries) > 0 {
			n++
		} else if p.Below.IsZero() {
			t.Fatalf("walking finds nothing at %q", p.Path)
		}
	}
	if n != len(all) {
		t.Fatalf("walking finds %d of %d paths", n, len(all))
	}
	for path := range all {
		s, err := f.Find(tree, path)
		if err != nil || !EqualEntries(s.Entries, sorted(all[path])) {
			t.Fatalf("finding %q: %v", path, err)
		}
	}
	if s, err := f.Find(tree, "not/here"); err != nil || s.Entries != nil || !s.Below.IsZero() {
		t.Fatalf("finding what is not there: %v, %v", s, err)
	}
	in := 0
	for p, err := range f.Walk(tree, "a/b") {
		if err != nil || p.Path != "a/b" && !strings.HasPrefix(p.Path, "a/b/") {
			t.Fatalf("walking below a/b finds %q, %v", p.Path, err)
		}
		in += len(p.Entries)
	}
	for path, set := range all {
		if path == "a/b" || strings.HasPrefix(path, "a/b/") {
			in -= len(set)
		}
	}
	if in != 0 {
		t.Fatalf("walking below a/b is %d entries off", in)
	}
}

// Only what is new is stored, and nothing that the result does not have.
func TestApplyStoresNewNodesOnly(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	m := newMemory()
	f := NewForest(testConv, m)
	all := make(map[string][]Entry)
	var tree blob.Cap
	var counter uint64
	reach := func(tree blob.Cap) map[blob.ID]bool {
		ids := make(map[blob.ID]bool)
		if tree.IsZero() {
			return ids
		}
		for id, err := range Reach(RefsIn(m), []blob.ID{tree.ID}, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if id.Kind() == blob.Node {
				ids[id] = true
			}
		}
		return ids
	}
	for range 60 {
		had := maps.Clone(m.all)
		old := reach(tree)
		puts := m.puts
		var err error
		if tree, err = f.Apply(tree, setsOf(rnd, randomChange(rnd, all, &counter))); err != nil {
			t.Fatal(err)
		}
		now := reach(tree)
		for id := range m.all {
			if had[id] == nil && !now[id] {
				t.Fatal("a node is stored that the result does not have")
			}
		}
		for id := range old {
			delete(now, id)
		}
		if m.puts-puts > len(now)+8 { // equal directories, and nodes that only moved, are stored again
			t.Fatalf("%d nodes are stored, %d are new", m.puts-puts, len(now))
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	f := NewForest(testConv, newMemory())
	deep := strings.Repeat("d/", MaxDepth-1) + "f"
	many := make([]Entry, MaxSiblings+1)
	for i := range many {
		many[i] = fileOf("f", dotOf(1, uint64(i+1)))
	}
	for name, tt := range map[string]struct {
		sets []PathSet
		want error
	}{
		"another name":   {[]PathSet{{"a", []Entry{fileOf("b", dotOf(1, 1))}}}, ErrInvalid},
		"a tree record":  {[]PathSet{{"a", []Entry{{Name: "a", Type: Tree, Caps: []blob.Cap{capOf(blob.Node)}}}}}, ErrInvalid},
		"a bad name":     {[]PathSet{{".Shoal-x/f", []Entry{fileOf("f", dotOf(1, 1))}}}, ErrInvalid},
		"no name":        {[]PathSet{{"a//f", []Entry{fileOf("f", dotOf(1, 1))}}}, ErrInvalid},
		"no path":        {[]PathSet{{"", []Entry{fileOf("", dotOf(1, 1))}}}, ErrInvalid},
		"too deep":       {[]PathSet{{"d/" + deep, []Entry{fileOf("f", dotOf(1, 1))}}}, ErrLimit},
		"257 siblings":   {[]PathSet{{"f", many}}, ErrLimit},
		"a path twice":   {[]PathSet{{"f", many[:1]}, {"f", many[1:2]}}, errOrder},
		"an empty entry": {[]PathSet{{"f", []Entry{{Name: "f", Type: File}}}}, ErrInvalid},
	} {
		if _, err := f.Apply(blob.Cap{}, tt.sets); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tree, err := f.Apply(blob.Cap{}, []PathSet{{deep, many[:1]}})
	if err != nil {
		t.Fatal(err)
	}
	if tree, err = f.Apply(tree, []PathSet{{deep, nil}}); err != nil || !tree.IsZero() {
		t.Errorf("an empty tree is %v, %v", tree, err)
	}
	out := func(yield func(PathSet, error) bool) {
		for _, p := range []string{"a/x", "b", "a/y"} {
			if !yield(PathSet{p, []Entry{fileOf(base(p), dotOf(1, 1))}}, nil) {
				return
			}
		}
	}
	if _, err := f.ApplySeq(blob.Cap{}, out); !errors.Is(err, errOrder) {
		t.Errorf("out of order: %v", err)
	}
}

func TestComparePaths(t *testing.T) {
	t.Parallel()
	want := []string{"", "a", "a/b", "a/b/c", "a/é", "a b", "a.b", "a0", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, ComparePaths)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
