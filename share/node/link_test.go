package node

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/index"
)

// made makes a share of a folder of its own on a machine.
func (m *machine) made(name string, files map[string]string) string {
	m.t.Helper()
	dir := m.t.TempDir()
	for p, content := range files {
		write(m.t, dir, p, []byte(content))
	}
	if _, err := m.n.Create(m.t.Context(), api.CreateOptions{Name: name, Dir: dir}); err != nil {
		m.t.Fatal(err)
	}
	m.n.Start()
	m.settled(name)
	return dir
}

// settled waits until nothing is left to do in a share.
func (m *machine) settled(name string) {
	m.t.Helper()
	waitFor(m.t, name+" at rest on "+m.name, func() bool {
		e, err := m.n.named(name)
		if err != nil {
			return false
		}
		v, _ := e.look()
		return v.Settled
	})
}

// joins joins a share of another machine in a folder of its own.
func (m *machine) joins(from *machine, name, role string, hosts ...*machine) string {
	m.t.Helper()
	token, err := from.n.Token(m.t.Context(), name, role)
	if err != nil {
		m.t.Fatal(err)
	}
	opts := api.AddOptions{Token: token, Dir: m.t.TempDir(), Name: name}
	for _, h := range hosts {
		opts.Options.Hosts = append(opts.Options.Hosts, h.addr())
	}
	if _, err := m.n.Add(m.t.Context(), opts); err != nil {
		m.t.Fatal(err)
	}
	m.n.Start()
	return opts.Dir
}

func (m *machine) link(from, to string, pin bool) *api.LinkInfo {
	m.t.Helper()
	info, err := m.linked(from, to, pin, false)
	if err != nil {
		m.t.Fatal(err)
	}
	return info
}

func (m *machine) linked(from, to string, pin, nested bool) (*api.LinkInfo, error) {
	opts := api.LinkOptions{Pin: pin, Nested: nested}
	opts.Source, opts.SourcePath, _ = strings.Cut(from, ":")
	opts.Target, opts.TargetPath, _ = strings.Cut(to, ":")
	return m.n.Link(m.t.Context(), opts)
}

// holds waits until a folder has these files and no others, but for what is ours.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	var d []string
	waitFor2(t, func() bool { d = differ(files(t, dir), want); return len(d) == 0 }, func() string {
		return dir + ":\n" + strings.Join(d, "\n")
	})
}

func waitFor2(t *testing.T, ok func() bool, why func() string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(why())
		}
	}()
	waitFor(t, "a folder", ok)
}

// files are the files of a folder, but for what is ours at any depth.
func files(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.Name() == ".shoal" {
			return filepath.SkipDir
		}
		if rel, _ := filepath.Rel(dir, p); !d.IsDir() {
			b, _ := os.ReadFile(p)
			all[rel] = string(b)
		}
		return nil
	})
	return all
}

func TestPin(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "m")
	big := strings.Repeat("large and the same. ", 30_000)
	m.made("photos", map[string]string{"2019/a.jpg": "a", "2019/sub/b.jpg": big, "2020/c.jpg": "c", "one.jpg": "one"})
	family := m.made("family", map[string]string{"note": "x"})
	if i := m.link("photos:2019", "family:in/2019", true); i.Files != 2 || i.Bytes != int64(len(big))+1 {
		t.Fatalf("%+v", i)
	}
	m.link("photos:one.jpg", "family:one.jpg", true)
	holds(t, family, map[string]string{"note": "x", "in/2019/a.jpg": "a", "in/2019/sub/b.jpg": big, "one.jpg": "one"})
	for to, code := range map[string]bt.Code{"family:note": bt.Exists, "family:note/below": bt.Exists, "family:": bt.Usage, "nosuch:a": bt.NotFound} {
		if _, err := m.linked("photos:one.jpg", to, true, false); bt.CodeOf(err) != code {
			t.Errorf("a pin to %s: %v", to, err)
		}
	}
	// They are files of family now.
	write(t, family, "in/2019/a.jpg", []byte("mine"))
	m.settled("family")
	photos, _ := m.n.named("photos")
	if got := files(t, photos.row.Dir)["2019/a.jpg"]; got != "a" {
		t.Errorf("the source became %q", got)
	}
	// And they stay as they were, whatever becomes of the source (scenario 22).
	write(t, photos.row.Dir, "one.jpg", []byte("another"))
	write(t, photos.row.Dir, "2019/new.jpg", []byte("new"))
	waitFor(t, "the source", func() bool {
		v, _ := photos.look()
		set, err := photos.reader().Find(v.Root.Files, "2019/new.jpg")
		return err == nil && len(set.Entries) == 1 && v.Settled
	})
	m.settled("family")
	holds(t, family, map[string]string{"note": "x", "in/2019/a.jpg": "mine", "in/2019/sub/b.jpg": big, "one.jpg": "one"})
	// The caps are those of the source: nothing was encrypted again.
	if a, b := capAt(t, photos, "2019/sub/b.jpg"), capAt(t, byName(t, m, "family"), "in/2019/sub/b.jpg"); a != b {
		t.Errorf("caps %v and %v", a.ID, b.ID)
	}
}

