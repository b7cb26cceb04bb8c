package index

import (
	"fmt"
	"maps"
	"testing"

	"shoal/share/blob"
)

// An index is complete by headers alone, whatever order its nodes come in: each that comes says what is missing below.
func TestMissing(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := NewForest(testConv, m)
	var sets []PathSet
	for i := range 3000 {
		name := fmt.Sprintf("f%d", i)
		sets = append(sets, PathSet{fmt.Sprintf("d%d/e/%s", i%5, name), []Entry{fileOf(name, dotOf(1, uint64(i+1)))}})
	}
	tree, err := f.Apply(blob.Cap{}, sets)
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.PutRoot(Root{Files: tree})
	if err != nil {
		t.Fatal(err)
	}
	here := newMemory()
	refs := RefsIn(here)
	todo := map[blob.ID]bool{root.ID: true}
	for len(todo) > 0 {
		for id := range todo { // in any order
			delete(todo, id)
			here.all[id] = m.all[id]
			more, err := Missing(refs, id, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range more {
				todo[id] = true
			}
			break
		}
	}
	if missing, err := Missing(refs, root.ID, nil); err != nil || len(missing) > 0 || !maps.EqualFunc(here.all, m.all, func(a, b []byte) bool { return &a[0] == &b[0] }) {
		t.Fatalf("%d nodes of %d came, missing %d, %v", len(here.all), len(m.all), len(missing), err)
	}
	gets := here.gets
	if _, err := Missing(refs, root.ID, func(id blob.ID) bool { return id != root.ID }); err != nil || here.gets != gets+1 {
		t.Errorf("%d nodes were read, %v", here.gets-gets, err)
	}
	kinds := make(map[blob.Kind]int)
	for id, err := range Reach(refs, []blob.ID{root.ID}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		kinds[id.Kind()]++
	}
	if kinds[blob.Node] != len(m.all) || kinds[blob.Data]+kinds[blob.Recipe] < 3000 {
		t.Errorf("reached %v of %d nodes", kinds, len(m.all))
	}
}

// Check finds all nodes that are there to be found, one by one as they come.
func TestCheckNode(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := NewForest(testConv, m)
	files, err := f.Apply(blob.Cap{}, []PathSet{{"s", manySiblings("s", 200)}, {"s/a/b", manySiblings("b", 3)}})
	if err != nil {
		t.Fatal(err)
	}
	meta, err := f.Apply(blob.Cap{}, []PathSet{{"member/00", []Entry{{Name: "00", Type: Meta, Dot: dotOf(1, 1), Value: []byte("de")}}}})
	if err != nil {
		t.Fatal(err)
	}
	root, err := f.PutRoot(Root{files, meta})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := f.ReadRoot(root); err != nil || r != (Root{files, meta}) {
		t.Fatalf("the root is %v, %v", r, err)
	}
	seen := make(map[Child]bool)
	for todo := []Child{{root, Position{Root: true}}}; len(todo) > 0; {
		c := todo[0]
		todo = todo[1:]
		if seen[c] {
			continue
		}
		seen[c] = true
		kids, err := f.CheckNode(c.Cap, m.all[c.Cap.ID], c.At)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.CheckNode(c.Cap, m.all[c.Cap.ID][1:], c.At); err == nil {
			t.Fatal("a damaged node is right")
		}
		todo = append(todo, kids...)
	}
	if len(seen) != len(m.all) {
		t.Errorf("%d nodes of %d", len(seen), len(m.all))
	}
}
