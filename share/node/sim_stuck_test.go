package node

import (
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// What kept shares from coming to rest, each for itself.

// apart is a world of two that do different things while they cannot reach each other, and meet.
func apart(t *testing.T, seed uint64, before func(a *simMachine), during func(w *simWorld, a, b *simMachine)) {
	t.Parallel()
	simulate(t, seed, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		before(a)
		w.share("admin", "write")
		b := w.all[1]
		w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true })
		during(w, a, b)
		w.quiet()
		time.Sleep(2 * time.Minute)
		w.net.part(nil)
		w.settle(10 * time.Minute)
		w.check(strict{})
	})
}

// Names are exchanged, among files and with a directory in the circle.
func TestSimCircles(t *testing.T) {
	for name, moves := range map[string][]string{
		"two": {"a t", "b a", "t b"}, "three": {"a t", "b a", "c b", "t c"}, "directory": {"a t", "b a/in", "t b"},
		"deep": {"a t", "b a/in", "c b", "t c"},
	} {
		t.Run(name, func(t *testing.T) {
			apart(t, 100, func(a *simMachine) {
				for i, p := range []string{"a", "b", "c"} {
					a.write(p, simBytes(100, i, 1000), false)
				}
			}, func(_ *simWorld, a, b *simMachine) {
				for _, m := range moves {
					from, to, _ := strings.Cut(m, " ")
					a.rename(from, to)
				}
			})
		})
	}
}

// A conflict copy is edited: its new version is a file of its own name.
func TestSimConflictCopyEdited(t *testing.T) {
	t.Parallel()
	simulate(t, 101, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		w.share("admin", "write")
		b := w.all[1]
		w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true })
		a.write("x.txt", simBytes(101, 1, 1000), false)
		b.write("x.txt", simBytes(101, 2, 1000), false)
		time.Sleep(time.Minute)
		w.net.part(nil)
		w.settle(10 * time.Minute)
		for _, large := range []int{0, 600_000} {
			copied := ""
			for p := range a.tree() {
				if strings.Contains(p, ".conflict-") {
					copied = p
				}
			}
			if copied == "" {
				t.Fatalf("there is no conflict copy: %v", a.tree())
			}
			a.write(copied, simBytes(101, 3, 1100+large), true)
			w.settle(10 * time.Minute)
		}
		w.check(strict{})
	})
}

// A directory that lives by one file alone goes with it.
func TestSimLastBelow(t *testing.T) {
	t.Parallel()
	simulate(t, 102, func(t *testing.T, w *simWorld) {
		b := implied(w, 0o755)
		b.remove("d/e/new")
		w.settle(10 * time.Minute)
		for _, m := range w.all {
			if len(m.tree()) != 0 {
				t.Errorf("%s has %v", m.name, m.tree())
			}
		}
	})
}

// implied makes a share with a directory that is there only for what is in it, on its second machine first of all.
func implied(w *simWorld, mode fs.FileMode) *simMachine {
	a := w.machine("admin")
	a.write("d/e/f", simBytes(w.seed, 1, 1000), false)
	a.chmod("d", mode)
	w.share("admin", "write")
	b := w.all[1]
	w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true })
	a.remove("d")
	b.write("d/e/new", simBytes(w.seed, 2, 1000), false)
	time.Sleep(3 * time.Minute)
	w.net.part(nil)
	w.settle(10 * time.Minute)
	return b
}

// Nobody says the mode of a directory that is there only for what is in it, and it is the same everywhere.
func TestSimImpliedMode(t *testing.T) {
	t.Parallel()
	simulate(t, 103, func(t *testing.T, w *simWorld) {
		b := implied(w, 0o700)
		want := map[string]string{"d": "dir 755", "d/e": "dir 755"}
		got := b.tree()
		delete(got, "d/e/new")
		if !maps.Equal(got, want) {
			t.Errorf("%v", got)
		}
		b.chmod("d", 0o750) // now somebody says
		w.settle(10 * time.Minute)
		if got := w.all[0].tree()["d"]; got != "dir 750" {
			t.Errorf("%v", got)
		}
	})
}

// A directory that others removed stays for what is ignored in it, as long as that is there, and is no trouble.
func TestSimIgnoredBelow(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
			t.Parallel()
			simulate(t, 104, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.write("d/f", simBytes(104, 1, 1000), false)
				b := w.machine("write")
				b.write(".shoalignore", []byte("*.o"), false)
				b.write("d/f.o", simBytes(104, 2, 1000), false)
				a.create()
				b.join()
				time.Sleep(5 * time.Minute)
				w.quiet()
				a.remove("d")
				time.Sleep(10 * time.Minute)
				w.quiet()
				for _, m := range w.all {
					if v, _ := m.engine().look(); !v.Settled {
						t.Errorf("%s has still %d to do", m.name, v.Todo)
					}
				}
				want := []string{".shoalignore", "d", "d/f.o"}
				if got := slices.Sorted(maps.Keys(b.tree())); !slices.Equal(got, want) {
					t.Errorf("%v", got)
				}
				if restart {
					b.stop()
				}
				b.remove("d/f.o")
				b.remove(".shoalignore")
				b.start()
				w.settle(10 * time.Minute)
			})
		})
	}
}

