package node

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/share/api"
	"shoal/share/disk"
)

// share makes a world's machines in roles, the first of which has what is in its folder already, and waits until all are
// equal.
func (w *simWorld) share(roles ...string) {
	w.t.Helper()
	for i, role := range roles {
		if i > 0 || len(w.all) == 0 {
			w.machine(role)
		}
	}
	w.all[0].create()
	for _, m := range w.all[1:] {
		m.join()
	}
	w.settle(time.Hour)
	w.remember()
}

// many writes files, all of different contents.
func (m *simMachine) many(prefix string, count, size, salt int) {
	for i := range count {
		m.write(fmt.Sprintf("%s%03d", prefix, i), simBytes(m.w.seed, salt+i, size), false)
	}
	m.look()
}

// days lets days pass on all machines, with a minute of work each: what happens by age happens by days. Those that are
// off stay so.
func (w *simWorld) days(n int) {
	running := map[*simMachine]bool{}
	for _, m := range w.all {
		running[m] = m.node() != nil
	}
	for range n {
		for _, m := range w.all {
			m.stop()
		}
		time.Sleep(24*time.Hour - time.Minute)
		for _, m := range w.all {
			if running[m] {
				m.start()
			}
		}
		time.Sleep(time.Minute)
		w.quiet()
	}
}

// Scenario 7: a node that was away for three years comes back with its old files; what was removed meanwhile stays so, and
// what it did itself while nobody saw it does not vanish.
func TestSimAwayForYears(t *testing.T) {
	t.Parallel()
	for _, jump := range []bool{false, true} {
		t.Run(fmt.Sprint("jump=", jump), func(t *testing.T) {
			t.Parallel()
			simulate(t, 7, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 40, 500, 0)
				w.share("admin", "write", "read", "store")
				b := w.all[1]
				b.stop()
				b.write("mine", simBytes(7, 900, 100), false)
				b.edit("f003", []byte("while away"), false)
				for i := range 30 {
					a.remove(fmt.Sprintf("f%03d", i)) // also the one that b edits
				}
				a.write("f035", simBytes(7, 901, 100), true)
				a.look()
				w.settle(time.Hour)
				w.remember()
				if jump {
					for _, m := range w.all {
						m.stop()
						m.clock.skew.Store(3 * 365 * 86400)
						if m != b {
							m.start()
						}
					}
				} else {
					for range 12 {
						w.days(8)
						for _, m := range w.all {
							m.stop()
						}
						time.Sleep(83 * 24 * time.Hour)
						for _, m := range w.all {
							if m != b {
								m.start()
							}
						}
					}
				}
				w.heal()
				w.settle(time.Hour)
				for _, m := range w.all[:3] {
					tree := m.tree()
					if len(tree) != 40-30+2 || tree["mine"] == "" || tree["f003"] == "" {
						t.Errorf("%s has %v", m.name, tree)
					}
				}
				if s, err := b.node().Status(t.Context(), "s"); err != nil || len(s.Held) > 0 || len(s.Alarms) > 0 {
					t.Errorf("%+v, %v", s, err)
				}
			})
		})
	}
}

// Scenario 8: clocks that are ten years off, and jump on the way, decide at most who keeps a name.
func TestSimClocks(t *testing.T) {
	t.Parallel()
	simulate(t, 8, func(t *testing.T, w *simWorld) {
		const years = 365 * 86400
		a := w.machine("admin")
		b, c := w.machine("write"), w.machine("write")
		for i, m := range []*simMachine{a, b, c} {
			m.clock.skew.Store(int64(i-1) * 10 * years)
			m.write(fmt.Sprintf("of%d", i), simBytes(8, i, 300), false)
		}
		w.share("admin")
		for round, skew := range []int64{-10 * years, 10 * years, 0} {
			for i, m := range w.all {
				m.clock.skew.Store(skew * int64(1-i))
				m.write("both", simBytes(8, 100+10*round+i, 300), i == 0)
				m.write(fmt.Sprintf("r%d-%d", round, i), simBytes(8, 200+10*round+i, 300), false)
				m.remove(fmt.Sprintf("r%d-%d", round-1, (i+1)%3))
			}
			time.Sleep(time.Second)
			w.quiet()
			w.remember()
			w.settle(time.Hour)
		}
		w.check(strict{gone: true})
	})
}

// T6: a newest head whose data nobody serves, and one whose tree nobody serves. Who joins gets what there is; after 60 days
// old data is still there.
func TestSimWithheld(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"data", "tree"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			simulate(t, 6, func(t *testing.T, w *simWorld) { w.withheld(t, what == "tree") })
		})
	}
}

