package disk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
)

func one(t fataler, a *disk.Applier, op disk.Op) disk.Outcome {
	t.Helper()
	out := a.Apply(context.Background(), []disk.Op{op})
	if len(out) != 1 {
		t.Fatalf("%d outcomes", len(out))
	}
	return out[0]
}

func wantResult(t testing.TB, o disk.Outcome, want disk.Result) {
	t.Helper()
	if o.Result != want {
		t.Errorf("%v %s: %v (%v), want %v", o.Op.Do, o.Op.Path, o.Result, o.Err, want)
	}
}

// TestApplyRacyEdit: somebody writes in the moment between look and exchange, and the clock of the file system stands: size,
// mtime and inode are what they were. The content tells.
func TestApplyRacyEdit(t *testing.T) {
	t.Parallel()
	for _, do := range []disk.Action{disk.Put, disk.Delete} {
		w := newWorld(memfs.Options{})
		stopped := w.clock.now()
		w.disk = memfs.New(memfs.Options{Now: func() time.Time { return stopped }})
		w.fs = w.disk.User()
		w.write(t, "a", w.content())
		op := disk.Op{Do: do, Path: "a", Old: w.seen(t, "a")}
		if do == disk.Put {
			op = w.put(t, "a", w.content(), op.Old)
		}
		edited := false
		w.everyStep(func(_ int, call, name string) error {
			if !edited && (call == "exchange" || call == "renamenew" && strings.HasPrefix(name, disk.Archive)) {
				edited = true
				w.write(t, "a", w.content())
			}
			return nil
		})
		a := w.applier()
		a.Now = func() time.Time { return stopped }
		o := one(t, a, op)
		w.calm()
		if !edited {
			t.Fatalf("%v: nobody wrote", do)
		}
		clear(w.log.rows) // a scan would not have believed such a young file
		w.audit(t)
		if do == disk.Put {
			wantResult(t, o, disk.Saved)
			w.isInTree(t, "content 3")
		} else {
			wantResult(t, o, disk.Stale)
			if string(w.data(t, "a")) != "content 2" {
				t.Errorf("a has %q", w.data(t, "a"))
			}
		}
	}
}

// TestApplyExchangeIsNoEdit (T13): an update on a real disk makes no conflict copy, and what is recorded is what a scan sees.
func TestApplyExchangeIsNoEdit(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "shoal-test-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		f := openFS(t, dir)
		log := newMemory()
		a := &disk.Applier{FS: f, Log: log, Shelf: log, Hash: sumOf}
		var ops []disk.Op
		for i := range 20 {
			name := fmt.Sprintf("f%d", i)
			put(t, f, name, "old")
			old := &index.Base{Path: name, Type: index.File, Ident: lstat(t, f, name).Ident, Size: 3}
			ops = append(ops, disk.Op{Do: disk.Put, Path: name, Temp: tempFile(t, a, f, name, "new!"), Old: old,
				New: &index.Base{Path: name, Type: index.File, MTime: 1700000000123456789, Mode: 0o755, HasMode: true, Size: 4}})
		}
		for _, some := range [][]disk.Op{ops[:2], ops[2:]} {
			for _, o := range a.Apply(t.Context(), some) {
				wantResult(t, o, disk.Applied)
				if o.Ident != lstat(t, f, o.Op.Path).Ident || o.Ident.CTime == 0 || o.Ident.Mode != 0o755 {
					t.Errorf("recorded %+v, there is %+v", o.Ident, lstat(t, f, o.Op.Path).Ident)
				}
				if o.Archived == nil || read(t, f, o.Archived.Name) != "old" { // T14: it can still be served
					t.Errorf("archived: %+v", o.Archived)
				}
			}
		}
		if names, err := f.ReadDir("."); err != nil || len(names) != 21 {
			t.Errorf("%d names: %v", len(names), err)
		}
		if out, err := a.CheckArchive(t.Context()); err != nil || len(out) != 0 {
			t.Errorf("%+v, %v", out, err)
		}
	}
}

