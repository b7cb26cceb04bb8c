package node

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/share/disk"
)

// Scenario 9: sender and receiver of a large file are killed each tenth of the way.
func TestSimKilledOnTheWay(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"sender", "receiver"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			simulate(t, 130, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				w.share("admin", "write")
				b, killed := w.all[1], a
				if who == "receiver" {
					killed = b
				}
				const pieces = 20
				a.write("large", simBytes(130, 1, pieces*256<<10), false)
				var moved int64 // bytes that b had, all its processes together
				for next := int64(1); next < 10; next++ {
					for began := time.Now(); ; time.Sleep(time.Millisecond) {
						in, _ := b.node().transfers.traffic()
						if moved+in >= next*pieces<<18/10 {
							break
						}
						if time.Since(began) > 10*time.Minute {
							t.Fatalf("%d of 10 parts have come after %s", next, time.Since(began))
						}
					}
					in, _ := b.node().transfers.traffic()
					killed.kill()
					if killed == b {
						moved += in
					}
					time.Sleep(3 * time.Second)
					killed.start()
				}
				w.settle(time.Hour)
				w.check(strict{gone: true})
				if in, _ := b.node().transfers.traffic(); moved+in > 2*pieces<<18 {
					t.Errorf("%d bytes were moved for a file of %d", moved+in, pieces<<18)
				}
			})
		})
	}
}

// Scenario 16: a store corrupts, truncates, or loses what it keeps, or serves old heads. Who gets it from there gets what is
// right or nothing, and the rest from others.
func TestSimBadStore(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"corrupts", "truncates", "loses", "is silent", "is old"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			simulate(t, 131, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 20, 3000, 0)
				a.many("large", 3, 700_000, 100)
				w.share("admin", "store")
				s := w.all[1]
				if how == "is old" {
					w.quiet()
					s.copyHome(s.home + ".old")
				}
				a.write("f000", simBytes(131, 900, 4000), true)
				a.remove("f001")
				w.settle(time.Hour)
				a.stop()
				s.stop()
				if how == "is old" {
					if err := os.RemoveAll(s.home); err != nil {
						t.Fatal(err)
					}
					if err := os.CopyFS(s.home, os.DirFS(s.home+".old")); err != nil {
						t.Fatal(err)
					}
				}
				if s.harm(how) == 0 && how != "is silent" && how != "is old" {
					t.Error("nothing was there to harm")
				}
				if how == "is silent" {
					w.net.silence(func(from, _ netip.AddrPort) bool { return from == s.addr })
				}
				s.start()
				c := w.machine("write")
				c.join()
				time.Sleep(30 * time.Minute)
				w.quiet()
				c.each("", func(name string, sum simSum) {
					if w.written[sum] == nil {
						t.Errorf("c has %s, which nobody wrote", name) // I3, I7
					}
				})
				a.start()
				w.settle(2 * time.Hour)
				if got := len(c.tree()); got != 22 {
					t.Errorf("c has %d files", got)
				}
				w.check(strict{gone: true})
			})
		})
	}
}

// harm does something to the data that a store keeps in its folder, and says to how many files.
func (m *simMachine) harm(how string) int {
	user := m.fs.User()
	var names []string
	m.fs.Walk(func(name string, info disk.Info, data []byte) {
		if info.Type == 0 && len(data) > 1000 {
			names = append(names, name)
		}
	})
	for _, name := range names {
		f, err := user.Write(name)
		if err != nil {
			m.w.t.Fatal(err)
		}
		switch how {
		case "corrupts":
			_, err = f.WriteAt([]byte("what is this"), 500)
		case "truncates":
			err = f.Truncate(900)
		case "loses":
			err = user.Remove(name)
		}
		f.Close()
		if err != nil {
			m.w.t.Fatal(err)
		}
	}
	return len(names)
}

