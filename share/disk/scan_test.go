package disk_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
	"shoal/share/index"
)

// tree is a bench with a small tree that is all known.
func tree(t tester, opts memfs.Options) *bench {
	x := newBench(t, opts)
	x.mkdir("d", "d/e")
	x.write("a", "one")
	x.write("b", "three")
	x.write("d/c", "four!")
	x.write("d/e/f", "fivefive")
	x.ok(x.fs.User().Symlink("a", "s"))
	x.pass(time.Minute)
	x.settle()
	return x
}

// A table of what a user does, and what is found at once.
func TestScanFinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(x *bench)
		want []string
		hash []string // what must be read
	}{
		{"nothing", func(x *bench) {}, nil, nil},
		{"new file", func(x *bench) { x.write("n", "new") }, []string{"created n"}, []string{"n"}},
		{"new tree", func(x *bench) { x.mkdir("n", "n/m"); x.write("n/m/o", "") },
			[]string{"created n/", "created n/m/", "created n/m/o"}, []string{"n/m/o"}},
		{"edit", func(x *bench) { x.write("a", "other") }, []string{"edited a"}, []string{"a"}},
		{"edit of the same size", func(x *bench) { x.write("a", "two") }, []string{"touched a"}, []string{"a"}},
		{"edit that hides its mtime", func(x *bench) {
			info, err := x.fs.Lstat("a")
			x.ok(err)
			x.write("a", "two")
			x.ok(x.fs.User().Chtimes("a", info.Ident.MTime))
		}, []string{"touched a"}, []string{"a"}},
		{"chmod", func(x *bench) { x.ok(x.fs.User().Chmod("a", 0o755)) }, []string{"touched a"}, []string{"a"}},
		{"chmod of a directory", func(x *bench) { x.ok(x.fs.User().Chmod("d", 0o700)) }, []string{"touched d/"}, nil},
		{"rename", func(x *bench) { x.rename("a", "z") }, []string{"renamed z from a"}, nil},
		{"rename backwards", func(x *bench) { x.rename("b", "a0") }, []string{"renamed a0 from b"}, nil},
		{"rename over a file", func(x *bench) { x.rename("a", "b") }, []string{"edited b"}, nil},
		{"swap", func(x *bench) { x.ok(x.fs.User().Exchange("a", "b")) }, []string{"edited a", "edited b"}, nil},
		{"atomic save", func(x *bench) { x.write("a~", "atomic"); x.rename("a~", "a") }, []string{"edited a"}, []string{"a"}},
		{"rename and edit", func(x *bench) { x.rename("a", "z"); x.write("z", "zzz") }, []string{"created z"}, []string{"z"}},
		{"rename and a new file", func(x *bench) { x.rename("a", "z"); x.write("a", "new") },
			[]string{"created z", "edited a"}, []string{"a"}},
		{"rename of a directory", func(x *bench) { x.rename("d", "n") },
			[]string{"created n/", "renamed n/c from d/c", "created n/e/", "renamed n/e/f from d/e/f"}, nil},
		{"hard link", func(x *bench) { x.ok(x.fs.User().Link("a", "h")) }, []string{"created h"}, nil},
		{"new target", func(x *bench) { x.remove("s"); x.ok(x.fs.User().Symlink("../../etc/passwd", "s")) }, []string{"edited s"}, nil},
		{"file for symlink", func(x *bench) { x.remove("s"); x.write("s", "x") }, []string{"retyped s"}, []string{"s"}},
		{"symlink for file", func(x *bench) { x.remove("a"); x.ok(x.fs.User().Symlink("b", "a")) }, []string{"retyped a"}, nil},
		{"directory for file", func(x *bench) { x.remove("a"); x.mkdir("a"); x.write("a/x", "x") },
			[]string{"retyped a/", "created a/x"}, []string{"a/x"}},
		{"file for directory", func(x *bench) { x.remove("d/e/f", "d/e"); x.write("d/e", "x") }, nil, nil},
		{"deletions", func(x *bench) { x.remove("a", "d/e/f", "d/e", "s") }, nil, nil},
		{"a pipe", func(x *bench) { x.ok(x.fs.Pipe("p")) }, nil, nil},
		{"a pipe for a file", func(x *bench) { x.remove("a"); x.ok(x.fs.Pipe("a")) }, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, whole := range []bool{true, false} {
				x := tree(t, memfs.Options{})
				before := stamps(x)
				test.do(x)
				x.pass(time.Minute)
				var what disk.Paths
				if !whole {
					what = changed(x, before)
				}
				found, _ := x.look(what)
				want(t, found, test.want...)
				if !slices.Equal(x.hashed, test.hash) {
					t.Fatalf("whole %v: hashed %q, want %q", whole, x.hashed, test.hash)
				}
				x.settle()
				x.mustEqual()
				if found, _ := x.look(nil); len(found) > 0 || len(x.hashed) > 0 {
					t.Fatalf("a second scan finds %q and hashes %q", list(found), x.hashed)
				}
			}
		})
	}
}

