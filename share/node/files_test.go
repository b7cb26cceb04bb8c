package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/disk"
)

// member is a node of a test with its folder.
type testMember struct {
	*Node
	t   *testing.T
	dir string
}

// founder is a node with the share "s", of a folder that has these files.
func founder(t *testing.T, files map[string]string) *testMember {
	t.Helper()
	n, dir := testNode(t, "founder")
	m := &testMember{n, t, dir}
	for name, content := range files {
		m.write(name, content)
	}
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "s", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	n.Start()
	m.settled()
	return m
}

// joiner is a node that has joined the share of m, and has all of it that it wants.
func (m *testMember) joiner(name, role string, opts api.ShareConfig) *testMember {
	m.t.Helper()
	n, dir := testNode(m.t, name)
	j := &testMember{n, m.t, dir}
	token, err := m.Token(m.t.Context(), "s", role)
	if err != nil {
		m.t.Fatal(err)
	}
	port := 0
	waitFor(m.t, "a port", func() bool { port = m.net.Port(); return port != 0 })
	opts.Hosts = append(opts.Hosts, fmt.Sprintf("127.0.0.1:%d", port))
	if _, err := n.Add(m.t.Context(), api.AddOptions{Token: token, Dir: dir, Name: "s", Options: opts}); err != nil {
		m.t.Fatal(err)
	}
	n.Start()
	j.inSync()
	return j
}

// write writes a file that is old enough to be known by its time.
func (m *testMember) write(name, content string) {
	m.t.Helper()
	write(m.t, m.dir, name, []byte(content))
	at := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(m.dir, name), at, at); err != nil {
		m.t.Fatal(err)
	}
}

func (m *testMember) read(name string) string {
	b, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}

func (m *testMember) has(name string) bool {
	_, err := os.Lstat(filepath.Join(m.dir, name))
	return err == nil
}

func (m *testMember) engine() *engine {
	m.t.Helper()
	e, err := m.find("s")
	if err != nil {
		m.t.Fatal(err)
	}
	return e
}

func (m *testMember) settled() {
	m.t.Helper()
	e := m.engine()
	waitFor(m.t, "rest", func() bool { v, _ := e.look(); return v.Settled })
}

func (m *testMember) inSync() {
	m.t.Helper()
	e := m.engine()
	waitFor(m.t, "in sync", e.inSync)
}

// admitted lists a joiner in the share, for all to see.
func (m *testMember) admitted(j *testMember) {
	m.t.Helper()
	id := fmt.Sprintf("%x", j.engine().pk[:])
	waitFor(m.t, "admission", func() bool { return m.Admit(m.t.Context(), "s", id, "") == nil })
	waitFor(m.t, "a listing", func() bool {
		list, err := j.Members(m.t.Context(), "s")
		return err == nil && slices.ContainsFunc(list, func(i api.MemberInfo) bool { return i.Node == id && i.Listed })
	})
}

func (m *testMember) ls(path string) (list []string) {
	m.t.Helper()
	all, err := m.Ls(m.t.Context(), "s", path)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, i := range all {
		s := fmt.Sprintf("%s %s", i.Type, i.Path)
		if i.Present {
			s += " here"
		}
		if i.Natural != "" {
			s += " of " + i.Natural
		}
		list = append(list, s)
	}
	return list
}