func tempFile(t testing.TB, a *disk.Applier, f disk.FS, name, data string) string {
	t.Helper()
	temp, err := a.Temp(name, "t-"+strings.ReplaceAll(name, "/", "-"), int64(len(data)))
	must(t, err)
	put(t, f, temp, data)
	return temp
}

// TestApplyToReplacedFile (T10): a program writes to a replaced file for an hour.
func TestApplyToReplacedFile(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	check(t, w.fs.Mkdir("d", 0o755))
	w.write(t, "d/log.txt", w.content())
	check(t, w.fs.Chtimes("d/log.txt", epoch.Add(-time.Hour).UnixNano()))
	held, err := w.fs.Write("d/log.txt")
	check(t, err)
	a := w.applier()
	wantResult(t, one(t, a, w.put(t, "d/log.txt", w.content(), w.seen(t, "d/log.txt"))), disk.Applied)
	due, ok := a.NextLate()
	if !ok || due.Sub(w.clock.t) > 10*time.Second || due.Sub(w.clock.t) < 9*time.Second {
		t.Errorf("looks again at %v, %v", due, ok)
	}
	if out, err := a.Late(t.Context()); err != nil || len(out) != 0 {
		t.Errorf("too early: %v, %v", out, err)
	}
	w.clock.t = due
	if out, err := a.Late(t.Context()); err != nil || len(out) != 0 {
		t.Errorf("nobody wrote: %v, %v", out, err)
	}
	w.clock.t = due.Add(time.Hour)
	last := w.content()
	_, err = held.WriteAt([]byte(last), 0)
	check(t, err)
	out, err := a.CheckArchive(t.Context())
	check(t, err)
	if len(out) != 1 || out[0].Result != disk.Saved || !strings.HasPrefix(out[0].Copy, "d/log.conflict-") || !strings.HasSuffix(out[0].Copy, ".txt") {
		t.Fatalf("%+v", out)
	}
	if got := string(w.data(t, out[0].Copy)); got != last {
		t.Errorf("the copy has %q", got)
	}
	if len(w.log.shelf) != 0 {
		t.Errorf("still in the archive: %+v", w.log.shelf)
	}
}

