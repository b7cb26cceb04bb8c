package index

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"shoal/share/blob"
	"shoal/share/internal/golden"
)

// mergeVector is two replicas, what they merge to, and what is shown of that. The dots are fictional.
type mergeVector struct {
	What   string       `json:"what"`
	X      stateVector  `json:"x"`
	Y      stateVector  `json:"y"`
	Merged stateVector  `json:"merged"`
	Shown  []shownEntry `json:"shown"`
}

type stateVector struct {
	Entries []entryVector `json:"entries"`
	Ctx     string        `json:"ctx"`  // as in a head
	Tree    capVector     `json:"tree"` // of the directory ""
}

type shownEntry struct {
	Path    string   `json:"path"`
	Natural string   `json:"natural"`
	Type    string   `json:"type"`
	Dots    []string `json:"dots"` // writer and counter, hex
}

// side is one replica: entries, and what it has seen.
func vectorSide(ctx Context, entries map[string][]Entry) stateVector {
	v := stateVector{Ctx: hex.EncodeToString(ctx.encode())}
	for path, set := range entries {
		for _, e := range set {
			v.Entries = append(v.Entries, vectorOf(path, e))
		}
	}
	slices.SortFunc(v.Entries, func(a, b entryVector) int { return strings.Compare(a.Path+a.Raw, b.Path+b.Raw) })
	return v
}

// goldenMerges are an edit against a deletion, two edits, a file against a directory, and names that are cut.
func goldenMerges() (all []mergeVector, sides [][2]State) {
	a, b := dotOf(1, 0).Writer, dotOf(2, 0).Writer
	long := strings.Repeat("é", 120) + ".jpeg"
	add := func(what string, xc Context, x map[string][]Entry, yc Context, y map[string][]Entry) {
		all = append(all, mergeVector{What: what, X: vectorSide(xc, x), Y: vectorSide(yc, y)})
		sides = append(sides, [2]State{{Ctx: xc}, {Ctx: yc}})
	}
	one := func(name string, d Dot) []Entry { return []Entry{fileOf(name, d)} }
	add("an edit against a deletion, and a deletion against nothing", Context{a: 3, b: 0}, map[string][]Entry{"f": one("f", dotOf(1, 3))},
		Context{a: 2, b: 1}, map[string][]Entry{"g": one("g", dotOf(1, 2))})
	add("two edits of one file", Context{a: 2}, map[string][]Entry{"dir/f.txt": one("f.txt", dotOf(1, 2))},
		Context{a: 1, b: 1}, map[string][]Entry{"dir/f.txt": one("f.txt", dotOf(2, 1))})
	add("a file against a directory of its name", Context{a: 1}, map[string][]Entry{"n.d": one("n.d", dotOf(1, 1))},
		Context{b: 2}, map[string][]Entry{"n.d": {{Name: "n.d", Type: Dir, Dot: dotOf(2, 1)}}, "n.d/f": one("f", dotOf(2, 2))})
	add("two new files of a long name, and two without an extension", Context{a: 2}, map[string][]Entry{long: one(long, dotOf(1, 1)), ".rc": one(".rc", dotOf(1, 2))},
		Context{b: 2}, map[string][]Entry{long: one(long, dotOf(2, 1)), ".rc": one(".rc", dotOf(2, 2))})
	return all, sides
}

// made fills in what a merge makes, by way of the encodings.
func (v *mergeVector) made(t *testing.T, sides [2]State) {
	f := NewForest(testConv, newMemory())
	for i, s := range []*stateVector{&v.X, &v.Y} {
		sides[i].Root.Files = s.tree(t, f)
	}
	z, err := Merge(t.Context(), f, sides[0], sides[1])
	if err != nil {
		t.Fatal(err)
	}
	back, err := Merge(t.Context(), f, sides[1], sides[0])
	if err != nil || back.Root != z.Root {
		t.Fatalf("%s: the other way round: %v", v.What, err)
	}
	entries := map[string][]Entry{}
	for p, err := range f.Walk(z.Root.Files, "") {
		if err != nil {
			t.Fatal(err)
		}
		entries[p.Path] = p.Entries
	}
	v.Merged = vectorSide(z.Ctx, entries)
	v.Merged.Tree = capOfVector(z.Root.Files)
	v.Shown = nil
	for shown, err := range NewView(f, z.Root.Files, false).All() {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range shown {
			e := shownEntry{Path: s.Path, Natural: s.Natural, Type: string(rune(s.Type)), Dots: []string{}}
			for _, d := range s.Dots {
				e.Dots = append(e.Dots, hex.EncodeToString(d.Writer[:])+"/"+hex.EncodeToString([]byte{byte(d.Counter)}))
			}
			v.Shown = append(v.Shown, e)
		}
	}
}

func (s *stateVector) tree(t *testing.T, f *Forest) (tree blob.Cap) {
	v := treeVector{What: "a side of a merge", Entries: s.Entries}
	tree = v.made(t, f)
	s.Tree = capOfVector(tree)
	return tree
}

// What is merged, and what is shown of it, is frozen as the encodings are.
func TestMergeVectors(t *testing.T) {
	t.Parallel()
	all, sides := goldenMerges()
	for i := range all {
		all[i].made(t, sides[i])
	}
	got, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "merges.json", append(got, '\n'))
}