func short(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func wantCode(t *testing.T, err error, code bt.Code) {
	t.Helper()
	if err == nil || bt.CodeOf(err) != code {
		t.Fatalf("error %v has code %q, want %q", err, bt.CodeOf(err), code)
	}
}

var bigContent = string(bytes.Repeat([]byte("0123456789abcdef"), 50_000))

func TestLsGetDrop(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"a.txt": "A", "dir/b.txt": "B", "dir/c.txt": "C", "big.bin": bigContent, "empty": ""})
	b := a.joiner("b", "write", api.ShareConfig{OnDemand: true})
	want := []string{"file a.txt", "file big.bin", "dir dir", "file dir/b.txt", "file dir/c.txt", "file empty"}
	if got := b.ls(""); !slices.Equal(got, want) {
		t.Fatalf("on demand: %q", got)
	}
	if got := a.ls("dir"); !slices.Equal(got, []string{"dir dir here", "file dir/b.txt here", "file dir/c.txt here"}) {
		t.Fatalf("of a folder: %q", got)
	}
	_, err := b.Ls(t.Context(), "s", "no/such")
	wantCode(t, err, bt.NotFound)

	// Copied elsewhere, nothing is kept.
	out := t.TempDir()
	if _, err := b.Get(short(t, time.Minute), "s", []string{"dir"}, filepath.Join(out, "d")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(short(t, time.Minute), "s", []string{"big.bin"}, filepath.Join(out, "copy.bin")); err != nil {
		t.Fatal(err)
	}
	x := &testMember{b.Node, t, out}
	if x.read("d/b.txt") != "B" || x.read("d/c.txt") != "C" || x.read("copy.bin") != bigContent || b.has("big.bin") || b.has("dir") {
		t.Fatal("what was copied is not what it should be, or was kept")
	}
	_, err = b.Get(short(t, time.Minute), "s", []string{"a.txt"}, filepath.Join(out, "copy.bin"))
	wantCode(t, err, bt.Exists)

	if _, err := b.Get(short(t, time.Minute), "s", []string{"dir", "big.bin"}, ""); err != nil {
		t.Fatal(err)
	}
	want = []string{"file a.txt", "file big.bin here", "dir dir here", "file dir/b.txt here", "file dir/c.txt here", "file empty"}
	if got := b.ls(""); !slices.Equal(got, want) || b.read("big.bin") != bigContent || b.read("dir/c.txt") != "C" {
		t.Fatalf("after get: %q", got)
	}

	// The founder is listed, so that it may be relied on.
	if _, err := b.Drop(short(t, time.Minute), "s", []string{"dir/b.txt", "big.bin"}, false); err != nil {
		t.Fatal(err)
	}
	want = []string{"file a.txt", "file big.bin", "dir dir here", "file dir/b.txt", "file dir/c.txt here", "file empty"}
	if got := b.ls(""); !slices.Equal(got, want) || b.has("big.bin") || b.has("dir/b.txt") || !b.has("dir/c.txt") {
		t.Fatalf("after drop: %q", got)
	}
	// What is dropped is no deletion, and comes again from the archive, though nobody serves it.
	b.inSync()
	if !a.has("big.bin") || !a.has("dir/b.txt") {
		t.Fatal("a drop became a deletion")
	}
	if _, err := b.Get(short(t, time.Minute), "s", []string{"dir"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Drop(short(t, time.Minute), "s", []string{"dir"}, false); err != nil {
		t.Fatal(err)
	}
	if b.has("dir") {
		t.Fatal("the empty folder stayed")
	}
}

func TestDropIsRefused(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{})
	// b has everything, but is not listed: who knows who it is.
	_, err := a.Drop(short(t, time.Minute), "s", []string{"x"}, false)
	wantCode(t, err, codeHeld)
	a.admitted(b)
	a.inSync()
	if _, err := a.Drop(short(t, time.Minute), "s", []string{"x", "big.bin"}, false); err != nil {
		t.Fatal(err)
	}
	// b has promised them, and is the only one that has them.
	_, err = b.Drop(short(t, time.Minute), "s", []string{"x"}, false)
	wantCode(t, err, codeHeld)
	var promised *errPromised
	if !errors.As(err, &promised) {
		t.Fatalf("%v: want the promise", err)
	}
	if !b.has("x") || a.has("x") {
		t.Fatal("the wrong one dropped")
	}
	if _, err := b.Drop(short(t, time.Minute), "s", []string{"x"}, true); err != nil {
		t.Fatal(err)
	}
	if b.has("x") {
		t.Fatal("force is not enough")
	}
}

func TestStorePromises(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "big.bin": bigContent})
	b := a.joiner("b", "store", api.ShareConfig{})
	_, err := b.Ls(t.Context(), "s", "")
	wantCode(t, err, bt.NotFound)
	a.admitted2(b)
	waitFor(t, "promises of the store", func() bool {
		_, err := a.Drop(short(t, time.Minute), "s", []string{"x", "big.bin"}, false)
		return err == nil
	})
	if a.has("x") || a.has("big.bin") {
		t.Fatal("they are still here")
	}
	if _, err := a.Get(short(t, time.Minute), "s", []string{"big.bin"}, ""); err != nil {
		t.Fatal(err)
	}
	if a.read("big.bin") != bigContent {
		t.Fatal("it came back as another")
	}
	r, err := b.Check(t.Context(), "s", false)
	if err != nil || len(r.Problems) > 0 || r.Checked < 3 {
		t.Fatalf("%+v %v", r, err)
	}
}

