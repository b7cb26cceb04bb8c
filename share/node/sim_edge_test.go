package node

import (
	"fmt"
	"testing"
	"time"

	"shoal/share/api"
)

// A file that is written often is one file to the guard, and not a mass of them; so are a hundred.
func TestSimWrittenOften(t *testing.T) {
	t.Parallel()
	for _, files := range []int{1, 100} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			t.Parallel()
			simulate(t, 90, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 110, 700, 0)
				w.share("admin", "write")
				for i := range 102/files + 1 {
					for k := range files {
						a.write(fmt.Sprintf("f%03d", k), simBytes(90, 1000+i*files+k, 710), true)
					}
					a.look()
					time.Sleep(10 * time.Second)
				}
				w.settle(time.Hour)
				w.check(strict{})
			})
		})
	}
}

// Others remove a directory of which the user took a file away, just before, and put a file in its place.
func TestSimRemovedByBoth(t *testing.T) {
	t.Parallel()
	simulate(t, 91, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("d/f", 3, 700, 0)
		w.share("admin", "write")
		b := w.all[1]
		w.miss = 1 // b does not notice
		b.remove("d/f001")
		w.miss = 0
		for i := range 3 {
			a.remove(fmt.Sprintf("d/f%03d", i))
		}
		a.remove("d")
		a.write("d", simBytes(91, 1, 100), true)
		w.settle(time.Hour)
		w.check(strict{})
	})
}

// A sync of shares that have been the same for long has nothing to wait for: peers say how they stand when it changes.
func TestSimSyncOfTheSame(t *testing.T) {
	t.Parallel()
	simulate(t, 92, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 3, 700, 0)
		w.share("admin", "write")
		time.Sleep(time.Hour)
		r, err := a.node().Sync(t.Context(), api.SyncOptions{For: 10 * time.Minute})
		if err != nil || len(r) != 1 || r[0].Code != "ok" || r[0].Seconds > 60 {
			t.Errorf("%+v %v", r, err)
		}
	})
}

// Who waits for a person keeps nobody waiting: syncs of both sides end, one with what it is, the other with ok.
func TestSimSyncHeld(t *testing.T) {
	t.Parallel()
	simulate(t, 94, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 150, 70, 0)
		w.share("admin", "write")
		for i := range 140 {
			a.remove(fmt.Sprintf("f%03d", i))
		}
		for i, want := range []string{"ok", "held"} { // a first: until it has looked, b can be as far as it is
			r, err := w.all[i].node().Sync(t.Context(), api.SyncOptions{For: 10 * time.Minute})
			if err != nil || len(r) != 1 || r[0].Code != want || r[0].Seconds > 60 {
				t.Errorf("want %s: %+v %v", want, r, err)
			}
		}
	})
}

// A node with a slow disk does not say, to a peer or to a sync, that it is as far as the author before it is, though all of
// the index is here.
func TestSimSlowDisk(t *testing.T) {
	t.Parallel()
	simulate(t, 93, func(t *testing.T, w *simWorld) {
		a, b := w.machine("admin"), w.machine("read")
		a.many("f", 90, 700, 0)
		w.share("admin", "read")
		b.sicken(func(op, _ string) error {
			if op == "renamenew" {
				time.Sleep(time.Second)
			}
			return nil
		})
		before := a.engine().stateMessage().Frontier
		for i := range 80 {
			a.remove(fmt.Sprintf("f%03d", i))
		}
		for range 3000 {
			time.Sleep(100 * time.Millisecond)
			st, want := b.engine().stateMessage(), a.engine().stateMessage()
			if want.Missing == 0 && want.Frontier != before && st.Missing == 0 && st.Frontier == want.Frontier && len(b.tree()) != len(a.tree()) {
				t.Fatalf("it has %d files, the author %d, and says that it is as far", len(b.tree()), len(a.tree()))
			}
		}
		b.sicken(nil)
		w.settle(time.Hour)
		w.check(strict{})
	})
}