func byName(t *testing.T, m *machine, name string) *engine {
	t.Helper()
	e, err := m.n.named(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func capAt(t *testing.T, e *engine, p string) blob.Cap {
	t.Helper()
	v, _ := e.look()
	set, err := e.reader().Find(v.Root.Files, p)
	if err != nil || len(set.Entries) != 1 || len(set.Entries[0].Caps) != 1 {
		t.Fatalf("%s: %v %+v", p, err, set)
	}
	return set.Entries[0].Caps[0]
}

// mounted is the share that is mounted on a machine for the only link that it shows.
func (m *machine) mounted() *engine {
	for _, e := range m.n.all() {
		if e.link != nil && e.link.In != 0 {
			return e
		}
	}
	return nil
}

// beside is the export that a machine is beside of.
func (m *machine) beside() *engine {
	for _, e := range m.n.all() {
		if e.isBeside() {
			return e
		}
	}
	return nil
}

// A part of photos is linked into family. Its owner, a store and a reader of photos, who know nothing of family, serve it to
// a reader of family, who learns nothing else of photos (docs/shares.md §8, §10).
func TestLinkServedByAll(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("who serves how much is nothing for the race detector")
	}
	owner, store, reader, last := newMachine(t, "owner"), newMachine(t, "store"), newMachine(t, "reader"), newMachine(t, "last")
	photos := owner.made("photos", map[string]string{"2019/christmas/tree.jpg": "tree", "2019/canary-name-5512.txt": "canary-content-9917",
		"canary-dir-3304/x": strings.Repeat("canary-large-4417 ", 40_000)})
	family := owner.made("family", map[string]string{"note": "hello"})
	store.joins(owner, "photos", "store", owner)
	readerDir := reader.joins(owner, "photos", "read", owner, store)
	store.settled("photos")
	reader.settled("photos")
	info := owner.link("photos:2019/christmas", "family:incoming/christmas", false)
	if info.Files != 1 || len(info.Share) != 64 {
		t.Fatalf("%+v", info)
	}
	at := last.joins(owner, "family", "read", owner, store, reader)
	holds(t, at, map[string]string{"note": "hello", "incoming/christmas/tree.jpg": "tree"})
	holds(t, family, map[string]string{"note": "hello", "incoming/christmas/tree.jpg": "tree"})
	waitFor(t, "three peers", func() bool { x := last.mounted(); return x.net != nil && len(x.net.all()) == 3 })

	// Nothing is fetched until all three have it.
	if err := last.n.Pause(t.Context(), last.mounted().row.Name, true); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"tree.jpg": "tree"}
	for i := range 300 {
		want[fmt.Sprintf("small/%d", i)] = strings.Repeat(fmt.Sprint(i, " "), 4000)
	}
	for i := range 3 {
		want[fmt.Sprintf("large-%d.bin", i)] = string(noise(uint64(i), 3_000_000))
	}
	total := int64(0)
	for p, content := range want {
		write(t, photos, "2019/christmas/"+p, []byte(content))
		total += int64(len(content))
	}
	waitFor(t, "the index of it", func() bool { return linkedFiles(t, owner) == len(want) })
	owner.settled("photos")
	holds(t, filepath.Join(readerDir, "2019/christmas"), want)
	waitFor(t, "all of it at the store", func() bool {
		in, _ := store.n.transfers.traffic()
		e := byName(t, store, "photos")
		v, _ := e.look()
		return in >= 9_000_000 && v.Settled && frontierHash(e.kept().frontier()) == frontierHash(byName(t, owner, "photos").kept().frontier())
	})
	holds(t, filepath.Join(family, "incoming/christmas"), want)
	serving := []*engine{owner.mounted(), store.beside(), reader.beside()}
	waitFor(t, "the index of it at the last", func() bool {
		v := frontierHash(serving[0].kept().frontier())
		for _, e := range append(serving, last.mounted()) {
			if frontierHash(e.kept().frontier()) != v {
				return false
			}
		}
		return true
	})
	before := make([]int64, 3)
	for i, e := range serving {
		before[i] = sentBy(e)
	}
	got := last.mounted()
	if err := last.n.Pause(t.Context(), got.row.Name, false); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(at, "incoming/christmas"), want)
	var sum int64
	for i, e := range serving {
		sent := sentBy(e) - before[i]
		t.Logf("%s sent %d bytes", e.node.label, sent)
		if sum += sent; sent < 10_000 {
			t.Errorf("%s sent only %d bytes", e.node.label, sent)
		}
	}
	if sum > total*3/2 {
		t.Errorf("%d bytes were sent for %d of files", sum, total)
	}
	linkStoredOnce(t, serving[1:])
	for _, e := range serving {
		noSiblings(t, byName(t, owner, "photos"), e)
	}
	lastKnowsNoMore(t, byName(t, owner, "photos"), last, at)
}

// linkedFiles is how many files the index of the source has in what is linked.
func linkedFiles(t *testing.T, m *machine) (n int) {
	e := byName(t, m, "photos")
	v, _ := e.look()
	for p, err := range e.reader().Walk(v.Root.Files, "2019/christmas") {
		if err != nil {
			return 0
		}
		for i := range p.Entries {
			if p.Entries[i].Type == index.File {
				n++
			}
		}
	}
	return n
}

// sentBy is what a node has sent as an export's: blobs, and pieces of all shares.
func sentBy(e *engine) (n int64) {
	for _, c := range e.counters.Out() {
		n += c.Bytes
	}
	_, pieces := e.node.transfers.traffic()
	return n + pieces
}
