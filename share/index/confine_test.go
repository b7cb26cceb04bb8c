package index_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"shoal/share/blob"
	"shoal/share/index"
)

// A hoard is a share as whoever holds some caps sees it: all its ciphertext, and what he can open of that.
type hoard struct {
	blobs *index.MemBlobs
	tree  blob.Cap
	files map[string]index.Entry
	plain map[string]string // contents by path
}

// drawHoard makes a share of files in directories, some of which are split, some with equal content.
func drawHoard(t *rapid.T) hoard {
	h := hoard{blobs: &index.MemBlobs{}, files: map[string]index.Entry{}, plain: map[string]string{}}
	conv := [32]byte{1}
	name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	for i := range rapid.IntRange(1, 14).Draw(t, "files") {
		var names []string
		for range rapid.IntRange(0, 3).Draw(t, "depth") {
			names = append(names, name.Draw(t, "directory"))
		}
		many := 1
		if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
			many = index.Leaf + 1
		}
		for j := range many {
			p := path.Join(append(slices.Clone(names), fmt.Sprintf("file-%d-%d", i, j))...)
			content := fmt.Sprintf("content %d", rapid.IntRange(0, 9).Draw(t, "content"))
			c, b := blob.Seal(conv, blob.Data, nil, []byte(content))
			_ = h.blobs.Put(c.ID, b)
			h.plain[p] = content
			h.files[p] = index.Entry{Name: path.Base(p), Type: index.File, Dot: index.Dot{Writer: index.Writer{1}, Counter: uint64(1000*i + j + 1)},
				Size: int64(len(content)), Hash: sha256.Sum256([]byte(content)), Caps: []blob.Cap{c}}
		}
	}
	var sets []index.PathSet
	for _, p := range slices.Sorted(maps.Keys(h.files)) {
		sets = append(sets, index.PathSet{Path: p, Entries: []index.Entry{h.files[p]}})
	}
	var err error
	if h.tree, err = index.NewForest(conv, h.blobs).Apply(blob.Cap{}, sets); err != nil {
		t.Fatal(err)
	}
	return h
}

// below is what a grant of a place gives: names and contents of what is there and below.
func (h *hoard) below(place string) (names, contents []string) {
	seen := map[string]bool{}
	for p, content := range h.plain {
		rest, ok := strings.CutPrefix(p, place+"/")
		if place == "" {
			rest, ok = p, true
		}
		switch {
		case p == place:
			contents = append(contents, content)
		case ok:
			contents = append(contents, content)
			for n := range strings.SplitSeq(rest, "/") {
				if !seen[n] {
					seen[n] = true
					names = append(names, n)
				}
			}
		}
	}
	return names, contents
}

// thief is what somebody makes of caps with all ciphertext at hand: he opens what he has keys for, and goes on with the keys
// that are in there. He does not know the secrets of the share.
type thief struct {
	f     *index.Forest
	h     *hoard
	known map[blob.Cap]bool
	names map[string]bool
	text  map[string]bool
}

func (x *thief) open(c blob.Cap) {
	if x.known[c] || c.IsZero() {
		return
	}
	x.known[c] = true
	b, err := x.h.blobs.Get(c.ID)
	if err != nil {
		return
	}
	if c.ID.Kind() == blob.Data {
		if _, plain, err := blob.Open(c, b); err == nil {
			x.text[strings.TrimRight(string(plain), "\x00")] = true
		}
		return
	}
	for s, err := range x.f.Names(c) {
		if err != nil {
			return
		}
		x.names[s.Name] = true
		x.open(s.Below)
		for i := range s.Entries {
			for _, c := range s.Entries[i].Caps {
				x.open(c)
			}
		}
	}
}

// tryAll tries every key that he has on everything that there is.
func (x *thief) tryAll() {
	for c := range maps.Clone(x.known) {
		for id := range x.h.blobs.New {
			if id.Kind() == blob.Node && id != c.ID {
				x.open(blob.Cap{ID: id, Key: c.Key})
			}
		}
	}
}

// From any set of caps, and with every blob of the share at hand, exactly what was granted is reached: the names and contents
// at and below those places, and none above or beside them; also when every key is tried on every blob (docs/shares.md §2.1, §10).
func TestCapsConfine(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHoard(t)
		own := index.NewForest([32]byte{1}, h.blobs)
		x := thief{f: index.NewForest([32]byte{9}, h.blobs), h: &h, known: map[blob.Cap]bool{}, names: map[string]bool{}, text: map[string]bool{}}
		names, text := map[string]bool{}, map[string]bool{}
		places := map[string]bool{"": true, "nowhere": true}
		for p := range h.files {
			for ; p != "."; p = path.Dir(p) {
				places[p] = true
			}
		}
		all := slices.Sorted(maps.Keys(places))
		for range rapid.IntRange(0, 4).Draw(t, "grants") {
			place := rapid.SampledFrom(all).Draw(t, "place")
			set, err := own.Find(h.tree, place)
			if err != nil {
				t.Fatal(err)
			}
			x.open(set.Below)
			for i := range set.Entries {
				x.open(set.Entries[i].Caps[0])
			}
			n, c := h.below(place)
			for _, s := range n {
				names[s] = true
			}
			for _, s := range c {
				text[s] = true
			}
		}
		x.tryAll()
		if !reflect.DeepEqual(x.names, names) || !reflect.DeepEqual(x.text, text) {
			t.Fatalf("reached are %v and %v, granted were %v and %v", x.names, x.text, names, text)
		}
	})
}
