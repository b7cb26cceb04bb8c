package disk_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

// Nothing is deleted at the first look, and nothing too early at the second.
func TestScanSecondLook(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("a", "d/c", "d/e/f", "d/e", "d")
	found, r := x.look(nil)
	want(t, found)
	if r.Missing != 2 {
		t.Fatalf("%d missing, want a and d", r.Missing)
	}
	x.now = x.now.Add(disk.SecondFile - 1)
	found, _ = x.secondLook()
	want(t, found)
	found, _ = x.look(nil)
	want(t, found)
	x.now = x.now.Add(1)
	found, _ = x.secondLook()
	want(t, found, "deleted a")
	next, waits := x.scan.NextLook()
	if !waits || next.Sub(x.now) != disk.SecondDir-disk.SecondFile {
		t.Fatalf("the next look is in %v", next.Sub(x.now))
	}
	x.now = next.Add(-1)
	found, _ = x.look(nil)
	want(t, found)
	x.now = next
	found, _ = x.secondLook()
	want(t, found, "deleted d/c", "deleted d/e/f", "deleted d/e/", "deleted d/")
	if _, waits := x.scan.NextLook(); waits {
		t.Fatal("something is still missing")
	}
	x.mustEqual()
}

// A directory without files need not wait long; one that was renamed is such.
func TestScanEmptyDirectoryGoesSoon(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.rename("d", "n")
	x.look(nil)
	x.pass(disk.SecondFile)
	found, _ := x.secondLook()
	want(t, found, "deleted d/e/", "deleted d/")
	x.mustEqual()
}

// What is back at the second look is compared, and the clock starts again for the next absence.
func TestScanComesBack(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("a")
	x.look(nil)
	x.write("a", "back!")
	x.pass(disk.SecondFile)
	found, _ := x.secondLook()
	want(t, found, "edited a")
	x.remove("a")
	x.pass(time.Hour)
	found, _ = x.look(nil)
	want(t, found)
}

// A restart forgets first looks, and deletes nothing for it.
func TestScanRestartBetweenLooks(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("a")
	x.look(nil)
	x.restart()
	x.pass(time.Hour)
	found, _ := x.look(nil)
	want(t, found)
	x.pass(disk.SecondFile)
	found, _ = x.secondLook()
	want(t, found, "deleted a")
}

// A file in the place of a directory waits until what was in the directory is deleted, and comes with that.
func TestScanFileForDirectory(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("d/c", "d/e/f", "d/e", "d")
	x.write("d", "now a file")
	for range 2 {
		found, _ := x.look(nil)
		want(t, found)
		x.pass(disk.SecondFile)
	}
	x.pass(disk.SecondDir)
	found, _ := x.secondLook()
	want(t, found, "deleted d/c", "deleted d/e/f", "deleted d/e/", "retyped d")
	x.settle()
	x.mustEqual()
}

// T9, scenario 13: a mount that vanishes and returns, a directory that becomes a mount, a lost marker: no event.
func TestScanMounts(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.mkdir("m")
	x.ok(x.fs.Mount("m"))
	x.write("m/x", "on another device")
	x.pass(time.Minute)
	x.settle()
	if !x.b.rows["m"].XDev || x.b.rows["d"].XDev {
		t.Fatal("B does not say where a device begins")
	}
	quiet := func(absent ...string) {
		t.Helper()
		for range 3 {
			found, r := x.look(nil)
			want(t, found)
			if !slices.Equal(r.Absent, absent) || r.Missing != 0 {
				t.Fatalf("absent %q, %d missing; want %q", r.Absent, r.Missing, absent)
			}
			found, _ = x.look(disk.Paths{"m": disk.LookDeep, "m/x": disk.LookSelf, "d/c": disk.LookSelf})
			want(t, found)
			x.pass(time.Hour)
			found, _ = x.secondLook()
			want(t, found)
		}
	}
	device, err := x.fs.Unmount("m")
	x.ok(err)
	quiet("m")
	x.write("m/under", "written where the mount was") // it is no event either
	quiet("m")
	x.remove("m/under", "m") // some tools take the directory away, too
	quiet("m")
	x.mkdir("m")
	x.ok(x.fs.Remount("m", device))
	quiet()
	x.ok(x.fs.Mount("d"))
	quiet("d")
	_, err = x.fs.Unmount("d")
	x.ok(err)
	quiet()
	x.mustEqual()
}

