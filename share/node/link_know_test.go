package node

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// linkStoredOnce checks that nodes beside an export keep nothing for it but its heads and their roots.
func linkStoredOnce(t *testing.T, beside []*engine) {
	t.Helper()
	for _, e := range beside {
		err := e.node.db.View(t.Context(), func(tx *db.Tx) error {
			ids, _, err := tx.BlobIDs(e.n, blob.ID{}, 1<<20)
			size := 0
			if err != nil {
				return err
			}
			for _, id := range ids {
				b, err := tx.Peek(e.n, id)
				if err != nil {
					return err
				}
				if size += len(b); id.Kind() != blob.Head && id.Kind() != blob.Node || size > 64<<10 {
					t.Errorf("%s keeps %v, and %d bytes, for the export", e.node.label, id, size)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// noSiblings asks a node for what is not linked by its ids, which nobody else could know, through the export.
func noSiblings(t *testing.T, source, e *engine) {
	t.Helper()
	v, _ := source.look()
	linked, err := source.reader().Find(v.Root.Files, "2019/christmas")
	if err != nil {
		t.Fatal(err)
	}
	granted := map[blob.ID]bool{}
	for id := range index.Reach(index.RefsIn(source.blobs), []blob.ID{linked.Below.ID}, nil) {
		granted[id] = true
	}
	asked := 0
	for id := range index.Reach(index.RefsIn(source.blobs), source.kept().frontier(), nil) {
		if granted[id] {
			continue
		}
		asked++
		if b, err := e.serve(t.Context(), id); err == nil {
			t.Errorf("%s gave %v, %d bytes", e.node.label, id, len(b))
		}
		if _, _, _, err := e.sourceOf(id); err == nil {
			t.Errorf("%s serves the torrent of %v", e.node.label, id)
		}
	}
	if asked < 6 {
		t.Errorf("only %d ids were asked for", asked)
	}
}

// besideLinked is what is in the source and not in what is linked, by its bytes: names, content, ids and keys.
func besideLinked(t *testing.T, source *engine) map[string]string {
	t.Helper()
	v, _ := source.look()
	forest := source.reader()
	granted := map[string]bool{}
	linked, err := forest.Find(v.Root.Files, "2019/christmas")
	if err != nil {
		t.Fatal(err)
	}
	for id, err := range index.Reach(index.RefsIn(source.blobs), []blob.ID{linked.Below.ID}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		granted[string(id[:])] = true
	}
	secrets := map[string]string{"canary-": "a canary", string(v.Root.Files.Key[:]): "the key of the top", string(source.keys.Read[:]): "the read secret"}
	for id, err := range index.Reach(index.RefsIn(source.blobs), source.kept().frontier(), nil) {
		if err == nil && !granted[string(id[:])] {
			secrets[string(id[:])] = "id " + id.String()
		}
	}
	for p, err := range forest.Walk(v.Root.Files, "") {
		if err != nil {
			t.Fatal(err)
		}
		if within(p.Path, []string{"2019/christmas"}) {
			continue
		}
		for _, c := range append(capsOf(p.Entries), p.Below) {
			if !c.IsZero() {
				secrets[string(c.Key[:])] = "the key at " + p.Path
			}
		}
	}
	if len(secrets) < 6 {
		t.Errorf("only %d things are looked for", len(secrets))
	}
	return secrets
}

// lastKnowsNoMore reads everything that a machine has on its disk, for what is beside what is linked.
func lastKnowsNoMore(t *testing.T, source *engine, m *machine, dir string) {
	t.Helper()
	secrets := besideLinked(t, source)
	m.close()
	for _, top := range []string{m.home, dir} {
		_ = filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(p)
			for s, what := range secrets {
				if bytes.Contains(b, []byte(s)) || strings.Contains(p, s) {
					t.Errorf("%s has %s", p, what)
				}
			}
			return err
		})
	}
}

func capsOf(entries []index.Entry) (all []blob.Cap) {
	for i := range entries {
		all = append(all, entries[i].Caps...)
	}
	return all
}
