package disk_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/share/disk"
	"shoal/share/disk/memfs"
)

// Whatever a user does, whenever the scanner looks, whatever fails on the way, and however often it is restarted: in the
// end B is the tree, and a second scan finds nothing and reads nothing. No path is deleted that was seen less than
// SecondFile ago.
func TestScanProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		x := newBench(t, memfs.Options{})
		u := &tinkerer{bench: x, r: r, there: map[string]time.Time{}}
		x.t = r
		before := stamps(x)
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "step") {
			case 0:
				u.scan(nil)
			case 1:
				u.scan(changed(x, before))
				before = stamps(x)
			case 2:
				if next, waits := x.scan.NextLook(); waits {
					x.now = maxTime(x.now, next)
				}
				u.check(x.secondLook())
			case 3:
				x.restart()
			case 4:
				u.fault()
			default:
				u.act()
			}
			x.pass(rapid.SampledFrom([]time.Duration{0, time.Second, 3 * time.Second, time.Minute}).Draw(r, "wait"))
			u.seen()
		}
		x.fs.SetFault(nil)
		x.settle()
		x.mustEqual()
		if found, _ := x.look(nil); len(found) > 0 || len(x.hashed) > 0 {
			r.Fatalf("another scan finds %q and hashes %q", list(found), x.hashed)
		}
	})
}

// A tinkerer does random things in a small tree.
type tinkerer struct {
	*bench
	r     *rapid.T
	there map[string]time.Time // when each path was last on disk
}

func (u *tinkerer) path() string {
	names := []string{"a", "b", "é", "e\u0301"}
	p := rapid.SampledFrom(names).Draw(u.r, "name")
	for range rapid.IntRange(0, 2).Draw(u.r, "depth") {
		p = rapid.SampledFrom(names[:2]).Draw(u.r, "dir") + "/" + p
	}
	return p
}

func (u *tinkerer) act() {
	disk, p := u.fs.User(), u.path()
	// Errors are part of the play: most paths are not there.
	switch rapid.IntRange(0, 9).Draw(u.r, "do") {
	case 0, 1:
		disk.Mkdir(p, 0o755)
	case 2, 3, 4:
		if f, err := disk.Create(p); err == nil {
			f.WriteAt([]byte(rapid.SampledFrom([]string{"", "x", "yy", "zz"}).Draw(u.r, "text")), 0)
			f.Close()
		} else if f, err := disk.Write(p); err == nil {
			f.WriteAt([]byte(rapid.SampledFrom([]string{"p", "qq"}).Draw(u.r, "text")), 0)
			f.Close()
		}
	case 5:
		u.removeAll(p)
	case 6:
		disk.RenameNew(p, u.path())
	case 7:
		disk.Exchange(p, u.path())
	case 8:
		disk.Symlink(u.path(), p)
	case 9:
		disk.Chmod(p, rapid.SampledFrom([]fs.FileMode{0o755, 0o700}).Draw(u.r, "mode"))
	}
}

func (u *tinkerer) removeAll(p string) {
	names, _ := u.fs.User().ReadDir(p)
	for _, n := range names {
		u.removeAll(p + "/" + n)
	}
	u.fs.User().Remove(p)
}

// fault makes one path fail until the next.
func (u *tinkerer) fault() {
	p := u.path()
	op := rapid.SampledFrom([]string{"readdir", "lstat", "open", "none"}).Draw(u.r, "op")
	u.fs.SetFault(func(o, at string) error {
		if o == op && at == p {
			return syscall.EIO
		}
		return nil
	})
}

func (u *tinkerer) scan(what disk.Paths) {
	u.check(u.look(what))
}

// seen notes what is on disk.
func (u *tinkerer) seen() {
	for p := range stamps(u.bench) {
		u.there[p] = u.now
	}
}

func (u *tinkerer) check(found []disk.Finding, _ disk.Report) {
	for _, f := range found {
		if f.Kind != disk.Deleted {
			continue
		}
		// The step before the last is when it was seen for sure.
		if at, ok := u.there[f.Path]; ok && u.now.Sub(at) < disk.SecondFile {
			u.r.Fatalf("%s was there %v ago, and is found deleted", f.Path, u.now.Sub(at))
		}
	}
}

// Findings come in an order that can be applied: directories before what is in them, deleted ones after it; and each path
// once.
func TestScanOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		x := newBench(t, memfs.Options{})
		u := &tinkerer{bench: x, r: r, there: map[string]time.Time{}}
		x.t = r
		for range 2 {
			for range 20 {
				u.act()
				x.pass(time.Second)
			}
			x.settle()
		}
		u.removeAll("a")
		u.act()
		all, _ := x.look(nil)
		x.pass(disk.SecondDir)
		deleted, _ := x.secondLook()
		all = append(all, deleted...)
		for i, f := range all {
			for _, g := range all[i+1:] {
				if f.Path == g.Path {
					r.Fatalf("%s twice: %q", f.Path, list(all))
				}
				if f.Kind == disk.Deleted && g.Kind == disk.Deleted && strings.HasPrefix(g.Path, f.Path+"/") ||
					f.Kind == disk.Created && g.Kind == disk.Created && strings.HasPrefix(f.Path, g.Path+"/") {
					r.Fatalf("%s before %s: %q", f.Path, g.Path, list(all))
				}
			}
		}
	})
}

// A million files are not held: while a scan of many directories goes on, findings come before it ends, never more at once
// than one directory has.
func TestScanStreams(t *testing.T) {
	t.Parallel()
	x := newBench(t, memfs.Options{})
	for i := range 20 {
		x.mkdir(fmt.Sprintf("d%02d", i))
		for j := range 20 {
			x.write(fmt.Sprintf("d%02d/f%d", i, j), "x")
		}
	}
	var opened, emitted []string
	x.fs.SetFault(func(op, p string) error {
		if op == "readdir" {
			opened = append(opened, p)
		}
		return nil
	})
	_, err := x.scan.Scan(t.Context(), nil, func(f disk.Finding) error {
		emitted = append(emitted, f.Path)
		if n := len(opened); opened[n-1] != "." && f.Path != opened[n-1] && !strings.HasPrefix(f.Path, opened[n-1]+"/") {
			t.Fatalf("%s comes after %s was listed", f.Path, opened[n-1])
		}
		return nil
	})
	x.ok(err)
	if len(emitted) != 20+20*20 || !slices.IsSorted(opened) {
		t.Fatalf("%d findings, %q", len(emitted), opened)
	}
}
