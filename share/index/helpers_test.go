package index

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// testConv is the convergence secret of tests.
var testConv = sha256.Sum256([]byte("test"))

// memory is Blobs in memory, that counts.
type memory struct {
	all  map[blob.ID][]byte
	puts int
	gets int

	onPut func([]byte)
}

func newMemory() *memory { return &memory{all: make(map[blob.ID][]byte)} }

func (m *memory) Get(id blob.ID) ([]byte, error) {
	m.gets++
	b, ok := m.all[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrMissing, id)
	}
	return b, nil
}

func (m *memory) Put(id blob.ID, b []byte) error {
	m.puts++
	if m.onPut != nil {
		m.onPut(b)
	}
	m.all[id] = b
	return nil
}

func (m *memory) bytes() (n int) {
	for _, b := range m.all {
		n += len(b)
	}
	return n
}

// hashOf is a hash for tests.
func hashOf(parts ...any) [32]byte { return sha256.Sum256(fmt.Append(nil, parts...)) }

func capOf(kind blob.Kind, parts ...any) (c blob.Cap) {
	c.ID = hashOf(append(parts, "id")...)
	c.ID[0] = byte(kind)
	c.Key = hashOf(append(parts, "key")...)
	return c
}

func dotOf(writer byte, counter uint64) Dot { return Dot{Writer{writer, 1, 2, 3, 4, 5, 6, 7}, counter} }

// fileOf is a file with a content that follows from its dot.
func fileOf(name string, d Dot) Entry {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], d.Counter)
	size := 1 + int64(d.Counter%1000)*997
	kind := blob.Data
	if size > blob.Small {
		kind = blob.Recipe
	}
	return Entry{
		Name: name, Type: File, Dot: d, MTime: 1_700_000_000_000_000_000 + int64(d.Counter), Mode: 0o644, HasMode: true,
		Size: size, Hash: hashOf(d), Caps: []blob.Cap{capOf(kind, d)},
	}
}

// base is the last name of a path.
func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// A naive tree is made of all entries at once, as docs/shares.md §3.2 says it, with the general encoder of bencode: a
// second implementation.
type naive struct {
	t     *testing.T
	blobs map[blob.ID][]byte
}

// dir is the cap of the directory with these paths in it.
func (nv *naive) dir(all map[string][]Entry) blob.Cap {
	var entries []Entry
	below := make(map[string]map[string][]Entry)
	for path, set := range all {
		name, rest, deeper := strings.Cut(path, "/")
		switch {
		case len(set) == 0:
		case !deeper:
			entries = append(entries, set...)
		case below[name] == nil:
			below[name] = map[string][]Entry{rest: set}
		default:
			below[name][rest] = set
		}
	}
	for name, sub := range below {
		entries = append(entries, Entry{Name: name, Type: Tree, Caps: []blob.Cap{nv.dir(sub)}})
	}
	return nv.shard(entries, 0)
}

func (nv *naive) shard(entries []Entry, level int) blob.Cap {
	if len(entries) == 0 {
		return blob.Cap{}
	}
	if len(entries) <= Leaf || level == 64 {
		entries = sorted(entries)
		var refs []blob.ID
		list := []bencode.Value{}
		for _, e := range entries {
			list = append(list, naiveEntry(e, &refs))
		}
		return nv.seal(refs, bencode.NewList(list...).Encode())
	}
	var kids [16][]Entry
	for _, e := range entries {
		h := fmt.Sprintf("%x", sha256.Sum256([]byte(e.Name)))
		i := strings.IndexByte("0123456789abcdef", h[level])
		kids[i] = append(kids[i], e)
	}
	var refs []blob.ID
	list := []bencode.Value{}
	for _, kid := range kids {
		c := nv.shard(kid, level+1)
		if c.IsZero() {
			list = append(list, bencode.NewString(""))
			continue
		}
		refs = append(refs, c.ID)
		list = append(list, bencode.NewString(c.Key[:]))
	}
	return nv.seal(refs, bencode.NewList(list...).Encode())
}

