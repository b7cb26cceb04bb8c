package index_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/secret"
)

// From the root of an export, and with all blobs of its source at hand, exactly what is below the place is reached: no
// other entry, id or key (docs/shares.md §8, §10).
func TestExportConfinement(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		mem := &index.MemBlobs{}
		a, x := index.NewForest([32]byte{1}, mem), index.NewForest([32]byte{2}, mem)
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		all := map[string]index.Entry{}
		for i := range rapid.IntRange(1, 12).Draw(t, "files") {
			var path []string
			for range rapid.IntRange(1, 4).Draw(t, "depth") {
				path = append(path, name.Draw(t, "name"))
			}
			content := fmt.Appendf(nil, "content %d of %v", i, path)
			c, _ := blob.Seal([32]byte{1}, blob.Data, nil, content)
			p := strings.Join(path, "/")
			all[p] = index.Entry{Name: path[len(path)-1], Type: index.File, Dot: index.Dot{Writer: index.Writer{1}, Counter: uint64(i + 1)},
				Size: int64(len(content)), Hash: sha256.Sum256(content), Caps: []blob.Cap{c}}
		}
		var sets []index.PathSet
		for p, e := range all {
			sets = append(sets, index.PathSet{Path: p, Entries: []index.Entry{e}})
		}
		tree, err := a.Apply(blob.Cap{}, sets)
		if err != nil {
			t.Fatal(err)
		}
		var at []string
		for range rapid.IntRange(0, 3).Draw(t, "at") {
			at = append(at, name.Draw(t, "place"))
		}
		place := strings.Join(at, "/")
		root, err := index.Export(a, x, tree, place)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Check(t.Context(), root, true, index.Root{}); err != nil {
			t.Fatalf("what is exported is not right: %v", err)
		}
		got, err := entriesOf(x, root)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]index.Entry{}
		for p, e := range all {
			if rest, ok := strings.CutPrefix(p, place+"/"); ok {
				want[rest] = e
			} else if place == "" {
				want[p] = e
			}
		}
		if e, ok := all[place]; ok && len(want) == 0 {
			want[e.Name] = e
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("at %q: %d entries, want %d", place, len(got), len(want))
		}
		allowed := map[blob.ID]bool{root.ID: true}
		for _, e := range want {
			allowed[e.Caps[0].ID] = true
		}
		for id, err := range index.Reach(index.RefsIn(mem), []blob.ID{root.ID}, nil) {
			if err != nil {
				t.Fatal(err)
			}
			if id.Kind() == blob.Data && !allowed[id] {
				t.Fatalf("at %q: %v is reached", place, id)
			}
			if id == tree.ID && place != "" {
				t.Fatalf("at %q: the top is reached", place)
			}
		}
	})
}

func entriesOf(f *index.Forest, root blob.Cap) (map[string]index.Entry, error) {
	r, err := f.ReadRoot(root)
	if err != nil {
		return nil, err
	}
	if !r.Meta.IsZero() {
		return nil, errors.New("an export with meta")
	}
	all := map[string]index.Entry{}
	for p, err := range f.Walk(r.Files, "") {
		if err != nil {
			return nil, err
		}
		for _, e := range p.Entries {
			all[p.Path] = e
		}
	}
	return all, nil
}

func exampleExport(t testing.TB) index.ExportRecord {
	t.Helper()
	admin, err := secret.NewAdmin(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	store, err := admin.Weaken(secret.Store)
	if err != nil {
		t.Fatal(err)
	}
	return index.ExportRecord{Path: "2019/christmas", Label: "family", Cert: make([]byte, 64), Store: store, Write: make([]byte, 32+secret.Overhead),
		To: []index.Recipient{{Label: "family", Role: secret.Read, Box: [32]byte{7}}}}
}

func TestExportRecord(t *testing.T) {
	t.Parallel()
	r := exampleExport(t)
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := index.ParseExport(b)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("%+v %v", got, err)
	}
	for what, change := range map[string]func(*index.ExportRecord){
		"a path that leads out": func(r *index.ExportRecord) { r.Path = "a/../b" },
		"too many recipients":   func(r *index.ExportRecord) { r.To = make([]index.Recipient, index.MaxRecipients+1) },
		"a long label":          func(r *index.ExportRecord) { r.Label = strings.Repeat("x", 256) },
	} {
		bad := exampleExport(t)
		if change(&bad); true {
			if _, err := bad.Encode(); !errors.Is(err, index.ErrLimit) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	for _, b := range [][]byte{nil, []byte("de"), bytes.Replace(b, []byte("shoals1"), []byte("shoalr1"), 1), bytes.Replace(b, []byte("2019/christmas"), []byte("2019/../../xyz"), 1)} {
		if _, err := index.ParseExport(b); !errors.Is(err, index.ErrInvalid) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// What is read can be written, and is the same when it is read again.
func FuzzParseExport(f *testing.F) {
	r := exampleExport(f)
	b, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("d1:ei0e4:path0:e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := index.ParseExport(b)
		if err != nil {
			if !errors.Is(err, index.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		out, err := r.Encode()
		if err != nil {
			return // with fewer keys it may be another order, never longer; a label may be too long for all of them
		}
		again, err := index.ParseExport(out)
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v became %+v: %v", r, again, err)
		}
	})
}
