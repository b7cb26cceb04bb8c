package node

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// machine is a node of a test with its state folder, which outlives the node.
type machine struct {
	t         *testing.T
	name      string
	home, dir string
	n         *Node
	port      int
}

func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	m := &machine{t: t, name: name, home: t.TempDir(), dir: t.TempDir()}
	m.open()
	return m
}

// open starts the node of a machine, with an own port.
func (m *machine) open() {
	m.t.Helper()
	c, err := OpenNet(m.t.Context(), bt.Config{Listen: "127.0.0.1", Port: m.port, NoDHT: true})
	if err != nil {
		m.t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	m.n, err = Open(m.t.Context(), Options{Home: m.home, Label: m.name, Net: c, Watch: true,
		Logger: slog.New(slog.NewTextHandler(testWriter{m.t}, &slog.HandlerOptions{Level: level})).With("node", m.name)})
	if err != nil {
		m.t.Fatal(err)
	}
	n := m.n
	m.t.Cleanup(func() { n.Close() })
}

func (m *machine) close() {
	m.t.Helper()
	if err := m.n.Close(); err != nil {
		m.t.Error(err)
	}
}

func (m *machine) addr() string {
	m.t.Helper()
	port := 0
	waitFor(m.t, "a port", func() bool { port = m.n.net.Port(); return port != 0 })
	m.port = port
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// create makes the share "s" of the machine's folder, and starts the node.
func (m *machine) create() {
	m.t.Helper()
	if _, err := m.n.Create(context.Background(), api.CreateOptions{Name: "s", Dir: m.dir}); err != nil {
		m.t.Fatal(err)
	}
	m.n.Start()
}

// join joins the share of another machine in a role, with itself as the host to find.
func (m *machine) join(from *machine, role string, hosts ...*machine) {
	m.t.Helper()
	token, err := from.n.Token(context.Background(), "s", role)
	if err != nil {
		m.t.Fatal(err)
	}
	opts := api.AddOptions{Token: token, Dir: m.dir, Name: "s"}
	for _, h := range hosts {
		opts.Options.Hosts = append(opts.Options.Hosts, h.addr())
	}
	if _, err := m.n.Add(context.Background(), opts); err != nil {
		m.t.Fatal(err)
	}
	m.n.Start()
}

// synced waits until a machine is in sync with a peer.
func (m *machine) synced() {
	m.t.Helper()
	r, err := m.n.Sync(context.Background(), api.SyncOptions{For: 5 * time.Minute}) // all of Go on a busy machine
	if err != nil {
		m.t.Fatal(err)
	}
	if r[0].Code != "ok" {
		m.t.Fatalf("%s: %+v\n%+v", m.name, r[0], r[0].Status)
	}
}

// tree is what is in a folder, but for what is ours: the content of files, "dir", "-> target".
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		switch {
		case rel == ".":
			return nil
		case rel == ".shoal":
			return filepath.SkipDir
		case d.IsDir():
			all[rel] = "dir"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			all[rel] = "-> " + target
			return err
		default:
			b, err := os.ReadFile(p)
			all[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

func differ(a, b map[string]string) (d []string) {
	for p, x := range a {
		if y, ok := b[p]; !ok {
			d = append(d, "only in the first: "+p)
		} else if x != y {
			d = append(d, "differs: "+p)
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			d = append(d, "only in the second: "+p)
		}
	}
	return d
}

// same waits until folders are equal.
func same(t *testing.T, ms ...*machine) {
	t.Helper()
	var d []string
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		d = nil
		first := tree(t, ms[0].dir)
		for _, m := range ms[1:] {
			d = append(d, differ(first, tree(t, m.dir))...)
		}
		if len(d) == 0 {
			return
		}
		if time.Now().After(end) {
			for _, m := range ms {
				s, err := m.n.Status(context.Background(), "s")
				t.Logf("%s: %+v %v", m.name, s, err)
			}
			t.Fatalf("the folders differ:\n%s", strings.Join(d[:min(len(d), 20)], "\n"))
		}
	}
}

// A and B never meet: what A writes reaches B through a store, which can read nothing of it (docs/shares.md §10, I8).
func TestStoreBetween(t *testing.T) {
	t.Parallel()
	a, s, b := newMachine(t, "a"), newMachine(t, "s"), newMachine(t, "b")
	canary := "canary-7316-name"
	write(t, a.dir, "dir/"+canary+".txt", []byte("canary-8841-content"))
	write(t, a.dir, "large.bin", []byte(strings.Repeat("canary-5520-large ", 60_000)))
	write(t, a.dir, "empty", nil)
	a.create()
	s.join(a, "store", a)
	s.synced()
	a.close()
	b.dir = t.TempDir()
	from := &machine{t: t, n: a.n}
	_ = from
	a.open()
	token, err := a.n.Token(context.Background(), "s", "read")
	a.close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.n.Add(context.Background(), api.AddOptions{Token: token, Dir: b.dir, Name: "s", Options: api.ShareConfig{Hosts: []string{s.addr()}}}); err != nil {
		t.Fatal(err)
	}
	b.synced()
	if d := differ(tree(t, a.dir), tree(t, b.dir)); d != nil {
		t.Fatal(d)
	}
	s.close()
	for _, dir := range []string{s.home, s.dir} {
		for p, content := range tree(t, dir) {
			if strings.Contains(p+content, "canary-") {
				t.Errorf("the store has plaintext in %s", p)
			}
		}
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	write(t, a.dir, "x", []byte("one"))
	write(t, a.dir, "y", []byte("why"))
	a.create()
	b.join(a, "read", a)
	b.synced()
	write(t, b.dir, "x", []byte("reader's"))
	write(t, b.dir, "mine", []byte("mine"))
	os.Remove(filepath.Join(b.dir, "y"))
	waitFor(t, "local changes are seen", func() bool {
		s, err := b.n.Status(context.Background(), "s")
		return err == nil && len(s.Local) == 3
	})
	write(t, a.dir, "x", []byte("two"))
	waitFor(t, "the author's edit arrives", func() bool {
		got, _ := os.ReadFile(filepath.Join(b.dir, "x"))
		return string(got) == "two"
	})
	if got := tree(t, a.dir); got["x"] != "two" || got["y"] != "why" || len(got) != 2 {
		t.Errorf("a reader changed the writer's folder: %v", got)
	}
	found := false
	for _, content := range tree(t, filepath.Join(b.dir, ".shoal", "archive")) {
		found = found || content == "reader's"
	}
	if !found {
		t.Error("the reader's edit is not in the archive")
	}
}

// Both sides of a cut edit the same file.
func TestConflict(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	write(t, a.dir, "x", []byte("base"))
	a.create()
	b.join(a, "write", a)
	b.synced()
	same(t, a, b)
	b.close()
	write(t, a.dir, "x", []byte("of a"))
	write(t, b.dir, "x", []byte("of b"))
	write(t, b.dir, "sub/new", []byte("new"))
	addr := a.addr()
	_ = addr
	b.open()
	b.n.Start()
	waitFor(t, "a conflict copy", func() bool { return len(tree(t, a.dir)) == 4 })
	same(t, a, b)
	var contents []string
	for p, c := range tree(t, a.dir) {
		if strings.HasPrefix(p, "x") {
			contents = append(contents, c)
		}
	}
	if len(contents) != 2 || contents[0] == contents[1] {
		t.Errorf("%q", contents)
	}
}

// A node that was stopped at any moment goes on where it was, and hashes nothing again.
func TestRestart(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	for i := range 300 {
		write(t, a.dir, fmt.Sprintf("d%d/f%d", i%7, i), []byte(strings.Repeat(fmt.Sprint(i), 100)))
	}
	a.create()
	b.join(a, "write", a)
	b.synced()
	old := time.Now().Add(-time.Hour)
	_ = old
	a.close()
	b.close()
	time.Sleep(2100 * time.Millisecond) // files younger than this are hashed once more
	for range 2 {
		a.open()
		b.open()
		a.n.Start()
		b.n.Start()
		b.synced()
		a.close()
		b.close()
	}
	if h := a.n.hashed.Load() + b.n.hashed.Load(); h != 0 {
		t.Errorf("%d bytes were hashed again", h)
	}
	if d := differ(tree(t, a.dir), tree(t, b.dir)); d != nil {
		t.Fatal(d)
	}
}

// Large files of equal content come once, and are copied.
func TestLargeTwins(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	content := []byte(strings.Repeat("a large file and its twins ", 40_000))
	for i := range 4 {
		write(t, a.dir, fmt.Sprintf("d%d/twin", i), content)
	}
	a.create()
	b.join(a, "write", a)
	b.synced()
	same(t, a, b)
	if n := a.n.written.Load(); n > 2*int64(len(content)) {
		t.Errorf("%d bytes were sent of %d", n, len(content))
	}
}

// There may be more large files than torrents that a node opens at once.
func TestManyLarge(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	for i := range 3*maxOpen + 1 {
		write(t, a.dir, fmt.Sprintf("large%d", i), []byte(strings.Repeat(fmt.Sprintf("large file %d ", i), 41_000)))
	}
	a.create()
	b.join(a, "write", a)
	b.synced()
	same(t, a, b)
}

// Two nodes that know nothing of each other but a code with an address, over TCP; what is written comes both ways.
func TestInviteOverTCP(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	write(t, a.dir, "x", []byte("of a"))
	a.create()
	b.n.Start()
	v, err := a.n.Invite(t.Context(), "s", api.InviteOptions{Role: "write", At: a.addr()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.n.Add(t.Context(), api.AddOptions{Token: v.Code, Dir: b.dir, Name: "s"}); err != nil {
		t.Fatal(err)
	}
	write(t, b.dir, "y", []byte("of b"))
	waitFor(t, "both files on both", func() bool { return len(tree(t, a.dir)) == 2 && len(tree(t, b.dir)) == 2 })
	if i, err := a.n.AwaitInvite(t.Context(), "s", v.ID, api.InviteBound); err != nil || i.State != api.InviteDone {
		t.Errorf("%+v, %v", i, err)
	}
	for _, m := range []*machine{a, b} {
		waitFor(t, "two members", func() bool {
			all, err := m.n.Members(t.Context(), "s")
			return err == nil && len(all) == 2 && all[0].Listed && all[1].Listed
		})
	}
}