func (nv *naive) seal(refs []blob.ID, plain []byte) blob.Cap {
	c, b := blob.Seal(testConv, blob.Node, refs, plain)
	nv.blobs[c.ID] = b
	return c
}

// sorted are entries in the order of a leaf.
func sorted(entries []Entry) []Entry {
	keys := make(map[string]Entry, len(entries))
	for _, e := range entries {
		k := e.Name + "\x00" + string(rune(e.Type))
		if e.Type != Tree {
			k += string(e.Dot.Writer[:]) + string(binary.BigEndian.AppendUint64(nil, e.Dot.Counter))
		}
		k += string(naiveEntry(e, nil).Encode())
		for _, c := range e.Caps {
			k += string(c.ID[:])
		}
		keys[k] = e
	}
	var out []Entry
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		out = append(out, keys[k])
	}
	return out
}

// naiveEntry is an entry as a dictionary, without references when refs is nil.
func naiveEntry(e Entry, refs *[]blob.ID) bencode.Value {
	v := bencode.NewDict().With("n", bencode.NewString(e.Name)).With("y", bencode.NewString(string(rune(e.Type))))
	if e.Extra != nil {
		extra, err := bencode.Parse(e.Extra, bencode.Limits{})
		if err != nil {
			panic(err)
		}
		for k, val := range extra.Entries() {
			v = v.With(k, val)
		}
	}
	if e.Type != Tree {
		v = v.With("w", bencode.NewString(e.Dot.Writer[:])).With("c", bencode.NewInt(int64(e.Dot.Counter)))
	}
	if e.Type == File || e.Type == Symlink {
		v = v.With("t", bencode.NewInt(e.MTime))
	}
	if e.HasMode {
		v = v.With("p", bencode.NewInt(int64(e.Mode)))
	}
	if e.Type == File || e.Size > 0 {
		v = v.With("s", bencode.NewInt(e.Size))
	}
	if e.Size > 0 {
		v = v.With("f", bencode.NewString(e.Hash[:]))
	}
	if len(e.Value) > 0 {
		v = v.With("v", bencode.NewString(e.Value))
	}
	if len(e.Old) > 0 {
		var o []bencode.Value
		for _, d := range e.Old {
			o = append(o, bencode.NewList(bencode.NewString(d.Writer[:]), bencode.NewInt(int64(d.Counter))))
		}
		v = v.With("o", bencode.NewList(o...))
	}
	if len(e.Caps) == 0 {
		return v
	}
	var k, r []bencode.Value
	for _, c := range e.Caps {
		k = append(k, bencode.NewString(c.Key[:]))
		if refs == nil {
			continue
		}
		if !slices.Contains(*refs, c.ID) {
			*refs = append(*refs, c.ID)
		}
		r = append(r, bencode.NewInt(int64(slices.Index(*refs, c.ID))))
	}
	v = v.With("k", bencode.NewList(k...))
	if refs != nil {
		v = v.With("r", bencode.NewList(r...))
	}
	return v
}

// checkSame fails unless the tree is the naive one of the set, and all its nodes are in the store.
func checkSame(t *testing.T, f *Forest, tree blob.Cap, all map[string][]Entry) {
	t.Helper()
	nv := naive{t, make(map[blob.ID][]byte)}
	want := nv.dir(all)
	if tree != want {
		t.Fatalf("the tree of %d paths is %v, want %v", len(all), tree, want)
	}
	for id, b := range nv.blobs {
		if got, err := f.blobs.Get(id); err != nil || string(got) != string(b) {
			t.Fatalf("node %v: %v", id, err)
		}
	}
}

// setsOf is what Apply takes, in random order.
func setsOf(rnd *rand.Rand, all map[string][]Entry) []PathSet {
	var sets []PathSet
	for _, path := range slices.Sorted(maps.Keys(all)) {
		sets = append(sets, PathSet{path, all[path]})
	}
	rnd.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
	return sets
}
