package node

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
)

// A live link follows edits, renames and deletions below it, and nothing else; without it the copies are in the archive, and
// the source is as it was.
func TestLinkFollows(t *testing.T) {
	t.Parallel()
	owner, last := newMachine(t, "owner"), newMachine(t, "last")
	photos := owner.made("photos", map[string]string{"a/one": "1", "a/two": "2", "a/sub/three": "3", "b/four": "4"})
	family := owner.made("family", map[string]string{"note": "hello"})
	owner.link("photos:a", "family:in/a", false)
	at := last.joins(owner, "family", "write", owner)
	holds(t, at, map[string]string{"note": "hello", "in/a/one": "1", "in/a/two": "2", "in/a/sub/three": "3"})

	write(t, photos, "a/one", []byte("one"))
	write(t, photos, "b/four", []byte("four"))
	write(t, photos, "a/five", []byte("5"))
	if err := os.Rename(filepath.Join(photos, "a/two"), filepath.Join(photos, "a/zwei")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(photos, "a/sub/three")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"note": "hello", "in/a/one": "one", "in/a/zwei": "2", "in/a/five": "5"}
	holds(t, at, want)
	holds(t, family, want)

	// What a recipient does in it stays with him; what he does beside it is his share's.
	write(t, at, "in/a/own", []byte("own"))
	write(t, at, "in/beside", []byte("beside"))
	want["in/beside"] = "beside"
	holds(t, family, want)

	x := last.mounted()
	if err := last.n.Unlink(t.Context(), "family", "in/a"); err != nil {
		t.Fatal(err)
	}
	rest := map[string]string{"note": "hello", "in/beside": "beside"}
	holds(t, at, rest)
	holds(t, family, rest)
	if got := files(t, photos); got["a/one"] != "one" || len(got) != 4 {
		t.Errorf("the source has %v", got)
	}
	all := shelved(t, at)
	for _, content := range []string{"one", "2", "5", "own"} {
		if !all[content] {
			t.Errorf("%q is not in the archive", content)
		}
	}
	waitFor(t, "its end", func() bool { return last.n.byShare(x.token.Share) == nil && last.mounted() == nil })
	if err := last.n.Unlink(t.Context(), "family", "in/a"); bt.CodeOf(err) != bt.NotFound {
		t.Errorf("a second time: %v", err)
	}
	// The same name can be had again.
	owner.link("photos:b", "family:in/a", false)
	rest["in/a/four"] = "four"
	holds(t, at, rest)
}

// shelved are the contents of all files in the archive of a folder.
func shelved(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	_ = filepath.WalkDir(filepath.Join(dir, ".shoal/archive"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(p)
			all[string(b)] = true
		}
		return nil
	})
	return all
}

// A single file, a whole share, a share of links alone, links in links; and what is refused.
func TestLinkShapes(t *testing.T) {
	t.Parallel()
	owner, last := newMachine(t, "owner"), newMachine(t, "last")
	owner.made("photos", map[string]string{"one.jpg": "one", "two.jpg": "two", "sub/three.jpg": "3"})
	owner.made("books", map[string]string{"b/book": "text"})
	if _, err := owner.n.Create(t.Context(), api.CreateOptions{Name: "view"}); err != nil {
		t.Fatal(err)
	}
	owner.settled("view")
	owner.link("photos:one.jpg", "view:file", false)
	owner.link("books:", "view:library/books", false)
	owner.link("photos:two.jpg", "view:pinned.jpg", true)
	owner.link("photos:sub", "books:b/pictures", false)
	at := last.joins(owner, "view", "read", owner)
	want := map[string]string{"file/one.jpg": "one", "library/books/b/book": "text", "pinned.jpg": "two", "library/books/b/pictures/three.jpg": "3"}
	holds(t, at, want)

	for _, c := range []struct {
		from, to string
		code     bt.Code
		says     string
	}{
		{"photos:", "photos:sub/in", bt.Usage, "inside itself"},
		{"photos:sub", "photos:", bt.Usage, "needs a path"},
		{"books:", "view:more", codeDenied, "has links in it"},
		{"photos:nosuch", "view:x", bt.NotFound, "nosuch"},
		{"photos:sub", "view:library", bt.Exists, "already"},
		{"photos:sub", "view:library/books/more", bt.Exists, "is a link itself"},
		{"photos:sub", "photos:one.jpg/below", bt.Exists, "is no folder"},
	} {
		if _, err := owner.linked(c.from, c.to, false, false); bt.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s to %s: %v, want %s and %q", c.from, c.to, err, c.code, c.says)
		}
	}
	// books shows photos:sub, so that this would be a circle.
	if _, err := owner.linked("books:", "photos:sub/books", false, true); bt.CodeOf(err) != bt.Usage || !strings.Contains(err.Error(), "leads back") {
		t.Errorf("a circle: %v", err)
	}
	if _, err := last.linked("view:", "view:x", false, false); bt.CodeOf(err) != codeDenied {
		t.Errorf("a reader makes a link: %v", err)
	}
}

