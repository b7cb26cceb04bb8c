package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
)

func (m *testMember) pause(on bool) {
	m.t.Helper()
	if err := m.Pause(m.t.Context(), "s", on); err != nil {
		m.t.Fatal(err)
	}
}

func (m *testMember) conflicts() []api.Conflict {
	m.t.Helper()
	all, err := m.Conflicts(m.t.Context(), "s")
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// scanned looks at the folder now.
func (m *testMember) scanned(paths ...string) {
	m.t.Helper()
	for _, p := range paths {
		m.engine().suspect(p)
	}
}

// remove removes files; that is believed after a second look.
func (m *testMember) remove(names ...string) {
	m.t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(m.dir, name)); err != nil {
			m.t.Fatal(err)
		}
	}
	m.scanned(names...)
}

// conflict is two nodes that have edited x, b later.
func conflict(t *testing.T) (a, b *testMember) {
	a = founder(t, map[string]string{"x": "0", "y": "1"})
	b = a.joiner("b", "write", api.ShareConfig{})
	a.pause(true)
	b.pause(true)
	a.write("x", "A")
	write(t, b.dir, "x", []byte("B"))
	at := time.Now().Add(-time.Minute)
	if err := os.Chtimes(filepath.Join(b.dir, "x"), at, at); err != nil {
		t.Fatal(err)
	}
	a.pause(false)
	b.pause(false)
	a.scanned("x")
	b.scanned("x")
	waitFor(t, "a conflict on both", func() bool { return len(a.conflicts()) == 1 && len(b.conflicts()) == 1 })
	a.inSync()
	b.inSync()
	return a, b
}

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ keep, want string }{{"ours", "A"}, {"theirs", "B"}, {"1", "B"}, {"2", "A"}} {
		t.Run(c.keep, func(t *testing.T) {
			t.Parallel()
			a, b := conflict(t)
			list := a.conflicts()
			v := list[0].Versions
			if list[0].Path != "x" || len(v) != 2 || v[0].Path != "x" || v[0].Ours || !v[1].Ours || v[0].N != 1 || v[1].N != 2 || v[1].ID == "" {
				t.Fatalf("%+v", list)
			}
			copied := v[1].Path
			waitFor(t, "both copies on both", func() bool {
				return a.read("x") == "B" && b.read("x") == "B" && a.read(copied) == "A" && b.read(copied) == "A"
			})
			a.inSync()
			err := a.Resolve(t.Context(), "s", "y", "ours")
			wantCode(t, err, bt.NotFound)
			err = a.Resolve(t.Context(), "s", "x", "3")
			wantCode(t, err, bt.NotFound)
			err = a.Resolve(t.Context(), "s", "x", "mine")
			wantCode(t, err, bt.Usage)
			// By the name of the copy as well.
			if err := a.Resolve(t.Context(), "s", copied, c.keep); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "one version on both", func() bool {
				return a.read("x") == c.want && b.read("x") == c.want && !a.has(copied) && !b.has(copied)
			})
			if len(a.conflicts()) != 0 {
				t.Fatal("there is a conflict still")
			}
			// The other is in the archive of both.
			lost := map[string]string{"A": "B", "B": "A"}[c.want]
			for _, m := range []*testMember{a, b} {
				waitFor(t, "an archived version", func() bool { return m.archived("x", lost) })
			}
		})
	}
}

// archived reports whether a version of a path with that content is in the archive.
func (m *testMember) archived(path, content string) bool {
	m.t.Helper()
	e := m.engine()
	var all []db.Archived
	if err := e.node.db.View(m.t.Context(), func(t *db.Tx) (err error) { all, err = t.Archived(e.n); return err }); err != nil {
		m.t.Fatal(err)
	}
	for _, a := range all {
		if m.read(a.Name) == content {
			return true
		}
	}
	return false
}

func TestHistoryRestore(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "one", "dir/p": "P", "dir/q": "Q"})
	b := a.joiner("b", "write", api.ShareConfig{})
	began := time.Now()
	time.Sleep(10 * time.Millisecond) // so that what follows is later by any clock
	a.write("x", "two!")
	a.scanned("x")
	waitFor(t, "the second", func() bool { return b.read("x") == "two!" })
	a.remove("dir/p", "dir/q")
	waitFor(t, "a removal", func() bool { return !b.has("dir/p") && !b.has("dir/q") })
	b.inSync()

	all, err := b.History(t.Context(), "s", "x")
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v %v", all, err)
	}
	if all[0].Where != "disk" || all[0].Size != 4 || all[0].N != 1 || all[1].Where != "archive" || all[1].Size != 3 || all[1].N != 2 || all[0].ID == all[1].ID {
		t.Fatalf("%+v", all)
	}
	whole, err := b.History(t.Context(), "s", "")
	if err != nil || len(whole) != 4 {
		t.Fatalf("of all: %+v %v", whole, err)
	}
	_, err = b.Restore(t.Context(), "s", "x", "no such time")
	wantCode(t, err, bt.NotFound)

	if _, err := b.Restore(t.Context(), "s", "x", all[1].ID); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first again, on both", func() bool { return a.read("x") == "one" && b.read("x") == "one" })
	got, err := b.Restore(t.Context(), "s", "dir", began.Format(time.RFC3339Nano))
	if err != nil || len(got) == 0 {
		t.Fatal(got, err)
	}
	waitFor(t, "the folder again, on both", func() bool {
		return a.read("dir/p") == "P" && a.read("dir/q") == "Q" && b.read("dir/p") == "P" && b.read("dir/q") == "Q"
	})
	if len(b.conflicts())+len(a.conflicts()) > 0 {
		t.Fatal("a conflict came of it")
	}
	// Nothing to do is no error.
	got, err = b.Restore(t.Context(), "s", "dir", began.Format(time.RFC3339Nano))
	if err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
}