// A mount below a directory that is deleted keeps that directory, and what was in the mount.
func TestScanDeletedAboveMount(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	x.mkdir("p", "p/m")
	x.ok(x.fs.Mount("p/m"))
	x.write("p/m/x", "on another device")
	x.write("p/y", "here")
	x.pass(time.Minute)
	x.settle()
	_, err := x.fs.Unmount("p/m")
	x.ok(err)
	x.remove("p/m", "p/y", "p")
	x.look(nil)
	x.pass(disk.SecondDir)
	found, r := x.secondLook()
	want(t, found, "deleted p/y")
	if !slices.Equal(r.Absent, []string{"p/m"}) {
		t.Fatalf("absent: %q", r.Absent)
	}
}

// Scenario 13: without the right marker there is no folder, at the start or at the end of a scan.
func TestScanMarker(t *testing.T) {
	t.Parallel()
	x := tree(t, memfs.Options{})
	x.remove("a")
	x.look(nil)
	x.pass(time.Hour)
	x.write("n", "new")
	none := func(disk.Finding) error { t.Error("a finding without a marker"); return nil }
	scan := func() {
		t.Helper()
		if _, err := x.scan.Scan(t.Context(), nil, none); !errors.Is(err, disk.ErrAbsent) {
			t.Fatal(err)
		}
		if _, err := x.scan.SecondLook(t.Context(), none); !errors.Is(err, disk.ErrAbsent) {
			t.Fatal(err)
		}
	}
	x.ok(disk.WriteMark(x.fs, "another"))
	scan()
	x.write(disk.Marker, "nonsense")
	scan()
	x.remove(disk.Marker)
	scan()
	x.ok(disk.WriteMark(x.fs, share))
	reads := 0
	x.fs.SetFault(func(op, p string) error {
		if op == "open" && p == disk.Marker {
			if reads++; reads > 1 {
				return syscall.ENOENT
			}
		}
		return nil
	})
	if _, err := x.scan.Scan(t.Context(), nil, none); !errors.Is(err, disk.ErrAbsent) {
		t.Fatal(err)
	}
	x.fs.SetFault(nil)
	found, _ := x.look(nil) // the looks at what is missing begin again
	want(t, found, "created n")
	x.pass(disk.SecondFile)
	found, _ = x.secondLook()
	want(t, found, "deleted a")
}

// Unreadable is not deleted: every operation of a scan may fail, and nothing is concluded.
func TestScanFaults(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.EACCES, syscall.EMFILE, syscall.ENOENT} {
		for _, at := range []string{"readdir .", "readdir d", "readdir d/e", "lstat a", "lstat d", "lstat d/e/f", "lstat s", "lstat .",
			"open d/.shoalignore", "open .shoalignore"} {
			x := tree(t, memfs.Options{})
			x.write("d/.shoalignore", "nothing")
			x.pass(time.Minute)
			x.fs.SetFault(func(op, p string) error {
				if op+" "+p == at {
					return errno
				}
				return nil
			})
			for range 2 {
				for _, what := range []disk.Paths{nil, {"a": 0, "d/c": 0, "d/e/f": 0, "s": 0}} {
					_, err := x.scan.Scan(t.Context(), what, func(f disk.Finding) error {
						// ENOENT of a look is an absence like any other, however it came.
						if errno != syscall.ENOENT {
							t.Errorf("%v at %s: found %v", errno, at, list([]disk.Finding{f}))
						}
						return nil
					})
					if err != nil && !errors.Is(err, disk.ErrAbsent) {
						t.Fatalf("%v at %s: %v", errno, at, err)
					}
					x.pass(disk.SecondDir)
				}
			}
			x.fs.SetFault(nil)
			if found, _ := x.look(nil); len(found) > 0 {
				t.Errorf("after %v at %s: found %q", errno, at, list(found))
			}
		}
	}
}