// stamps is what a watcher could know.
func stamps(x *bench) map[string]disk.Info {
	m := map[string]disk.Info{}
	x.fs.Walk(func(name string, info disk.Info, _ []byte) { m[name] = info })
	return m
}

// changed is what a watcher names: every path that came, went or changed.
func changed(x *bench, before map[string]disk.Info) disk.Paths {
	what := disk.Paths{}
	x.fs.Walk(func(name string, info disk.Info, _ []byte) {
		if before[name] != info && !strings.HasPrefix(name, disk.Dir) {
			what.Add(name, disk.LookSelf)
		}
		delete(before, name)
	})
	for name := range before {
		what.Add(name, disk.LookSelf)
	}
	return what
}

// mustEqual holds B against the disk: paths, types, contents, modes. Of two names that are one in NFC, B has either.
func (x *bench) mustEqual() {
	x.t.Helper()
	there := map[string]int{} // 1: on disk; 2: as B says
	x.fs.Walk(func(disk string, info disk.Info, data []byte) {
		name := norm.NFC.String(disk)
		if strings.HasPrefix(disk, ".shoal") || strings.Contains(name, "é/") {
			return // what is in the second of two such directories is not shared
		}
		if info.Type == fs.ModeNamedPipe {
			there[name] = 2
			return
		}
		row := x.b.rows[name]
		there[name] = max(there[name], 1)
		switch info.Type {
		case fs.ModeSymlink: // the target below: Walk holds the lock
			if row.Type != index.Symlink {
				return
			}
		case fs.ModeDir:
			if row.Type != index.Dir || row.Mode != info.Ident.Mode {
				return
			}
		default:
			if row.Type != index.File || row.Mode != info.Ident.Mode || row.Hash != hashOf(data) || row.MTime != info.Ident.MTime {
				return
			}
		}
		there[name] = 2
	})
	for p, n := range there {
		if n != 2 {
			x.t.Fatalf("%q is not on disk what B says: %+v", p, x.b.rows[p])
		}
	}
	for p, row := range x.b.rows {
		if row.Present && there[p] == 0 && !strings.Contains(p, "é/") {
			x.t.Fatalf("%q is in B and not on disk", p)
		}
		at, err := disk.Resolve(x.fs.User(), p)
		x.ok(err)
		if target, _ := x.fs.User().Readlink(at); row.Type == index.Symlink && target != string(row.Value) && isASCII(p) {
			x.t.Fatalf("%s leads to %q in B, to %q on disk", p, row.Value, target)
		}
	}
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) }

