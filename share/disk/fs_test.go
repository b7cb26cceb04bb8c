package disk_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

// everyFS runs a test over each FS.
func everyFS(t *testing.T, test func(t *testing.T, f disk.FS)) {
	t.Helper()
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		test(t, openFS(t, t.TempDir()))
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, memfs.New(memfs.Options{}))
	})
}

func openFS(t testing.TB, dir string) disk.FS {
	t.Helper()
	f, err := disk.OpenFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// put makes or replaces the content of a file, as programs do: in place.
func put(t testing.TB, f disk.FS, name, data string) {
	t.Helper()
	file, err := f.Create(name)
	if errors.Is(err, fs.ErrExist) {
		file, err = f.Write(name)
	}
	must(t, err)
	must(t, file.Truncate(0))
	_, err = file.WriteAt([]byte(data), 0)
	must(t, err)
	must(t, file.Close())
}

func read(t testing.TB, f disk.FS, name string) string {
	t.Helper()
	file, err := f.Open(name)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	data := make([]byte, info.Ident.Size)
	_, err = io.ReadFull(io.NewSectionReader(file, 0, info.Ident.Size), data)
	must(t, err)
	return string(data)
}

func lstat(t testing.TB, f disk.FS, name string) disk.Info {
	t.Helper()
	info, err := f.Lstat(name)
	must(t, err)
	return info
}

func TestFSFiles(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		must(t, f.Mkdir("d", 0o755))
		file, err := f.Create("d/a")
		must(t, err)
		_, err = file.WriteAt([]byte("hello"), 3)
		must(t, err)
		must(t, file.Truncate(6))
		must(t, file.Sync())
		must(t, file.Close())
		if got := read(t, f, "d/a"); got != "\x00\x00\x00hel" {
			t.Errorf("read %q", got)
		}
		if info := lstat(t, f, "d/a"); info.Type != 0 || info.Ident.Size != 6 || info.Ident.Mode != 0o600 || info.Links != 1 {
			t.Errorf("%+v", info)
		}
		_, err = f.Create("d/a")
		wantErr(t, err, fs.ErrExist)
		_, err = f.Open("d/b")
		wantErr(t, err, fs.ErrNotExist)
		_, err = f.Write("d/b")
		wantErr(t, err, fs.ErrNotExist)
		if _, err = f.Open("d"); err == nil {
			t.Error("a directory was opened as a file")
		}
		r, err := f.Open("d/a")
		must(t, err)
		defer r.Close()
		if _, err := r.WriteAt([]byte("x"), 0); err == nil {
			t.Error("written through what was opened for reading")
		}
		if n, err := r.ReadAt(make([]byte, 9), 4); n != 2 || err != io.EOF {
			t.Errorf("read %d, %v at the end", n, err)
		}
		must(t, f.Chmod("d/a", 0o4741))
		must(t, f.Chtimes("d/a", 1234567890123456789))
		if id := lstat(t, f, "d/a").Ident; id.Mode != 0o741 || id.MTime != 1234567890123456789 {
			t.Errorf("%+v", id)
		}
		must(t, f.Remove("d/a"))
		if got, err := r.Stat(); err != nil || got.Ident.Size != 6 { // open files outlive their names
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestFSDirectories(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		must(t, f.Mkdir("d", 0o755))
		must(t, f.Mkdir("d/e", 0o700))
		wantErr(t, f.Mkdir("d", 0o755), fs.ErrExist)
		wantErr(t, f.Mkdir("x/y", 0o755), fs.ErrNotExist)
		put(t, f, "d/e/f", "1")
		names, err := f.ReadDir("d/e")
		must(t, err)
		if !slices.Equal(names, []string{"f"}) {
			t.Errorf("listed %q", names)
		}
		names, err = f.ReadDir(".")
		must(t, err)
		if !slices.Equal(names, []string{"d"}) {
			t.Errorf("listed %q", names)
		}
		if _, err := f.ReadDir("d/e/f"); err == nil {
			t.Error("a file was listed")
		}
		_, err = f.Lstat("d/e/f/g")
		wantErr(t, err, syscall.ENOTDIR)
		wantErr(t, f.Remove("d/e"), syscall.ENOTEMPTY)
		must(t, f.Remove("d/e/f"))
		must(t, f.Remove("d/e"))
		wantErr(t, f.Remove("d/e"), fs.ErrNotExist)
		if info := lstat(t, f, "."); info.Type != fs.ModeDir {
			t.Errorf("the folder is %v", info.Type)
		}
		must(t, f.SyncDir("d"))
		must(t, f.SyncDir("."))
		if err := f.SyncAll("d"); !errors.Is(err, errors.ErrUnsupported) {
			must(t, err)
		}
		if free, err := f.Free("d"); err != nil || free <= 0 {
			t.Errorf("free: %d, %v", free, err)
		}
	})
}

func TestFSRenames(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		put(t, f, "a", "1")
		put(t, f, "b", "2")
		must(t, f.Mkdir("d", 0o755))
		wantErr(t, f.RenameNew("a", "b"), fs.ErrExist)
		wantErr(t, f.RenameNew("a", "d"), fs.ErrExist)
		wantErr(t, f.RenameNew("c", "e"), fs.ErrNotExist)
		wantErr(t, f.RenameNew("a", "x/a"), fs.ErrNotExist)
		before := lstat(t, f, "a").Ident
		must(t, f.RenameNew("a", "d/a"))
		after := lstat(t, f, "d/a").Ident
		if before.Inode != after.Inode || before.MTime != after.MTime || before.Size != after.Size {
			t.Errorf("a rename made %+v of %+v", after, before)
		}
		if _, err := f.Lstat("a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
		must(t, f.Rename("b", "d/a"))
		if got := read(t, f, "d/a"); got != "2" {
			t.Errorf("read %q", got)
		}
		must(t, f.RenameNew("d", "e"))
		if got := read(t, f, "e/a"); got != "2" {
			t.Errorf("read %q", got)
		}
		if err := f.RenameNew("e", "e/e"); err == nil {
			t.Error("a directory went into itself")
		}
	})
}

