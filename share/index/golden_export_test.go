package index

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"testing"

	"shoal/share/blob"
	"shoal/share/internal/golden"
	"shoal/share/secret"
)

// exportVectors are exports as numbers, for other implementations. Byte strings are hex.
type exportVectors struct {
	Admin  string         `json:"admin"` // admin secret a of the source
	Epoch  uint16         `json:"epoch"` // of the source
	Conv   string         `json:"conv"`  // convergence secret of the source's tree
	Files  capVector      `json:"files"` // top of the source: the first tree of vectors.json
	Record []exportVector `json:"exports"`
}

type exportVector struct {
	EID    string    `json:"eid"`
	Path   string    `json:"path"`  // what is exported
	Entry  string    `json:"entry"` // where its record stands in meta
	Label  string    `json:"label"`
	Nonce  string    `json:"nonce"` // of sw
	To     []string  `json:"to"`    // the box of each, called as the export, role read
	Value  string    `json:"value"`
	Share  string    `json:"A"`    // of the export
	Conv   string    `json:"c"`    // of the export, epoch 0
	Read   string    `json:"read"` // its read token, which a live link has
	Root   capVector `json:"root"`
	Blobs  []string  `json:"blobs"`  // that were not in the source: the root, and what it has below
	Shared []blob.ID `json:"shared"` // what the root refers to in the source
}

func makeExports(t *testing.T) exportVectors {
	x := hex.EncodeToString
	source, mem := keysOf(t, secret.Admin, 3), newMemory()
	a := NewForest(testConv, mem)
	first := goldenSets()[0]
	tree := first.made(t, a)
	v := exportVectors{Admin: x(source.Admin[:]), Epoch: 3, Conv: x(testConv[:]), Files: capOfVector(tree)}
	box := source.Box.PublicKey().Bytes()
	for i, path := range []string{"dir", "small.txt", "", "nowhere"} {
		eid := [16]byte(bytes.Repeat([]byte{byte(0x40 + i)}, 16))
		admin, err := source.Token().Export(eid)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := admin.Keys()
		if err != nil {
			t.Fatal(err)
		}
		nonce := bytes.Repeat([]byte{byte(0x60 + i)}, 24)
		r := ExportRecord{Path: path, Label: "of " + path, To: []Recipient{{Label: "of " + path, Role: secret.Read, Box: [32]byte(box)}}}
		if r.Cert, err = keys.Certify(); err != nil {
			t.Fatal(err)
		}
		if r.Write, err = source.Seal(bytes.NewReader(nonce), secret.FieldExportWrite, keys.Write[:]); err != nil {
			t.Fatal(err)
		}
		if r.Store, err = admin.Weaken(secret.Store); err != nil {
			t.Fatal(err)
		}
		value, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := admin.Weaken(secret.Read)
		if err != nil {
			t.Fatal(err)
		}
		e := exportVector{EID: x(eid[:]), Path: path, Entry: "export/" + x(eid[:]), Label: r.Label, Nonce: x(nonce), To: []string{x(box)}, Value: x(value),
			Share: x(keys.Share[:]), Conv: x(keys.Conv[:]), Read: read.Text()}
		e.rooted(t, a, mem, keys.Conv, tree)
		v.Record = append(v.Record, e)
	}
	return v
}

// rooted fills in the state of an export.
func (e *exportVector) rooted(t *testing.T, a *Forest, mem *memory, conv [32]byte, tree blob.Cap) {
	t.Helper()
	own := &MemBlobs{Behind: mem}
	root, err := Export(a, NewForest(conv, own), tree, e.Path)
	if err != nil {
		t.Fatal(err)
	}
	e.Root = capOfVector(root)
	for _, id := range slices.SortedFunc(func(yield func(blob.ID) bool) {
		for id := range own.New {
			if !yield(id) {
				return
			}
		}
	}, func(a, b blob.ID) int { return bytes.Compare(a[:], b[:]) }) {
		e.Blobs = append(e.Blobs, hex.EncodeToString(own.New[id]))
	}
	refs, err := RefsIn(own)(root.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range refs {
		if own.New[id] == nil {
			e.Shared = append(e.Shared, id)
		}
	}
}

// The format of exports is frozen, too (docs/shares.md §8).
func TestExportVectors(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(makeExports(t), "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "exports.json", append(got, '\n'))
}
