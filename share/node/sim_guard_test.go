package node

import (
	"fmt"
	"testing"
	"time"
)

// T7: ransomware on one machine edits every file, then deletes every file. The guard of the others trips on both, and six
// days later every original is in place or in the archive.
func TestSimRansomware(t *testing.T) {
	t.Parallel()
	simulate(t, 70, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 300, 700, 0)
		w.share("admin", "write", "read")
		b := w.all[1]
		for i := range 300 {
			b.write(fmt.Sprintf("f%03d", i), simBytes(70, 1000+i, 710), true)
		}
		b.look()
		held := func(m *simMachine) int {
			s, err := m.node().Status(t.Context(), "s")
			if err != nil {
				t.Fatal(err)
			}
			return len(s.Held)
		}
		time.Sleep(10 * time.Minute)
		w.quiet()
		if n, m := held(a), held(w.all[2]); n < 200 || m < 200 {
			t.Errorf("%d and %d of 300 replacements are held", n, m)
		}
		for i := range 300 {
			b.remove(fmt.Sprintf("f%03d", i))
		}
		b.look()
		time.Sleep(10 * time.Minute)
		w.quiet()
		if n := held(a); n < 200 {
			t.Errorf("%d of 300 removals are held", n)
		}
		w.days(6)
		for _, m := range []*simMachine{a, w.all[2]} {
			there := m.contents()
			for i := range 300 {
				if !there[sumOfBytes(simBytes(70, i, 700))] {
					t.Errorf("%s has lost original %d", m.name, i)
				}
			}
		}
		if n, err := a.node().Reject(t.Context(), "s"); err != nil || n < 200 {
			t.Errorf("rejecting %d: %v", n, err)
		}
		if _, err := w.all[2].node().Accept(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		w.settle(time.Hour)
		for _, m := range w.all {
			n := 0
			for i := range 300 {
				if m.contents()[sumOfBytes(simBytes(70, i, 700))] {
					n++
				}
			}
			if n < 200 {
				t.Errorf("%s has %d originals after they were put back", m.name, n)
			}
		}
	})
}

// T8: four merges that each take away 24% within a day: the second is held; accepting and rejecting both end right.
func TestSimFourQuarters(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{true, false} {
		t.Run(fmt.Sprint("accept=", accept), func(t *testing.T) {
			t.Parallel()
			simulate(t, 80, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 500, 100, 0)
				w.share("admin", "write")
				b := w.all[1]
				for q := range 4 {
					for i := range 120 {
						b.remove(fmt.Sprintf("f%03d", 120*q+i))
					}
					b.look()
					time.Sleep(time.Hour)
					w.quiet()
					s, err := a.node().Status(t.Context(), "s")
					if err != nil {
						t.Fatal(err)
					}
					if want := 120 * q; len(s.Held) != want {
						t.Errorf("after merge %d, %d removals are held, want %d", q+1, len(s.Held), want)
					}
				}
				left := 20
				if accept {
					if n, err := a.node().Accept(t.Context(), "s"); err != nil || n != 360 {
						t.Errorf("accepted %d: %v", n, err)
					}
				} else {
					if n, err := a.node().Reject(t.Context(), "s"); err != nil || n != 360 {
						t.Errorf("rejected %d: %v", n, err)
					}
					left += 360
				}
				w.settle(time.Hour)
				for _, m := range w.all {
					if n := len(m.tree()); n != left {
						t.Errorf("%s has %d files, want %d", m.name, n, left)
					}
				}
				if len(a.contents()) < 500 {
					t.Errorf("a has %d contents left", len(a.contents()))
				}
			})
		})
	}
}