func (w *simWorld) withheld(t *testing.T, tree bool) {
	a := w.machine("admin")
	a.many("f", 10, 4000, 0)
	w.share("admin", "store")
	s, b := w.all[1], w.machine("write")
	b.join()
	w.settle(time.Hour)
	// b writes a new version of everything, and dies when the store has the head, or its tree, and no data.
	w.apart(a)
	before := s.engine().kept().frontier()
	for i := range 10 {
		b.write(fmt.Sprintf("f%03d", i), simBytes(6, 100+i, 600_000), true)
	}
	b.write("g/new", simBytes(6, 200, 600_000), false)
	b.look()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		w.quiet()
		l := s.engine().kept()
		if tree && len(l.incomplete()) > 0 || !tree && !slices.Equal(l.frontier(), before) {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("the store has not heard of the head")
		}
	}
	b.kill()
	w.net.part(nil)
	w.days(60)
	c := w.machine("read")
	c.join()
	time.Sleep(10 * time.Minute)
	w.quiet()
	st, err := c.node().Status(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if want := map[bool]int64{true: 10, false: 11}[tree]; st.TotalFiles != want {
		t.Errorf("who joins knows %d files, want %d", st.TotalFiles, want)
	}
	there := a.contents() // in place, for what is to come after them never came
	for i := range 10 {
		if !there[sumOfBytes(simBytes(6, i, 4000))] {
			t.Errorf("old file %d of a is gone", i)
		}
	}
	if tree && len(c.tree()) != 10 {
		t.Errorf("who joins has %v", c.tree())
	}
	b.start()
	w.heal()
	w.settle(time.Hour)
	w.check(strict{})
}

// T10: a program goes on writing to a file that was replaced under it, for an hour: its last bytes are a conflict copy.
func TestSimReplacedInode(t *testing.T) {
	t.Parallel()
	simulate(t, 10, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.write("log", simBytes(10, 0, 1000), false)
		w.share("admin", "write")
		b := w.all[1]
		f, err := b.fs.User().Write("log")
		if err != nil {
			t.Fatal(err)
		}
		a.write("log", simBytes(10, 1, 2000), true)
		w.settle(time.Hour)
		last := []byte("line 59 of a program that knows nothing of all this")
		for i := range 60 {
			time.Sleep(time.Minute)
			line := last
			if i < 59 {
				line = []byte(fmt.Sprintf("line %d", i))
			}
			if _, err := f.WriteAt(line, int64(1000+100*i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		w.settle(time.Hour)
		for _, m := range w.all {
			found := false
			m.fs.Walk(func(p string, info disk.Info, data []byte) {
				found = found || info.Type == 0 && strings.HasPrefix(p, "log.conflict-") && bytes.HasSuffix(data, last)
			})
			if !found {
				t.Errorf("%s has no conflict copy with the last bytes: %v", m.name, m.tree())
			}
		}
	})
}

// Scenario 25: 50 nodes on a random graph; a commit reaches all of them in a few round trips.
func TestSimFifty(t *testing.T) {
	t.Parallel()
	nodes := 50
	if testing.Short() {
		nodes = 12
	}
	simulate(t, 25, func(t *testing.T, w *simWorld) {
		r := w.rnd
		edges := map[[2]int]bool{}
		for i := 1; i < nodes; i++ { // a tree, and as many edges again
			edges[[2]int{r.IntN(i), i}] = true
			x, y := r.IntN(nodes), r.IntN(nodes)
			edges[[2]int{min(x, y), max(x, y)}] = true
		}
		w.net.part(func(a, b netip.AddrPort) bool {
			x, y := int(a.Addr().As4()[3])-1, int(b.Addr().As4()[3])-1
			return !edges[[2]int{min(x, y), max(x, y)}]
		})
		roles := []string{"admin"}
		for range nodes - 1 {
			roles = append(roles, []string{"write", "read", "store"}[r.IntN(3)])
		}
		a := w.machine("admin")
		a.write("first", simBytes(25, 0, 1000), false)
		w.share(roles...)
		a.write("news", simBytes(25, 1, 5000), false)
		began := time.Now()
		for arrived := 0; arrived < nodes; time.Sleep(10 * time.Millisecond) {
			w.quiet()
			arrived = 0
			for _, m := range w.all {
				if _, err := m.fs.User().Lstat("news"); err == nil || m.role == "store" {
					arrived++
				}
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("after %s only %d of %d have it", time.Since(began), arrived, nodes)
			}
		}
		t.Logf("a commit took %s to reach %d nodes", time.Since(began), nodes)
		if time.Since(began) > 10*time.Second {
			t.Errorf("a commit took %s", time.Since(began))
		}
		w.settle(time.Hour)
	})
}

// 5,000 runs of cron on one machine (by make soak; 40 in other runs), each with something to say, end with one writer id.
func TestSimCron(t *testing.T) {
	t.Parallel()
	runs, limit := 40, simLimit // each opens a database
	if os.Getenv("SHOAL_SIM_SECONDS") != "" {
		runs, limit = 5000, time.Hour
	}
	simulateLong(t, 5000, limit, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		w.share("admin", "write")
		b := w.all[1]
		b.stop()
		for i := range runs {
			b.write("counter", fmt.Appendf(nil, "%d", i), false)
			b.start()
			if i%100 == 0 || i == runs-1 {
				r, err := b.node().Sync(context.Background(), api.SyncOptions{For: 5 * time.Minute})
				if err != nil || r[0].Code != "ok" {
					t.Fatalf("run %d: %+v %v", i, r, err)
				}
			} else {
				for v := b.committed(); v < uint64(i+1); v = b.committed() {
					time.Sleep(time.Second)
				}
			}
			b.stop()
			time.Sleep(time.Minute)
		}
		b.start()
		w.settle(time.Hour)
		if ids := a.engine().row.State.Ctx; len(ids) != 2 {
			t.Errorf("%d writer ids after %d runs", len(ids), runs)
		}
	})
}

// committed is up to where the machine's node has counted.
func (m *simMachine) committed() (counter uint64) {
	e := m.engine()
	if err := e.do(context.Background(), func() error { counter = e.row.Counter; return nil }); err != nil {
		m.w.t.Error(err)
	}
	return counter
}