// T14: the first version of a file is still wanted when its author's machine has taken a second one: it is served from the
// archive there.
func TestSimServedFromArchive(t *testing.T) {
	t.Parallel()
	simulate(t, 132, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 3, 100, 0)
		w.share("admin", "write", "store")
		c, s := w.all[1], w.all[2]
		w.net.silence(func(_, to netip.AddrPort) bool { return to == s.addr })
		first := simBytes(132, 10, 900_000)
		a.write("large", first, false)
		w.until("the first version comes", func() bool { return c.tree()["large"] != "" })
		time.Sleep(time.Minute)
		c.write("large", simBytes(132, 11, 800_000), true)
		time.Sleep(10 * time.Minute)
		w.quiet()
		if a.tree()["large"] != c.tree()["large"] {
			t.Fatal("the second version has not come")
		}
		if !a.contents()[sumOfBytes(first)] {
			t.Fatal("the first version is not in the archive")
		}
		c.stop()
		w.net.silence(nil)
		time.Sleep(30 * time.Minute)
		w.quiet()
		a.stop()
		c.start()
		time.Sleep(time.Minute)
		all, err := c.node().History(t.Context(), "s", "large")
		if err != nil || len(all) != 2 {
			t.Fatalf("%+v, %v", all, err)
		}
		if _, err := c.node().Restore(t.Context(), "s", "large", all[1].ID); err != nil {
			t.Fatal(err)
		}
		w.until("the store has the first version", func() bool { return c.contents()[sumOfBytes(first)] })
	})
}

// Scenario 6, T3: two clones of a machine edit different files and meet: both edits are everywhere, and both can be undone.
func TestSimClonesMeet(t *testing.T) {
	t.Parallel()
	for _, fooled := range []bool{false, true} {
		t.Run(fmt.Sprint("fooled=", fooled), func(t *testing.T) {
			t.Parallel()
			simulate(t, 133, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 5, 500, 0)
				w.share("admin", "write")
				b := w.all[1]
				b.write("before", simBytes(133, 100, 100), false)
				w.settle(time.Hour)
				b.stop()
				c := w.clone(b, fooled)
				w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true })
				b.start()
				c.start()
				b.write("of b", simBytes(133, 101, 100), false)
				b.write("f000", simBytes(133, 102, 100), true)
				c.write("of c", simBytes(133, 103, 100), false)
				c.write("f001", simBytes(133, 104, 100), true)
				time.Sleep(10 * time.Minute)
				w.net.part(nil)
				w.settle(time.Hour)
				if !b.clonesSeen() && !c.clonesSeen() {
					t.Error("neither says that there is another with its key")
				}
				if a.clonesSeen() {
					t.Error("one that was not cloned says it was")
				}
				for _, m := range w.all {
					if tree := m.tree(); tree["of b"] == "" || tree["of c"] == "" || len(m.contents()) < 8 {
						t.Errorf("%s has %v", m.name, tree)
					}
				}
				w.check(strict{})
				a.remove("of b")
				w.settle(time.Hour)
				b.remove("of c")
				w.settle(time.Hour)
				if tree := c.tree(); tree["of b"] != "" || tree["of c"] != "" {
					t.Errorf("what was removed is back: %v", tree)
				}
			})
		})
	}
}

// clonesSeen reports whether status says that a clone of the machine runs.
func (m *simMachine) clonesSeen() bool {
	s, err := m.node().Status(context.Background(), "s")
	if err != nil {
		m.w.t.Fatal(err)
	}
	return slices.ContainsFunc(s.Alarms, func(a string) bool { return strings.Contains(a, "copy of this machine's state folder") })
}

// Scenario 6, T4: a machine is put back, disk, database and memory, to before, or after, what it last published.
func TestSimReverted(t *testing.T) {
	t.Parallel()
	for _, published := range []bool{false, true} {
		t.Run(fmt.Sprint("published=", published), func(t *testing.T) {
			t.Parallel()
			simulate(t, 134, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 5, 500, 0)
				w.share("admin", "write")
				b := w.all[1]
				if !published {
					w.apart(b)
				}
				b.write("one", simBytes(134, 100, 100), false)
				time.Sleep(10 * time.Minute)
				b.stop()
				old := w.clone(b, true) // the snapshot
				w.net.part(nil)
				b.start()
				b.write("two", simBytes(134, 101, 100), false)
				w.settle(time.Hour)
				b.stop() // for good
				w.all = w.all[:len(w.all)-1]
				w.all[1] = old
				old.write("three", simBytes(134, 102, 100), false)
				old.start()
				w.settle(time.Hour)
				for _, m := range w.all {
					if tree := m.tree(); tree["one"] == "" || tree["two"] == "" || tree["three"] == "" {
						t.Errorf("%s has %v", m.name, tree)
					}
				}
				if s, err := old.node().Status(t.Context(), "s"); err != nil || len(s.Alarms) == 0 {
					t.Errorf("there was no alarm: %+v, %v", s, err)
				}
			})
		})
	}
}
