package disk_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

// A row is taken by one rename only, and is not missed then.
func TestScanRenameOnce(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.rename("a", "y")
	x.ok(x.fs.User().Link("y", "z"))
	found, r := x.look(nil)
	want(t, found, "renamed y from a", "created z")
	if r.Missing != 0 || len(x.hashed) != 0 {
		t.Fatalf("%d missing, hashed %q", r.Missing, x.hashed)
	}
	x.pass(time.Hour)
	x.settle()
	x.mustEqual()
}

// The same of contents: two copies of one vanished file are a rename and a copy.
func TestScanMovedOnce(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("b")
	x.write("y", "three")
	x.write("z", "three")
	var all []disk.Finding
	_, err := x.scan.Scan(t.Context(), nil, func(f disk.Finding) error { all = append(all, f); return nil })
	x.ok(err)
	for i, f := range all {
		all[i], err = x.scan.Moved(t.Context(), f, hashOf([]byte("three")))
		x.ok(err)
	}
	want(t, all, "renamed y from b", "created z")
}

// A mount that comes over a directory just before it is listed: nothing is missed.
func TestScanMountedMeanwhile(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.fs.SetFault(func(op, p string) error {
		if op == "readdir" && p == "d" {
			x.fs.SetFault(nil)
			return x.fs.Mount("d")
		}
		return nil
	})
	found, r := x.look(nil)
	want(t, found)
	wantProblem(t, r, "d", disk.ErrMoved)
	if r.Missing != 0 {
		t.Fatal("what the mount hides is missed")
	}
}

// What is on a mount that is away is not taken for renamed, whatever inodes say.
func TestScanNoRenameFromAbsentMount(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.mkdir("m")
	x.ok(x.fs.Mount("m"))
	x.write("m/x", "1234")
	x.pass(time.Minute)
	x.settle()
	_, err := x.fs.Unmount("m")
	x.ok(err)
	x.write("n", "1234")
	x.pass(time.Minute)
	info, err := x.fs.Lstat("n")
	x.ok(err)
	row := x.b.rows["m/x"]
	row.Ident = info.Ident
	x.b.put(row)
	found, _ := x.look(nil)
	want(t, found, "created n")
	x.pass(time.Hour)
	found, _ = x.secondLook()
	want(t, found)

	// Nor is a file in the place of the mount's directory a deletion of what was there.
	x.remove("m")
	x.write("m", "a file")
	for range 3 {
		found, r := x.look(nil)
		want(t, found)
		if !slices.Equal(r.Absent, []string{"m"}) || r.Missing != 0 {
			t.Fatalf("absent %q, %d missing", r.Absent, r.Missing)
		}
		x.pass(time.Hour)
		x.secondLook()
	}
}

// A second look that cannot see gives up, and does not ask to be called at once again.
func TestScanSecondLookBlind(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("d/c")
	x.look(nil)
	x.fs.SetFault(func(op, p string) error {
		if op == "readdir" && p == "d" {
			return syscall.EIO
		}
		return nil
	})
	x.pass(disk.SecondFile)
	found, r := x.secondLook()
	want(t, found)
	if next, waits := x.scan.NextLook(); waits || r.Missing != 0 {
		t.Fatalf("it asks for a look at %v, and it is %v", next, x.now)
	}
	x.fs.SetFault(nil)
	found, _ = x.look(nil)
	want(t, found)
	x.pass(disk.SecondFile)
	found, _ = x.secondLook()
	want(t, found, "deleted d/c")
}
