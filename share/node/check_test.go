package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
)

func (m *testMember) check(repair bool) *api.CheckResult {
	m.t.Helper()
	r, err := m.Check(m.t.Context(), "s", repair)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

func (m *testMember) update(f func(t *db.Tx, n int64) error) {
	m.t.Helper()
	e := m.engine()
	if err := e.node.db.Update(m.t.Context(), func(t *db.Tx) error { return f(t, e.n) }); err != nil {
		m.t.Fatal(err)
	}
}

// rot changes a file in such a way that no look at it tells.
func (m *testMember) rot(name, content string) {
	m.t.Helper()
	m.pause(true)
	m.write(name, content)
	info, err := m.engine().fsNow().Lstat(name)
	if err != nil {
		m.t.Fatal(err)
	}
	m.update(func(t *db.Tx, n int64) error {
		row, err := t.Base(n, name)
		if err != nil {
			return err
		}
		row.Ident = info.Ident
		return t.PutBase(n, row)
	})
}

func TestCheckRepairsFiles(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "one", "dir/y": "Y", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{})
	for _, m := range []*testMember{a, b} {
		if r := m.check(false); len(r.Problems) > 0 || r.Checked < 3 || r.Bytes < int64(len(bigContent)) {
			t.Fatalf("%+v", r)
		}
	}
	b.rot("x", "0ne")
	r := b.check(false)
	if len(r.Problems) != 1 || r.Problems[0].Path != "x" || r.Repaired != 0 || b.read("x") != "0ne" {
		t.Fatalf("%+v", r)
	}
	if r = b.check(true); r.Repaired != 1 {
		t.Fatalf("%+v", r)
	}
	b.pause(false)
	waitFor(t, "the right content", func() bool { return b.read("x") == "one" })
	if !b.archived("x", "0ne") || a.read("x") != "one" {
		t.Fatal("the rotten file is gone, or was spread")
	}
	if r := b.check(false); len(r.Problems) > 0 {
		t.Fatalf("%+v", r)
	}
	// What only this node has is not thrown away.
	a.pause(true)
	a.remove("dir/y")
	b.rot("dir/y", "y")
	if r := b.check(true); r.Repaired != 0 || b.read("dir/y") != "y" {
		t.Fatalf("%+v", r)
	}
}

func TestCheckRepairsBlobs(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "one", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{})
	c := a.joiner("c", "store", api.ShareConfig{})
	var page []db.KeptBlob
	b.update(func(t *db.Tx, n int64) (err error) {
		if page, err = t.BlobPage(n, blob.Node, blob.ID{}, 1); err != nil {
			return err
		}
		return t.ReplaceBlob(n, page[0].ID, []byte("damaged"))
	})
	if r := b.check(false); len(r.Problems) == 0 || r.Repaired != 0 {
		t.Fatalf("%+v", r)
	}
	if r := b.check(true); r.Repaired != 1 {
		t.Fatalf("%+v", r)
	}
	if r := b.check(false); len(r.Problems) != 0 {
		t.Fatalf("%+v", r)
	}

	damaged := 0
	err := filepath.WalkDir(c.dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == disk.Dir {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		damaged++
		f, err := os.OpenFile(p, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt([]byte("damaged"), 5)
		return err
	})
	if err != nil || damaged != 2 {
		t.Fatal(damaged, err)
	}
	if r := c.check(false); len(r.Problems) != 2 {
		t.Fatalf("%+v", r)
	}
	if r := c.check(true); r.Repaired != 2 {
		t.Fatalf("%+v", r)
	}
	waitFor(t, "all of it again", func() bool { return len(c.check(false).Problems) == 0 })
}

// A check of a share that does not run finds the same.
func TestCheckStopped(t *testing.T) {
	n, dir := testNode(t, "n")
	write(t, dir, "x", []byte("one"))
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "s", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	m := &testMember{n, t, dir}
	if r := m.check(false); len(r.Problems) > 0 {
		t.Fatalf("%+v", r)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if r := m.check(false); len(r.Problems) != 1 {
		t.Fatalf("%+v", r)
	}
}