// TestApplyStale: what was edited after it was last seen is not touched, whatever is to become of it.
func TestApplyStale(t *testing.T) {
	t.Parallel()
	for _, exchange := range []bool{true, false} {
		w := newWorld(memfs.Options{NoExchange: !exchange})
		for _, name := range []string{"a", "b"} {
			w.write(t, name, w.content())
		}
		a, b := w.seen(t, "a"), w.seen(t, "b")
		to := *a
		to.Path = "b"
		elsewhere := *a
		elsewhere.Path = "c"
		check(t, w.fs.Chmod("a", 0o640)) // a mode counts, too: nothing but ctime tells of a content that was mapped
		before := lstat(t, w.fs, "a").Ident
		for _, op := range []disk.Op{
			w.put(t, "a", w.content(), a),
			{Do: disk.PutSymlink, Path: "a", Old: a, New: &index.Base{Path: "a", Type: index.Symlink, Value: []byte("b")}},
			{Do: disk.Delete, Path: "a", Old: a},
			{Do: disk.SetMeta, Path: "a", Old: a, New: &index.Base{Type: index.File, Mode: 0o400, HasMode: true}},
			{Do: disk.Rename, From: "a", Path: "b", Old: a, Over: b, New: &to},
			{Do: disk.Rename, From: "a", Path: "c", Old: a, New: &elsewhere},
			{Do: disk.Rename, From: "b", Path: "a", Old: b, Over: a, New: a},
		} {
			wantResult(t, one(t, w.applier(), op), disk.Stale)
		}
		if got := lstat(t, w.fs, "a").Ident; got != before || string(w.data(t, "b")) != "content 2" {
			t.Errorf("a is %+v, was %+v", got, before)
		}
		if len(w.log.shelf) > 0 {
			t.Errorf("archived: %+v", w.log.shelf)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	check(t, w.fs.Mkdir("d", 0o755))
	w.write(t, "taken", w.content())
	link := func(name, target string) disk.Op {
		return disk.Op{Do: disk.PutSymlink, Path: name, New: &index.Base{Path: name, Type: index.Symlink, Value: []byte(target)}}
	}
	dir := func(name string) disk.Op {
		return disk.Op{Do: disk.Mkdir, Path: name, New: &index.Base{Path: name, Type: index.Dir}}
	}
	a := w.applier()
	for _, c := range []struct {
		op   disk.Op
		want disk.Result
	}{
		{w.put(t, strings.Repeat("n", 256), w.content(), nil), disk.Impossible},
		{w.put(t, "taken", w.content(), nil), disk.Stale},
		{w.put(t, "none/x", w.content(), nil), disk.Stale},
		{dir(".shoal/tmp/x"), disk.Impossible},
		{dir("d/.Shoal-2"), disk.Impossible},
		{dir("../x"), disk.Impossible},
		{dir("/x"), disk.Impossible},
		{dir("taken"), disk.Stale},
		{dir("d"), disk.Applied},
		{link("d/l1", "/etc/passwd"), disk.Impossible},
		{link("d/l2", "../../x"), disk.Impossible},
		{link("d/l3", "x/../../.."), disk.Impossible},
		{link("d/l3", "l5/.."), disk.Impossible}, // l5 may be a link to the top
		{link("d/l4", ""), disk.Impossible},
		{link("d/l5", "../taken"), disk.Applied},
		{disk.Op{Do: disk.Rmdir, Path: "d"}, disk.Stale}, // not empty
		{disk.Op{Do: disk.Rmdir, Path: "taken"}, disk.Stale},
		{disk.Op{Do: disk.Delete, Path: "taken"}, disk.Stale},
		{disk.Op{Do: disk.Delete, Path: "gone", Old: &index.Base{Type: index.File}}, disk.Stale},
		{disk.Op{Do: 99, Path: "x"}, disk.Impossible},
	} {
		wantResult(t, one(t, a, c.op), c.want)
	}
	a.AnyLinks = true
	wantResult(t, one(t, a, link("d/l1", "/etc/passwd")), disk.Applied)
	if target, err := w.fs.Readlink("d/l1"); err != nil || target != "/etc/passwd" {
		t.Errorf("%q, %v", target, err)
	}
	w.audit(t)
}

func TestApplyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{FoldsCase: true})
	w.write(t, "Read.me", w.content())
	row := w.seen(t, "Read.me")
	a := w.applier()
	wantResult(t, one(t, a, w.put(t, "README.md", w.content(), nil)), disk.Applied)
	wantResult(t, one(t, a, w.put(t, "READ.ME", w.content(), nil)), disk.Impossible)
	wantResult(t, one(t, a, disk.Op{Do: disk.Mkdir, Path: "read.ME", New: &index.Base{Path: "read.ME", Type: index.Dir}}), disk.Impossible)
	to := *row
	to.Path = "read.me"
	wantResult(t, one(t, a, disk.Op{Do: disk.Rename, From: "Read.me", Path: "read.me", Old: row, New: &to}), disk.Applied)
	names, _ := w.fs.ReadDir(".")
	if fmt.Sprint(names) != "[.shoal README.md read.me]" || !w.fs.FoldsCase() {
		t.Errorf("%q", names)
	}
	w.audit(t)
}

func TestApplyNoRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{Size: 1000})
	a := w.applier()
	a.Reserve = 300
	if _, err := a.Temp("a", "t", 700); err != nil {
		t.Error(err)
	}
	_, err := a.Temp("a", "t", 701)
	wantErr(t, err, disk.ErrNoRoom)
	op := w.put(t, "a", w.content(), nil)
	w.everyStep(func(_ int, call, _ string) error {
		if call == "renamenew" {
			return syscall.ENOSPC
		}
		return nil
	})
	wantResult(t, one(t, a, op), disk.NoRoom)
	w.calm()
	wantResult(t, one(t, a, op), disk.Applied) // its temporary file is still there
}

