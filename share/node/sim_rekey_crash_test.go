package node

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// diesIn ends the node of a machine at a step of going over to other keys, as a kill does.
func (m *simMachine) diesIn(step string) {
	n := m.node()
	f := func(at string) {
		if at != step {
			return
		}
		m.w.say("%s dies after %s", m.name, at)
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		n.cancel()
		m.w.net.cut(func(a, b netip.AddrPort) bool { return a == m.addr || b == m.addr })
	}
	n.rekeying.Store(&f)
}

// The admin, or a member, dies after each step: either epoch is whole, and in the end all are in the next one.
func TestSimRekeyCrash(t *testing.T) {
	t.Parallel()
	for _, at := range []struct{ who, step string }{
		{"admin", "stopped"}, {"admin", "written"}, {"admin", "kept"}, {"admin", "changed"},
		{"member", "stopped"}, {"member", "kept"}, {"member", "changed"}, {"member", "moving"}, {"member", "moved"},
		{"store", "stopped"}, {"store", "kept"}, {"store", "changed"},
	} {
		t.Run(at.who+" "+at.step, func(t *testing.T) {
			t.Parallel()
			simulate(t, 43, func(t *testing.T, w *simWorld) {
				a := w.founder(10, 3000)
				b, s, x := a.member("write"), a.member("store"), a.member("write")
				w.settle(time.Hour)
				w.remember()
				victim := map[string]*simMachine{"admin": a, "member": b, "store": s}[at.who]
				victim.diesIn(at.step)
				opts := apiWithout(x)
				if _, err := a.node().Rekey(t.Context(), "s", opts); victim == a && err == nil || victim != a && err != nil {
					t.Errorf("changing keys: %v", err)
				}
				if b.node() != nil && victim != b {
					b.write("meanwhile", simBytes(43, 100, 400), false)
					b.look()
				}
				for began := time.Now(); !victim.isDead(); time.Sleep(10 * time.Millisecond) {
					if time.Since(began) > time.Hour {
						t.Fatalf("%s is never at %q", at.who, at.step)
					}
				}
				victim.stop()
				time.Sleep(time.Minute)
				victim.start()
				time.Sleep(time.Minute)
				if a.engine().token.Epoch == 0 { // it had not come to that
					if got := fmt.Sprint(a.listed()); len(a.listed()) != 4 {
						t.Errorf("members are %s", got)
					}
					w.settle(time.Hour)
					a.rekey(x)
				}
				x.stranded()
				b.write("then", simBytes(43, 101, 400), false)
				b.look()
				w.settle(time.Hour)
				for _, m := range []*simMachine{a, b, s} {
					if m.engine().token.Epoch != 1 || m != s && (m.tree()["then"] == "" || len(m.tree()) < 11) {
						t.Errorf("%s has keys %d and %v", m.name, m.engine().token.Epoch, m.tree())
					}
				}
				x.leaves()
				w.check(strict{})
			})
		})
	}
}
