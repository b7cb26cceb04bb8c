package node

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"shoal/share/wire"
)

// limit writes the limits of the share on a machine; the node is told, as it looks by itself only every few seconds.
func (m *simMachine) limit(text string) {
	m.w.t.Helper()
	user, fresh := m.fs.User(), limitsFile+".new" // at no moment there are none
	err := m.put(fresh, []byte(text))
	if err == nil {
		err = user.RenameNew(fresh, limitsFile)
	}
	if errors.Is(err, fs.ErrExist) {
		err = errors.Join(user.Exchange(fresh, limitsFile), user.Remove(fresh))
	}
	if err != nil {
		m.w.t.Fatal(err)
	}
	m.engine().poke()
	m.w.quiet()
}

// moved is the bytes of the share that a machine has sent, or taken, by now.
func (m *simMachine) moved(way string) int64 {
	in, out := m.engine().traffic()
	if way == "up" {
		return out
	}
	return in
}

// I16, and of scenario 23 what shoal has: limits hold in every minute, by the clock of the simulation, for blobs and pieces,
// one peer and several together, and from the moment that they change in the midst of it; and they are made use of. What
// comes in may be ahead by the window of each peer: it counts when it is used.
func TestSimLimits(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"up", "down"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			simulate(t, 150, func(t *testing.T, w *simWorld) {
				w.share("admin", "write", "read")
				m, ahead := w.all[0], int64(0) // the one that is limited
				if way == "down" {
					m, ahead = w.all[2], 2*wire.Window
				}
				m.limit(fmt.Sprintf("[limits]\n%s = \"64K\"\n", way))
				w.all[0].many("small", 60, 60_000, 0)
				w.all[0].many("large", 5, 4_000_000, 100)
				for _, kib := range []int64{64, 128, 32} {
					m.limit(fmt.Sprintf("[limits]\n%s = \"%dK\"\n", way, kib))
					const stretch, all = 60, 90
					at := []int64{m.moved(way)}
					for range all {
						time.Sleep(time.Second)
						at = append(at, m.moved(way))
					}
					for i := stretch; i <= all; i++ {
						if got, most := at[i]-at[i-stretch], stretch*kib<<10*105/100+ahead; got > most {
							t.Errorf("%d KiB/s: %d bytes in the %d seconds before second %d, %d are allowed", kib, got, stretch, i, most)
						}
					}
					if got, least := at[all]-at[0], all*kib<<10*9/10-ahead; got < least {
						t.Errorf("%d KiB/s: only %d bytes in %d seconds: the test shows nothing", kib, got, all)
					}
				}
				m.limit("")
				w.settle(time.Hour)
				w.check(strict{gone: true})
			})
		})
	}
}

// Scenario 23: a member is left out while a large file, and small ones, are on their way to it. Not one byte more of them
// goes there, and the others get all of it.
func TestSimLeftOutMidway(t *testing.T) {
	t.Parallel()
	simulate(t, 151, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.create()
		b, x := a.member("write"), a.member("read")
		w.settle(time.Hour)
		w.remember()
		for _, m := range []*simMachine{a, b} {
			m.limit("[limits]\nup = \"64K\"\n")
		}
		a.many("small", 40, 60_000, 0)
		a.write("large", simBytes(151, 100, 3_000_000), true)
		for began := time.Now(); ; time.Sleep(time.Second) {
			if torrents, _ := x.node().transfers.traffic(); torrents > 300_000 && x.moved("down") > 600_000 {
				break
			}
			if time.Since(began) > 10*time.Minute {
				t.Fatalf("only %d bytes have come", x.moved("down"))
			}
		}
		a.rekey(x)
		w.quiet()
		before, _ := x.node().transfers.traffic()
		blobs := x.engine().counters.In()[wire.TypeBlob]
		time.Sleep(5 * time.Minute)
		if after, _ := x.node().transfers.traffic(); after > before+2*16<<10 { // a block of each that was on its way
			t.Errorf("%d bytes of the large file came after that", after-before)
		}
		if now := x.engine().counters.In()[wire.TypeBlob]; now.Bytes > blobs.Bytes+1000 { // of MOVED
			t.Errorf("%d bytes of blobs came after that", now.Bytes-blobs.Bytes)
		}
		x.stranded()
		a.limit("")
		b.limit("")
		for began := time.Now(); a.tree()["large"] != b.tree()["large"]; time.Sleep(time.Second) {
			if time.Since(began) > time.Hour {
				t.Fatal("the others do not get it")
			}
		}
	})
}