func TestRestoreWantsContent(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "one"})
	a.write("x", "two!")
	a.scanned("x") // what the user overwrote is nowhere
	waitFor(t, "a second version", func() bool {
		all, err := a.History(t.Context(), "s", "x")
		return err == nil && len(all) == 2 && all[0].Where == "disk" // the head is seen a moment before the state
	})
	all, _ := a.History(t.Context(), "s", "x")
	if all[1].Where != "peers" {
		t.Fatalf("%+v", all)
	}
	_, err := a.Restore(short(t, time.Second), "s", "x", all[1].ID)
	if err == nil {
		t.Fatal("what nobody has was restored")
	}
	if a.read("x") != "two!" {
		t.Fatal(a.read("x"))
	}
}

// manyGone is a node where the removal of most of a share is held.
func manyGone(t *testing.T) (a, b *testMember, names []string) {
	files := map[string]string{"stays": "S"}
	for i := range 150 {
		name := fmt.Sprintf("many/%03d", i)
		files[name] = fmt.Sprint("content ", i)
		names = append(names, name)
	}
	a = founder(t, files)
	b = a.joiner("b", "write", api.ShareConfig{})
	b.pause(true) // so that all of it comes at once
	a.remove(names...)
	waitFor(t, "removals", func() bool { return len(a.ls("")) == 2 })
	a.settled()
	waitFor(t, "the last head", func() bool { // a removal that comes before the others is not held
		last := a.engine().kept().frontier()
		return !slices.ContainsFunc(b.engine().kept().incomplete(), func(h db.Head) bool { return slices.Contains(last, h.ID) }) &&
			!slices.ContainsFunc(last, func(id blob.ID) bool { return !b.engine().kept().has(id) })
	})
	b.pause(false)
	waitFor(t, "held removals", func() bool {
		s, err := b.Status(t.Context(), "s")
		return err == nil && s.State == api.StateHeld && len(s.Held) >= 140
	})
	return a, b, names
}

func TestAccept(t *testing.T) {
	t.Parallel()
	_, b, names := manyGone(t)
	n, err := b.Accept(t.Context(), "s")
	if err != nil || n < 140 {
		t.Fatal(n, err)
	}
	waitFor(t, "the removals", func() bool { return !b.has(names[0]) && !b.has(names[149]) })
	b.inSync()
	s, err := b.Status(t.Context(), "s")
	if err != nil || len(s.Held) > 0 || !b.has("stays") {
		t.Fatalf("%+v %v", s, err)
	}
	e := b.engine()
	if err := e.do(t.Context(), func() error {
		for p := range e.plan.accepted {
			t.Errorf("%s is accepted for ever", p)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	a, b, names := manyGone(t)
	n, err := b.Reject(t.Context(), "s")
	if err != nil || n < 140 {
		t.Fatal(n, err)
	}
	waitFor(t, "what was removed, again", func() bool {
		for i, name := range names {
			if a.read(name) != fmt.Sprint("content ", i) || !b.has(name) {
				return false
			}
		}
		return true
	})
	a.inSync()
	b.inSync()
	s, err := b.Status(t.Context(), "s")
	if err != nil || len(s.Held) > 0 {
		t.Fatalf("%+v %v", s, err)
	}
}

func TestRevert(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "one", "dir/y": "Y", "big.bin": bigContent})
	b := a.joiner("b", "read", api.ShareConfig{})
	_, err := b.Restore(t.Context(), "s", "x", "1h")
	wantCode(t, err, codeDenied)
	_, err = a.Revert(t.Context(), "s", "")
	wantCode(t, err, bt.Usage)

	b.write("x", "mine")
	b.write("dir/new", "new")
	b.remove("dir/y")
	b.scanned("x", "dir/new")
	waitFor(t, "local changes", func() bool {
		s, err := b.Status(t.Context(), "s")
		return err == nil && len(s.Local) == 3
	})
	if got := b.ls("dir"); len(got) != 3 {
		t.Fatalf("%q", got)
	}
	if _, err := b.Revert(short(t, time.Minute), "s", "dir"); err != nil {
		t.Fatal(err)
	}
	if b.read("dir/y") != "Y" || b.has("dir/new") || b.read("x") != "mine" {
		t.Fatal(b.read("dir/y"), b.has("dir/new"), b.read("x"))
	}
	if _, err := b.Revert(short(t, time.Minute), "s", ""); err != nil {
		t.Fatal(err)
	}
	if b.read("x") != "one" || !b.archived("x", "mine") || !b.archived("dir/new", "new") || a.read("x") != "one" {
		t.Fatal("not reverted")
	}
	err = b.db.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.ArchivedAt(b.engines["s"].n, "x")
		for _, r := range rows {
			if r.Row.Size != 4 || r.Row.Hash != [32]byte{} || r.Row.Caps != nil || r.Row.Dots != nil {
				t.Errorf("what the user wrote is in the archive as what the share has: %+v", r.Row)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