// admitted2 lists a store, which cannot see that.
func (m *testMember) admitted2(j *testMember) {
	m.t.Helper()
	id := fmt.Sprintf("%x", j.engine().pk[:])
	waitFor(m.t, "admission", func() bool { return m.Admit(m.t.Context(), "s", id, "") == nil })
}

func TestGetGivesUp(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "X", "gone": "G", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{OnDemand: true})
	a.pause(true)
	a.remove("gone", "big.bin")
	for _, out := range []string{"", filepath.Join(t.TempDir(), "out")} {
		for _, name := range []string{"gone", "big.bin"} {
			_, err := b.Get(short(t, time.Second), "s", []string{name}, out)
			wantCode(t, err, bt.Stalled)
		}
	}
	if _, err := b.Get(short(t, time.Minute), "s", []string{"x"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "that a is gone", func() bool { return len(b.engine().net.all()) == 0 })
	_, err := b.Get(short(t, time.Second), "s", []string{"gone"}, "")
	wantCode(t, err, bt.NoPeers)
	_, err = b.Drop(short(t, time.Second), "s", []string{"x"}, false)
	wantCode(t, err, codeHeld)
}

// Links that lead out of where a folder is copied to are left out.
func TestGetOutLinks(t *testing.T) {
	n, dir := testNode(t, "n")
	m := &testMember{n, t, dir}
	m.write("d/file", "F")
	for link, target := range map[string]string{"in": "file", "out": "../../out", "abs": "/etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(dir, "d", link)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "s", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	n.Start()
	m.settled()
	out := t.TempDir()
	list, err := n.Get(t.Context(), "s", []string{"d"}, out)
	if err != nil {
		t.Fatal(err)
	}
	x := &testMember{n, t, out}
	if x.read("in") != "F" || x.has("out") || x.has("abs") || len(list) != 4 {
		t.Fatalf("%+v", list)
	}
}

// What was promised stays in the archive, when others have changed it.
func TestPromisedInArchive(t *testing.T) {
	t.Parallel()
	a := founder(t, map[string]string{"x": "one", "big.bin": bigContent})
	b := a.joiner("b", "write", api.ShareConfig{})
	a.admitted(b)
	a.inSync()
	if _, err := a.Drop(short(t, time.Minute), "s", []string{"big.bin"}, false); err != nil {
		t.Fatal(err)
	}
	// b promised big.bin to a; a row of its archive with that content must stay.
	e := b.engine()
	row, err := (known{ctx: t.Context(), db: e.node.db, n: e.n}).Row("big.bin")
	if err != nil || row == nil {
		t.Fatal(row, err)
	}
	if !e.keepArchived(&disk.Archived{Path: row.Path, Size: row.Size, Caps: row.Caps}) {
		t.Fatal("what was promised may go")
	}
	if row, err = (known{ctx: t.Context(), db: e.node.db, n: e.n}).Row("x"); err != nil || e.keepArchived(&disk.Archived{Path: row.Path, Size: row.Size, Caps: row.Caps}) {
		t.Fatal("what was not promised must stay: ", err)
	}
}

// Two real nodes drop the same files at once: each file stays on one of them.
func TestDropAtOnce(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 8 {
		files[fmt.Sprint(i)] = fmt.Sprint("content ", i)
	}
	a := founder(t, files)
	b := a.joiner("b", "write", api.ShareConfig{})
	a.admitted(b)
	a.inSync()
	b.inSync()
	for name := range files {
		done := make(chan error, 2)
		for _, m := range []*testMember{a, b} {
			go func() {
				_, err := m.Drop(short(t, time.Minute), "s", []string{name}, false)
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil && bt.CodeOf(err) != codeHeld {
				t.Error(err)
			}
		}
		if !a.has(name) && !b.has(name) {
			t.Fatalf("%s is nowhere", name)
		}
	}
}