// Links are shown up to eight inside each other, and no more are made.
func TestLinkDepth(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "m")
	for i := range maxNested + 2 {
		name := string(rune('a' + i))
		m.made(name, map[string]string{"file-" + name: name})
	}
	// i shows h in it, and that g, and so on to a.
	for i := 1; i < maxNested+2; i++ {
		from, to := string(rune('a'+i-1)), string(rune('a'+i))
		_, err := m.linked(from+":", to+":in", false, true)
		if i <= maxNested && err != nil {
			t.Fatal(i, err)
		}
		if i > maxNested && (bt.CodeOf(err) != bt.Usage || !strings.Contains(err.Error(), "inside each other")) {
			t.Errorf("link %d: %v", i, err)
		}
	}
}

// The source's owner is off: others of the source serve what is new, its store alone, too.
func TestLinkOwnerOff(t *testing.T) {
	t.Parallel()
	owner, store, last := newMachine(t, "owner"), newMachine(t, "store"), newMachine(t, "last")
	photos := owner.made("photos", map[string]string{"a/one": "1"})
	owner.made("family", map[string]string{})
	store.joins(owner, "photos", "store", owner)
	owner.link("photos:a", "family:a", false)
	at := last.joins(owner, "family", "read", owner, store)
	holds(t, at, map[string]string{"a/one": "1"})
	waitFor(t, "the store", func() bool {
		return store.beside() != nil && store.beside().net != nil && len(store.beside().net.all()) > 1
	})
	last.close()
	big := string(noise(1, 1_000_000))
	write(t, photos, "a/two", []byte("2"))
	write(t, photos, "a/big", []byte(big))
	waitFor(t, "it at the store", func() bool {
		x, in := store.beside(), owner.mounted()
		e := byName(t, store, "photos")
		v, _ := e.look()
		got, _ := store.n.transfers.traffic()
		return got > 1_000_000 && v.Settled && frontierHash(x.kept().frontier()) == frontierHash(in.kept().frontier()) && len(files(t, in.row.Dir)) == 3
	})
	owner.close()
	last.open()
	last.n.Start()
	holds(t, at, map[string]string{"a/one": "1", "a/two": "2", "a/big": big})
}

// A crash between the move of a link's folder to the archive and the end of its share: the rest is done later, and the archive
// knows the files.
func TestLinkCrash(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "m")
	m.made("photos", map[string]string{"a/one": "1"})
	family := m.made("family", map[string]string{"note": "hello"})
	m.link("photos:a", "family:a", false)
	holds(t, family, map[string]string{"note": "hello", "a/one": "1"})
	e, x := byName(t, m, "family"), m.mounted()
	m.settled(x.row.Name)
	err := e.do(t.Context(), func() error {
		x.stop()
		_, err := e.shelveDir(x)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m.close()
	m.open()
	m.n.Start()
	if err := m.n.Unlink(t.Context(), "family", "a"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of the link", func() bool { return m.mounted() == nil })
	m.settled("family")
	holds(t, family, map[string]string{"note": "hello"})
	if !shelved(t, family)["1"] {
		t.Error("the file is not in the archive")
	}
	var rows []db.Archived
	e = byName(t, m, "family")
	if err := m.n.db.View(t.Context(), func(t *db.Tx) (err error) { rows, err = t.ArchivedAt(e.n, "a"); return err }); err != nil || len(rows) != 1 {
		t.Errorf("the archive knows %d files: %v", len(rows), err)
	}
}

// A folder with a link in it that somebody moves does not become the target's own.
func TestLinkMoved(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "m")
	m.made("photos", map[string]string{"a/one": "1"})
	family := m.made("family", map[string]string{"in/note": "hello"})
	m.link("photos:a", "family:in/a", false)
	holds(t, family, map[string]string{"in/note": "hello", "in/a/one": "1"})
	if err := os.Rename(filepath.Join(family, "in"), filepath.Join(family, "out")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the move of what is family's", func() bool {
		all, err := m.n.Ls(t.Context(), "family", "out")
		return err == nil && len(all) > 1
	})
	all, err := m.n.Ls(t.Context(), "family", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if strings.Contains(f.Path, "one") || f.Path == "out/a" {
			t.Errorf("family has %s", f.Path)
		}
	}
}