// A reader's own directory is his: what others do above and below does not take it away.
func TestSimReadersDirectory(t *testing.T) {
	t.Parallel()
	simulate(t, 105, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.write("d/f", simBytes(105, 1, 1000), false)
		w.share("admin", "read")
		r := w.all[1]
		r.mkdir("d/own")
		r.look()
		time.Sleep(time.Minute)
		a.write("d/g", simBytes(105, 2, 1000), false)
		time.Sleep(5 * time.Minute)
		a.remove("d/g")
		time.Sleep(5 * time.Minute)
		r.stop()
		r.start()
		time.Sleep(time.Minute)
		w.quiet()
		if r.tree()["d/own"] == "" {
			t.Errorf("it is gone: %v", r.tree())
		}
		w.revert()
		w.settle(10 * time.Minute)
	})
}

// Large files that nobody serves leave room for others.
func TestSimNobodyServes(t *testing.T) {
	t.Parallel()
	simulate(t, 106, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		w.share("admin", "write", "read", "store")
		b := w.all[1]
		w.net.silence(func(from, _ netip.AddrPort) bool { return from == b.addr })
		b.many("dead", 20, 600_000, 0)
		time.Sleep(5 * time.Minute)
		a.write("alive", simBytes(106, 900, 600_000), false)
		time.Sleep(10 * time.Minute)
		w.quiet()
		if w.all[2].tree()["alive"] == "" {
			t.Error("what is served does not come while others wait for what is not")
		}
		w.net.silence(nil)
		w.settle(time.Hour)
		w.check(strict{})
	})
}

// A directory is renamed with all that is in it: nothing of it stays under its old name.
func TestSimDirectoryMoved(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"write", "read"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			simulate(t, 107, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				for i, p := range []string{"d/e/f", "d/e/g", "d/e/in/f", "d/e/in/deep/er/f", "d/e/in/deep/er/g", "d/x"} {
					a.write(p, simBytes(107, i, 1000), false)
				}
				w.share("admin", role)
				a.rename("d/e", "moved")
				time.Sleep(10 * time.Minute)
				w.settle(10 * time.Minute)
				if tree := w.all[1].tree(); tree["d/e"] != "" || tree["moved/in/deep/er/f"] == "" || len(tree) != 1+4+6 {
					t.Errorf("%v", tree)
				}
			})
		})
	}
}

// One of two heads names files that the other saw, and removed; nobody has these any more. A store that comes then cannot
// read which of them count: it does not wait for what no writer gives, and takes it when somebody has it after all.
func TestSimSplitHeads(t *testing.T) {
	t.Parallel()
	simulate(t, 108, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		w.share("admin", "write")
		b := w.all[1]
		late := w.machine("read")
		a.write("gone", simBytes(108, 1, 1000), false)
		a.write("gone.big", simBytes(108, 2, 600_000), false)
		late.join()
		w.settle(10 * time.Minute)
		late.stop()
		w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true })
		b.remove("gone")
		b.remove("gone.big")
		a.write("new", simBytes(108, 3, 1000), false)
		time.Sleep(3 * time.Minute)
		w.net.part(nil)
		w.settle(10 * time.Minute)
		if got := len(a.engine().kept().frontier()); got != 2 {
			t.Fatalf("%d heads", got)
		}
		a.remove(".shoal/archive")
		b.remove(".shoal/archive")
		s := w.machine("store")
		s.join()
		w.settle(10 * time.Minute)
		if s.engine().store.missing() != 0 || len(s.engine().store.wanted) == 0 {
			t.Error("the store has given up what may still come")
		}
		s.stop()
		s.start() // nothing of it is remembered
		w.settle(10 * time.Minute)
		// Somebody has it after all: who was away since.
		w.net.part(func(x, y netip.AddrPort) bool { return x == late.addr && y != s.addr || y == late.addr && x != s.addr })
		late.start()
		time.Sleep(10 * time.Minute)
		w.quiet()
		if st := s.engine().store; len(st.wanted)+len(st.large) != 0 {
			t.Errorf("%d small and %d large ones did not come", len(st.wanted), len(st.large))
		}
		w.net.part(nil)
		w.settle(10 * time.Minute)
	})
}
