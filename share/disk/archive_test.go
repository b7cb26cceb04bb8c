package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

func TestArchiveNames(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	long := strings.Repeat("ü", 127)
	deep := strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 200)+"/", 19), "/")
	for i := range deep + "/" {
		if i == len(deep) || deep[i] == '/' {
			check(t, w.fs.Mkdir(deep[:i], 0o755))
		}
	}
	a := w.applier()
	for _, name := range []string{long, "a", deep + "/" + long[:100]} {
		w.write(t, name, w.content())
		check(t, w.fs.Chtimes(name, 5))
		o := one(t, a, disk.Op{Do: disk.Delete, Path: name, Old: w.seen(t, name)})
		wantResult(t, o, disk.Applied)
		if o.Archived == nil {
			t.Fatal("nothing was archived")
		}
		last := o.Archived.Name[strings.LastIndexByte(o.Archived.Name, '/')+1:]
		if len(last) > 255 || !strings.Contains(last, "-0100000000000000-7") || strings.ContainsRune(last, '\ufffd') || o.Archived.Path != name {
			t.Errorf("%q is archived as %q", name, o.Archived.Name)
		}
	}
	// The same once more in the same second.
	stopped := w.clock.now()
	a.Now = func() time.Time { return stopped }
	for range 3 {
		w.write(t, "b", w.content())
		check(t, w.fs.Chtimes("b", 5))
		wantResult(t, one(t, a, disk.Op{Do: disk.Delete, Path: "b", Old: w.seen(t, "b")}), disk.Applied)
	}
	w.audit(t)
}

func TestArchiveExpires(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	w := newWorld(memfs.Options{})
	start := w.clock.t
	a := w.applier()
	for i, age := range []time.Duration{40 * day, 20 * day, 10 * day, 8 * day, 6 * day} {
		name := fmt.Sprintf("d%d", i)
		check(t, w.fs.Mkdir(name, 0o755))
		name += "/f"
		w.write(t, name, strings.Repeat(fmt.Sprint(i), 100))
		check(t, w.fs.Chtimes(name, 5))
		w.clock.t = start.Add(-age)
		wantResult(t, one(t, a, disk.Op{Do: disk.Delete, Path: name, Old: w.seen(t, name)}), disk.Applied)
	}
	left := func() (names string) {
		for _, r := range w.log.shelf {
			names += r.Path[1:2]
			w.data(t, r.Name)
		}
		return names
	}
	w.clock.t = start
	keep := func(r *disk.Archived) bool { return r.Path == "d1/f" }
	for _, c := range []struct {
		opts  disk.ExpireOptions
		freed int64
		left  string
	}{
		{disk.ExpireOptions{Largest: 10000, Keep: func(*disk.Archived) bool { return true }}, 0, "01234"},
		{disk.ExpireOptions{Largest: 10000, Age: func(*disk.Archived) time.Duration { return day }}, 0, "01234"},
		{disk.ExpireOptions{Largest: 10000}, 100, "1234"},           // 30 days
		{disk.ExpireOptions{Largest: 3000, Keep: keep}, 100, "134"}, // a tenth, the oldest that is not promised
		{disk.ExpireOptions{Largest: 3000}, 0, "134"},               // fits now
		{disk.ExpireOptions{Largest: 0}, 200, "4"},                  // nothing younger than 7 days
	} {
		if freed, err := a.Expire(t.Context(), c.opts); err != nil || freed != c.freed || left() != c.left {
			t.Errorf("%+v: freed %d (%v), left %s", c, freed, err, left())
		}
	}
	if _, err := w.fs.Lstat(disk.Archive + "/d1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory is left: %v", err)
	}
	w.clock.t = start.Add(2 * day)
	w.fs.SetSize(150)
	a.Reserve = 100 // the disk is full: what is older than 7 days goes
	if freed, err := a.Expire(t.Context(), disk.ExpireOptions{Largest: 1 << 40}); err != nil || freed != 100 {
		t.Errorf("freed %d, %v", freed, err)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	a := w.applier()
	first, second := w.put(t, "a", w.content(), nil), w.put(t, "b", w.content(), nil)
	keep := func(temp string) bool { return temp == second.Temp }
	check(t, a.Clean(t.Context(), disk.CleanOptions{Keep: keep}))
	wantResult(t, one(t, a, first), disk.Stale)
	wantResult(t, one(t, a, second), disk.Applied)
	third := w.put(t, "c", w.content(), nil)
	w.precious["content 3"] = true // nobody knows: it may be what came out of an exchange
	check(t, a.Clean(t.Context(), disk.CleanOptions{Lost: true}))
	w.audit(t)
	if len(w.log.shelf) != 1 || w.log.shelf[0].Path != third.Temp[strings.LastIndexByte(third.Temp, '/')+1:] {
		t.Errorf("%+v", w.log.shelf)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	w.write(t, "a", w.content())
	row := w.seen(t, "a")
	a := w.applier()
	temp, err := a.Temp("b", "copy", row.Size)
	check(t, err)
	check(t, a.Copy(t.Context(), "a", row, temp))
	wantResult(t, one(t, a, disk.Op{Do: disk.Put, Path: "b", Temp: temp, New: w.news("b", "content 1", 5)}), disk.Applied)
	if string(w.data(t, "b")) != "content 1" {
		t.Errorf("b has %q", w.data(t, "b"))
	}
	row.Hash[0]++
	if err := a.Copy(t.Context(), "a", row, temp); err == nil {
		t.Error("another content was copied")
	}
	row.Ident.CTime++
	if err := a.Copy(t.Context(), "a", row, temp); err == nil {
		t.Error("a changed file was copied")
	}
	if _, err := w.fs.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy was left: %v", err)
	}
}