func TestFSExchange(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		put(t, f, "a", "1")
		must(t, f.Mkdir("d", 0o755))
		put(t, f, "d/b", "22")
		wantErr(t, f.Exchange("a", "c"), fs.ErrNotExist)
		err := f.Exchange("a", "d/b")
		if errors.Is(err, disk.ErrNoExchange) && runtime.GOOS != "linux" {
			t.Skip("names cannot be exchanged here")
		}
		must(t, err)
		if a, b := read(t, f, "a"), read(t, f, "d/b"); a != "22" || b != "1" {
			t.Errorf("read %q, %q", a, b)
		}
		must(t, f.Symlink("x", "s"))
		must(t, f.Exchange("s", "a"))
		if target, err := f.Readlink("a"); err != nil || target != "x" {
			t.Errorf("%q, %v", target, err)
		}
		must(t, f.Mkdir("e", 0o755))
		must(t, f.Exchange("e", "s"))
		if got := read(t, f, "e"); got != "22" {
			t.Errorf("read %q", got)
		}
	})
}

func TestFSLinks(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		must(t, f.Mkdir("d", 0o755))
		put(t, f, "d/a", "1")
		must(t, f.Symlink("d", "l"))
		must(t, f.Symlink("d/a", "la"))
		info := lstat(t, f, "l")
		if info.Type != fs.ModeSymlink || info.Ident.Size != 1 {
			t.Errorf("%+v", info)
		}
		wantErr(t, f.Symlink("x", "l"), fs.ErrExist)
		if _, err := f.Readlink("d"); err == nil {
			t.Error("a directory has a target")
		}
		calls := map[string]error{"mkdir": f.Mkdir("l/e", 0o755), "remove": f.Remove("l/a"), "symlink": f.Symlink("x", "l/s"),
			"chmod": f.Chmod("l/a", 0o644), "chmod link": f.Chmod("la", 0o644), "chtimes": f.Chtimes("l/a", 5),
			"rename from": f.RenameNew("l/a", "a"), "rename to": f.RenameNew("d/a", "l/b"), "exchange": f.Exchange("l/a", "la"),
			"replace": f.Rename("d/a", "l/b"), "syncdir": f.SyncDir("l")}
		for _, open := range []struct {
			name string
			open func(string) (disk.File, error)
		}{{"open", f.Open}, {"write", f.Write}} {
			_, calls[open.name] = open.open("l/a")
			_, calls[open.name+" link"] = open.open("la")
		}
		_, calls["create"] = f.Create("l/c")
		_, calls["create over link"] = f.Create("la")
		_, calls["lstat"] = f.Lstat("l/a")
		_, calls["readdir"] = f.ReadDir("l")
		for name, err := range calls {
			if err == nil {
				t.Errorf("%s followed a link", name)
			}
		}
		must(t, f.Chtimes("la", 99))
		if lstat(t, f, "d/a").Ident.MTime == 99 {
			t.Error("a time was set through a link")
		}
		must(t, f.Remove("la"))
		if got := read(t, f, "d/a"); got != "1" {
			t.Errorf("read %q", got)
		}
	})
}

