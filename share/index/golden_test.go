package index

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"shoal/share/blob"
	"shoal/share/internal/golden"
	"shoal/share/secret"
)

// vectors is the format as numbers, for other implementations. Byte strings are hex.
type vectors struct {
	Conv  string       `json:"conv"` // convergence secret
	Trees []treeVector `json:"trees"`
	Head  headVector   `json:"head"`
}

// treeVector is a set of entries and what it makes.
type treeVector struct {
	What    string        `json:"what"`
	Entries []entryVector `json:"entries"` // in any order
	Tree    capVector     `json:"tree"`    // of the directory ""
	Nodes   []string      `json:"nodes"`   // its blobs, in order of first use
}

type entryVector struct {
	Path string    `json:"path"`
	Raw  string    `json:"raw"` // the encoding without r
	IDs  []blob.ID `json:"ids,omitempty"`
}

type capVector struct {
	ID  blob.ID `json:"id"`
	Key string  `json:"key"`
}

type headVector struct {
	Admin  string    `json:"admin"` // admin secret a
	Epoch  uint16    `json:"epoch"`
	Writer string    `json:"writer"`
	Ctx    string    `json:"ctx"` // as in the head
	Label  string    `json:"label"`
	Time   int64     `json:"time"`
	Tokens []string  `json:"tokens"`
	Policy string    `json:"policy"`
	Files  capVector `json:"files"`
	Root   capVector `json:"root"`
	Nonces string    `json:"nonces"` // of hr, then of hs
	ID     blob.ID   `json:"id"`
	Blob   string    `json:"blob"`
}

func capOfVector(c blob.Cap) capVector { return capVector{c.ID, hex.EncodeToString(c.Key[:])} }

// goldenSets are the trees of the vectors: one of each type, directories that split, and siblings that cannot.
func goldenSets() []treeVector {
	types := []Entry{
		fileOf("small.txt", dotOf(1, 1)), fileOf("large.iso", dotOf(1, 999)),
		{Name: "empty", Type: File, Dot: dotOf(1, 2)},
		{Name: "dir", Type: Dir, Dot: dotOf(1, 3), HasMode: true, Mode: 0o750},
		{Name: "été", Type: Symlink, Dot: dotOf(2, 1), MTime: -1, Value: []byte("dir/x")},
		{Name: "link", Type: Link, Dot: dotOf(2, 2), Value: []byte("a token")},
		{Name: "pin", Type: Pin, Dot: dotOf(2, 3), Caps: []blob.Cap{capOf(blob.Node, "pin")}},
		{Name: "later", Type: 'z', Dot: dotOf(2, 4), Extra: []byte("d1:ade1:sl1:xee"), Caps: []blob.Cap{capOf(9, 1), capOf(blob.Data, 2)}},
		fileOf("compacted", dotOf(3, 1)), fileOf("same", dotOf(3, 2)), fileOf("same", dotOf(3, 3)),
	}
	types[8].Old = []Dot{dotOf(1, 8), dotOf(2, 8)}
	types[10].Caps = types[9].Caps // one reference for both
	types[10].Size, types[10].Hash = types[9].Size, types[9].Hash
	all := treeVector{What: "an entry of each type, siblings, a reference used twice"}
	for _, e := range types {
		all.Entries = append(all.Entries, vectorOf(e.Name, e))
	}
	all.Entries = append(all.Entries, vectorOf("dir/x", fileOf("x", dotOf(1, 4))))
	split := treeVector{What: "a directory of 130 names, and one in it"}
	for i := range 130 {
		name := fmt.Sprintf("d%d", i)
		split.Entries = append(split.Entries, vectorOf("top/"+name, Entry{Name: name, Type: Dir, Dot: dotOf(1, uint64(i+1))}))
	}
	split.Entries = append(split.Entries, vectorOf("top/d7/new", Entry{Name: "new", Type: File, Dot: dotOf(1, 500)}))
	same := treeVector{What: "129 siblings of one name"}
	for i := range Leaf + 1 {
		same.Entries = append(same.Entries, vectorOf("s", Entry{Name: "s", Type: File, Dot: dotOf(byte(i), uint64(1000-i))}))
	}
	meta := treeVector{What: "a meta tree"}
	meta.Entries = append(meta.Entries,
		vectorOf("policy", Entry{Name: "policy", Type: Meta, Dot: dotOf(1, 1), Value: []byte("de")}),
		vectorOf("member/00ff", Entry{Name: "00ff", Type: Meta, Dot: dotOf(1, 2), Size: 5000, Hash: hashOf(1), Caps: []blob.Cap{capOf(blob.Data, 3)}}))
	return []treeVector{all, split, same, meta}
}

func vectorOf(path string, e Entry) entryVector {
	return entryVector{path, hex.EncodeToString(e.Raw()), e.IDs()}
}

// made fills in what the entries of a vector make, by way of their encoding.
func (v *treeVector) made(t *testing.T, f *Forest) blob.Cap {
	sets := make(map[string][]Entry)
	for _, ev := range v.Entries {
		raw, err := hex.DecodeString(ev.Raw)
		if err != nil {
			t.Fatal(err)
		}
		e, err := ParseEntry(raw, ev.IDs)
		if err != nil {
			t.Fatalf("%s: %s: %v", v.What, ev.Path, err)
		}
		sets[ev.Path] = append(sets[ev.Path], e)
	}
	var all []PathSet
	for path, set := range sets {
		all = append(all, PathSet{path, set})
	}
	tree, err := f.Apply(blob.Cap{}, all)
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, f, tree, sets)
	v.Tree, v.Nodes = capOfVector(tree), nil
	seen := make(map[blob.ID]bool)
	for todo := []blob.ID{tree.ID}; len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		b, err := f.blobs.Get(id)
		if err != nil || seen[id] { // what a pin names is not here
			continue
		}
		seen[id] = true
		v.Nodes = append(v.Nodes, hex.EncodeToString(b))
		h, err := blob.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		todo = append(h.Refs, todo...)
	}
	return tree
}

func makeVectors(t *testing.T) vectors {
	k := keysOf(t, secret.Write, 3)
	v := vectors{Conv: hex.EncodeToString(testConv[:]), Trees: goldenSets()}
	f := NewForest(testConv, newMemory())
	var first blob.Cap
	for i := range v.Trees {
		if c := v.Trees[i].made(t, f); i == 0 {
			first = c
		}
	}
	root, err := f.PutRoot(Root{Files: first})
	if err != nil {
		t.Fatal(err)
	}
	d := draftOf(t, 3)
	d.Root = root
	nonces := bytes.Repeat([]byte("0123456789abcdef"), 3)
	h, err := NewHead(bytes.NewReader(nonces), k, d)
	if err != nil {
		t.Fatal(err)
	}
	admin := keysOf(t, secret.Admin, 3).Admin
	v.Head = headVector{
		Admin: hex.EncodeToString(admin[:]), Epoch: 3, Writer: hex.EncodeToString(d.Writer[:]), Ctx: hex.EncodeToString(d.Ctx.encode()),
		Label: d.Label, Time: d.Time, Tokens: d.Stores.Tokens, Policy: hex.EncodeToString(d.Stores.Policy),
		Files: capOfVector(first), Root: capOfVector(root), Nonces: hex.EncodeToString(nonces), ID: h.ID, Blob: hex.EncodeToString(h.Blob),
	}
	return v
}

// The format is frozen: what it makes of these entries, no version may make otherwise.
func TestVectors(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(makeVectors(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "vectors.json", append(got, '\n'))
}