// TestApplyPending: a path whose change could not be finished is left alone until Recover has.
func TestApplyPending(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	w.write(t, "a", w.content())
	check(t, w.fs.Chtimes("a", 5))
	op := w.put(t, "a", w.content(), w.seen(t, "a"))
	a := w.applier()
	w.everyStep(func(_ int, call, name string) error {
		if strings.HasPrefix(name, disk.Archive+"/") && call == "renamenew" {
			return syscall.EIO
		}
		return nil
	})
	wantResult(t, one(t, a, op), disk.Failed)
	w.calm()
	if !a.Unfinished("a") || a.Unfinished("b") {
		t.Error("a is not unfinished")
	}
	check(t, a.Clean(t.Context(), disk.CleanOptions{}))
	o := one(t, a, w.put(t, "a", w.content(), w.seen(t, "a")))
	if !errors.Is(o.Err, disk.ErrPending) {
		t.Errorf("%v", o.Err)
	}
	out, err := a.Recover(t.Context())
	check(t, err)
	if len(out) != 1 || out[0].Result != disk.Applied || out[0].Ident.CTime != 0 || a.Unfinished("a") {
		t.Fatalf("%+v", out)
	}
	w.audit(t)
	if len(w.log.shelf) != 1 || string(w.data(t, w.log.shelf[0].Name)) != "content 1" {
		t.Errorf("%+v", w.log.shelf)
	}
}

// TestApplyDevices: what is below a mount point stays on its device.
func TestApplyDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	check(t, w.fs.Mkdir("d", 0o755))
	check(t, w.fs.Mkdir("d/m", 0o755))
	check(t, w.fs.Mount("d/m"))
	check(t, w.fs.Mkdir("d/m/s", 0o755))
	w.write(t, "d/m/s/a", w.content())
	check(t, w.fs.Chtimes("d/m/s/a", 5))
	a := w.applier()
	op := w.put(t, "d/m/s/a", w.content(), w.seen(t, "d/m/s/a"))
	if op.Temp != "d/m/.shoal/tmp/t2" {
		t.Errorf("the temporary file is %s", op.Temp)
	}
	o := one(t, a, op)
	wantResult(t, o, disk.Applied)
	if o.Archived == nil || !strings.HasPrefix(o.Archived.Name, "d/m/.shoal/archive/s/a~20260102-0304") {
		t.Fatalf("%+v", o.Archived)
	}
	wrong := w.put(t, "x", w.content(), nil)
	wrong.Path, wrong.New.Path = "d/m/x", "d/m/x"
	o = one(t, a, wrong)
	wantResult(t, o, disk.Failed)
	wantErr(t, o.Err, disk.ErrCrossing)

	device, err := w.fs.Unmount("d/m") // the archive went with it, and is not forgotten
	check(t, err)
	if out, err := a.CheckArchive(t.Context()); err != nil || len(out) != 0 || len(w.log.shelf) != 1 {
		t.Errorf("%v, %v, %v", out, err, w.log.shelf)
	}
	check(t, w.fs.Remount("d/m", device))
	w.audit(t)
	check(t, w.fs.Remove(w.log.shelf[0].Name))
	if _, err := a.CheckArchive(t.Context()); err != nil || len(w.log.shelf) != 0 {
		t.Errorf("%v, %v", err, w.log.shelf)
	}
}

// A symbolic link has a time that can be set, and no mode.
func TestApplySymlinkTime(t *testing.T) {
	t.Parallel()
	w := newWorld(memfs.Options{})
	a := w.applier()
	row := &index.Base{Path: "l", Type: index.Symlink, Value: []byte("target"), MTime: 1e9}
	o := one(t, a, disk.Op{Do: disk.PutSymlink, Path: "l", New: row})
	wantResult(t, o, disk.Applied)
	later := *row
	later.MTime, later.Mode, later.HasMode = 2e9, 0o700, true
	o = one(t, a, disk.Op{Do: disk.SetMeta, Path: "l", Old: o.Row(), New: &later})
	wantResult(t, o, disk.Applied)
	if info := lstat(t, w.fs, "l"); info.Ident.MTime != 2e9 || o.Row().Ident.MTime != 2e9 {
		t.Errorf("%+v", info)
	}
}