func TestFSPaths(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		for _, bad := range []string{"", "/", "/etc", "..", "../x", "a/../b", "a//b", "a/", "./a", "a/.", "a\x00b"} {
			if disk.ValidPath(bad) {
				t.Errorf("%q is valid", bad)
			}
			if _, err := f.Lstat(bad); err == nil {
				t.Errorf("%q was looked at", bad)
			}
			if _, err := f.Create(bad); err == nil {
				t.Errorf("%q was made", bad)
			}
			if err := f.Mkdir(bad, 0o755); err == nil {
				t.Errorf("%q was made", bad)
			}
			if _, err := f.ReadDir(bad); err == nil {
				t.Errorf("%q was listed", bad)
			}
		}
		long := strings.Repeat("n", 256)
		_, err := f.Create(long)
		wantErr(t, err, syscall.ENAMETOOLONG)
		for _, odd := range []string{"a\nb", "\xff\xfe", "-rf", "trailing ", "ü", "u\u0308", long[:255]} {
			put(t, f, odd, odd)
			if got := read(t, f, odd); got != odd {
				t.Errorf("read %q from %q", got, odd)
			}
		}
		if names, _ := f.ReadDir("."); len(names) != 7 {
			t.Errorf("%d names", len(names))
		}
	})
}

func TestFSChangesStampFiles(t *testing.T) {
	t.Parallel()
	everyFS(t, func(t *testing.T, f disk.FS) {
		put(t, f, "a", "1")
		must(t, f.Chtimes("a", 1))
		first := lstat(t, f, "a").Ident
		put(t, f, "a", "2")
		second := lstat(t, f, "a").Ident
		if second.MTime == 1 || second.CTime < first.CTime || second.Inode != first.Inode {
			t.Errorf("%+v, then %+v", first, second)
		}
		put(t, f, "b", "1")
		if lstat(t, f, "b").Ident.Inode == first.Inode {
			t.Error("two files of one inode")
		}
	})
}

// TestFSEscapes is for the real one: what stands above the folder, and pipes.
func TestFSEscapes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "in"), 0o755))
	must(t, os.Symlink(dir, filepath.Join(dir, "in", "out")))
	f := openFS(t, filepath.Join(dir, "in"))
	for _, name := range []string{"../secret", "out/secret", "out/../secret", filepath.Join(dir, "secret")} {
		if file, err := f.Open(name); err == nil {
			file.Close()
			t.Errorf("%s was opened", name)
		}
		if f.Remove(name) == nil || f.RenameNew("out", name) == nil || f.Chmod(name, 0) == nil {
			t.Errorf("%s was changed", name)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "secret")); err != nil || !bytes.Equal(data, []byte("s")) {
		t.Errorf("%q, %v", data, err)
	}
}
