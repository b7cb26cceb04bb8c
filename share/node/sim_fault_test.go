package node

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shoal/share/disk"
)

// A simFault is something that is wrong with a disk.
type simFault struct {
	name string
	ops  []string // that fail
	in   string   // at paths that begin so
	err  error
}

var simChanges = []string{"create", "write", "mkdir", "symlink", "remove", "rename", "renamenew", "exchange", "chmod", "chtimes",
	"writeat", "truncate", "fsync", "syncdir", "syncall"}

// Scenario 12: a disk that is full, broken, read-only, or out of descriptors. Nothing is lost, it is said, and when it is
// well again all goes on, without a restart.
func TestSimDiskFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []simFault{
		{"full", []string{"writeat", "truncate"}, "", syscall.ENOSPC},
		{"quota", []string{"create", "mkdir"}, "", syscall.EDQUOT},
		{"broken", []string{"fsync", "syncdir", "syncall"}, "", syscall.EIO},
		{"broken directories", []string{"syncdir", "syncall"}, "", syscall.EIO},
		{"read-only", simChanges, "", syscall.EROFS},
		{"descriptors", []string{"create", "open", "write"}, "", syscall.EMFILE},
		{"exchange", []string{"exchange"}, "", syscall.EIO},
		{"no archive", []string{"renamenew"}, disk.Archive, syscall.ENOSPC},
		{"unreadable", []string{"readdir"}, "", syscall.EIO},
		{"blind", []string{"lstat"}, disk.Temp, syscall.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			simulate(t, 120, func(t *testing.T, w *simWorld) { w.fault(t, c) })
		})
	}
}

func (w *simWorld) fault(t *testing.T, c simFault) {
	a := w.machine("admin")
	for i, p := range []string{"edited", "removed", "kept", "from", "over"} {
		a.write(p, simBytes(120, i, 1000), false)
	}
	w.share("admin", "write")
	b := w.all[1]
	var met atomic.Int64
	b.sicken(func(op, name string) error {
		if slices.Contains(c.ops, op) && strings.HasPrefix(name, c.in) {
			met.Add(1)
			return c.err
		}
		return nil
	})
	a.write("edited", simBytes(120, 10, 1100), true)
	a.write("large", simBytes(120, 11, 600_000), false)
	a.write("dir/small", simBytes(120, 12, 10), false)
	a.remove("removed")
	a.rename("from", "over")
	b.write("own", simBytes(120, 13, 100), false)
	b.look()
	time.Sleep(5 * time.Minute)
	w.quiet()
	if met.Load() == 0 {
		t.Error("nothing failed")
	}
	there := map[simSum]bool{}
	b.fs.Walk(func(_ string, _ disk.Info, data []byte) { there[sumOfBytes(data)] = true })
	for i := range 5 {
		if !there[sumOfBytes(simBytes(120, i, 1000))] {
			t.Errorf("file %d is lost while the disk is ill", i)
		}
	}
	s, err := b.node().Status(t.Context(), "s")
	if err != nil || len(s.Problems) == 0 && s.Error == "" && s.Full == "" {
		t.Errorf("nobody says what is wrong: %+v, %v", s, err)
	}
	b.sicken(nil)
	w.settle(15 * time.Minute)
	w.check(strict{gone: true})
}

// Scenario 13: a folder whose marker goes away deletes nothing, and is itself again when it is back.
func TestSimMarkerGoes(t *testing.T) {
	t.Parallel()
	simulate(t, 121, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("d/f", 5, 500, 0)
		w.share("admin", "write")
		b := w.all[1]
		user := b.fs.User()
		if err := errors.Join(user.Rename(".shoal/id", ".shoal/not"), user.Rename("d", "elsewhere")); err != nil {
			t.Fatal(err)
		}
		b.look()
		a.write("new", simBytes(121, 10, 100), false)
		time.Sleep(3 * time.Hour)
		w.quiet()
		if v, _ := b.engine().look(); v.State != "absent" {
			t.Errorf("the state is %s: %s", v.State, v.Err)
		}
		if len(a.tree()) != 7 {
			t.Errorf("a has %v", a.tree())
		}
		if err := errors.Join(user.Rename(".shoal/not", ".shoal/id"), user.Rename("elsewhere", "d")); err != nil {
			t.Fatal(err)
		}
		w.settle(time.Hour)
		if len(b.tree()) != 7 {
			t.Errorf("b has %v", b.tree())
		}
		w.check(strict{})
	})
}

// Scenario 18: what is no file, links that lead out, hard links.
func TestSimOddFiles(t *testing.T) {
	t.Parallel()
	simulate(t, 122, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.write("x", simBytes(122, 1, 100), false)
		user := a.fs.User()
		if err := errors.Join(user.Symlink("/etc/passwd", "absolute"), user.Symlink("../../etc/passwd", "escapes"), user.Symlink("x", "inside"),
			user.Link("x", "hard"), user.Pipe("fifo")); err != nil {
			t.Fatal(err)
		}
		w.machine("write")
		a.create()
		b := w.all[1]
		b.join()
		time.Sleep(10 * time.Minute)
		w.quiet()
		got := b.tree()
		if len(got) != 3 || got["inside"] != "-> x" || got["x"] != got["hard"] {
			t.Errorf("b has %v", got)
		}
		b.write("x", simBytes(122, 2, 100), true) // of two hard links only one is edited there
		time.Sleep(10 * time.Minute)
		w.quiet()
		if got := a.tree(); got["x"] == got["hard"] || got["hard"] != b.tree()["hard"] {
			t.Errorf("a has %v", got)
		}
		said := ""
		for _, m := range w.all {
			s, err := m.node().Status(t.Context(), "s")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range s.Problems {
				said += p.Path + " "
			}
		}
		for _, p := range []string{"absolute", "escapes", "fifo"} {
			if !strings.Contains(said, p) {
				t.Errorf("nobody says what is wrong with %s: %s", p, said)
			}
		}
	})
}