// A row that is not present is not missed, and a file that appears there is a new one.
func TestScanNotPresent(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	x.b.put(index.Base{Path: "away", Type: index.File, Size: 3})
	x.b.put(index.Base{Path: "far", Type: index.Dir})
	x.b.put(index.Base{Path: "far/away", Type: index.File, Size: 3})
	for range 3 {
		found, r := x.look(nil)
		want(t, found)
		if r.Missing != 0 {
			t.Fatal("something is missing that was never there")
		}
		x.pass(time.Hour)
	}
	x.write("away", "abc")
	found, _ := x.look(nil)
	want(t, found, "created away")
	if found[0].Base == nil {
		t.Fatal("the finding does not have the row")
	}
}

// What belongs to others is not looked at.
func TestScanSkip(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.skip = func(p string) bool { return p == "d" || strings.HasPrefix(p, "d/") }
	x.remove("d/c")
	x.write("d/n", "theirs")
	for range 3 {
		found, _ := x.look(nil)
		want(t, found)
		found, _ = x.look(disk.Paths{"d/n": 0, "d/c": 0})
		want(t, found)
		x.pass(time.Hour)
	}
	x.rename("d/e/f", "mine")
	found, _ := x.look(nil)
	want(t, found, "created mine")
}

// A young file is hashed once more, also after a restart.
func TestScanRacy(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.write("a", "two")
	found, _ := x.look(nil)
	want(t, found, "touched a")
	if !slices.Equal(x.hashed, []string{"a"}) || x.racy["a"] != disk.LookHash {
		t.Fatal("the young file is not to be hashed again")
	}
	// The program goes on within the same tick: no stamp changes.
	f, err := x.fs.User().Write("a")
	x.ok(err)
	now := x.now
	info, _ := x.fs.Lstat("a")
	x.now = time.Unix(0, info.Ident.CTime)
	_, err = f.WriteAt([]byte("TWO"), 0)
	x.ok(err)
	x.now = now
	x.racy = disk.Paths{}
	x.restart()
	x.pass(time.Minute)
	x.look(nil)
	x.mustEqual()
	// A file that B has, and that is young, is settling.
	x.settle()
	x.write("a", "six")
	x.look(nil)
	row := x.b.rows["a"]
	info, _ = x.fs.Lstat("a")
	row.Ident = info.Ident
	x.b.put(row)
	if _, r := x.look(nil); !slices.Equal(r.Settling, []string{"a"}) {
		t.Fatalf("settling: %q", r.Settling)
	}
	found, _ = x.look(disk.Paths{"a": disk.LookHash})
	want(t, found, "touched a")
}

// Contents that moved to another inode are renames once they are hashed; empty files and copies are not.
func TestScanMovedByContent(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.write("empty", "")
	x.pass(time.Minute)
	x.settle()
	x.write("copy", "one") // of a, which stays
	x.write("moved", "three")
	x.remove("b", "empty")
	x.write("void", "")
	x.pass(time.Minute)
	found, _ := x.look(nil)
	want(t, found, "created void", "created copy", "renamed moved from b")
	x.settle()
	x.mustEqual()
}

// mtimes of whole seconds prove too little: such a file is read.
func TestScanRenameOfOldArchive(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	x.write("a", "from an archive")
	x.ok(x.fs.User().Chtimes("a", 1_500_000_000*int64(time.Second)))
	x.pass(time.Minute)
	x.settle()
	x.rename("a", "b")
	found, _ := x.look(nil)
	want(t, found, "renamed b from a")
	if !slices.Equal(x.hashed, []string{"b"}) {
		t.Fatal("the file was not read")
	}
}

// Case alone: one file with another name.
func TestScanCaseOnlyRename(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{FoldsCase: true})
	x.rename("a", "A")
	found, _ := x.look(disk.Paths{"a": 0, "A": 0})
	want(t, found, "renamed A from a")
	x.pass(time.Minute)
	x.settle()
	if _, ok := x.b.rows["a"]; ok || len(x.b.rows) != 7 {
		t.Fatalf("B has %d rows", len(x.b.rows))
	}
}
