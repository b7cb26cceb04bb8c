package node

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// An admin who lost the database, and of whose share nobody else has a head, waits, is told what to do, and begins anew.
// Should somebody come after all, nothing of either is lost.
func TestSimBeginAnew(t *testing.T) {
	t.Parallel()
	simulate(t, 109, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		for i, p := range []string{"same", "d/changed", "gone"} {
			a.write(p, simBytes(109, i, 1000), false)
		}
		w.share("admin", "write")
		b := w.all[1]
		b.write("of b", simBytes(109, 10, 1000), false)
		w.settle(10 * time.Minute)
		w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true }) // b is away for long
		a.stop()
		if err := os.RemoveAll(a.home); err != nil {
			t.Fatal(err)
		}
		a.join()
		a.write("d/changed", simBytes(109, 11, 1000), true)
		a.remove("gone")
		a.write("new", simBytes(109, 12, 1000), false)
		time.Sleep(10 * time.Minute)
		w.quiet()
		told := func() bool {
			s, err := a.node().Status(t.Context(), "s")
			return err == nil && strings.Contains(s.Sentence, "shoal share accept s")
		}
		if a.engine().kept().any() || !told() {
			t.Fatal("it does not wait, or does not say what to do")
		}
		if _, err := a.node().Accept(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.quiet()
		if !a.engine().kept().any() || told() {
			t.Fatal("it did not begin")
		}
		c := w.machine("read")
		w.apart(b)
		c.join()
		time.Sleep(10 * time.Minute)
		w.quiet()
		if tree := c.tree(); tree["new"] == "" || tree["of b"] == "" || tree["gone"] != "" {
			t.Errorf("who joined has %v", tree)
		}
		w.net.part(nil)
		w.settle(time.Hour)
		tree := c.tree()
		if tree["new"] == "" || tree["of b"] == "" || tree["gone"] == "" || tree["same"] == "" { // it was not known that it was removed
			t.Errorf("%v", tree)
		}
		w.check(strict{})
	})
}

// Nobody but an admin can begin.
func TestSimOthersWait(t *testing.T) {
	t.Parallel()
	simulate(t, 110, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.create()
		a.stop()
		b := w.machine("write")
		b.write("x", simBytes(110, 1, 100), false)
		b.join()
		time.Sleep(10 * time.Minute)
		w.quiet()
		s, err := b.node().Status(t.Context(), "s")
		if err != nil || s.State != "waiting" || strings.Contains(s.Sentence, "accept") {
			t.Errorf("%+v %v", s, err)
		}
		if _, err := b.node().Accept(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.quiet()
		if b.engine().kept().any() {
			t.Error("a writer began a share")
		}
	})
}
