package node

import (
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
)

// Somebody wants eighty large files at once, again and again, while the node fetches others, and two more join: no more
// torrents are ever open than docs/shares.md §5.4 says, and all of it comes all the same.
func TestSimOpenTorrents(t *testing.T) {
	t.Parallel()
	simulate(t, 140, func(t *testing.T, w *simWorld) {
		const size = blob.Small + 1000
		a := w.machine("admin")
		a.many("mine", 80, size, 0)
		w.share("admin", "write")
		b := w.all[1]
		var wants []wire.Message
		for _, info := range a.infos() {
			wants = append(wants, &wire.Want{ID: info})
		}
		if len(wants) != 80 {
			t.Fatalf("%d torrents are known", len(wants))
		}
		l := w.liar("read", wire.Hello{})
		l.come()
		l.meets(2)
		b.many("theirs", 20, size, 200)
		for _, role := range []string{"read", "store"} {
			m := w.machine(role)
			m.join()
		}
		for range 30 {
			l.say(wants...)
			time.Sleep(100 * time.Millisecond)
		}
		l.leave()
		w.settle(time.Hour)
		w.check(strict{gone: true})
		for _, m := range w.all {
			h := w.net.hosts[m.addr]
			t.Logf("%s: at most %d open, %d of them fetched, %d when one was opened for others", m.name, h.mostOpen, h.mostOwn, h.mostServed)
			if h.mostOwn > maxOpen/2 || h.mostServed > 2*maxOpen || h.mostOpen > 2*maxOpen+maxOpen/2 {
				t.Errorf("%s: too many", m.name)
			}
		}
		if most := w.net.hosts[a.addr].mostServed; most < 2*maxOpen {
			t.Errorf("only %d were open at once: the test shows nothing", most)
		}
	})
}

// infos are the torrents of the large files here.
func (m *simMachine) infos() (all []blob.ID) {
	m.w.t.Helper()
	e := m.engine()
	m.each("", func(name string, _ simSum) {
		row, err := known{ctx: e.ctx, db: e.node.db, n: e.n}.Row(name)
		if err != nil || row == nil || row.Size <= blob.Small {
			m.w.t.Fatalf("%s: %+v, %v", name, row, err)
		}
		l, err := e.recipe(e.ctx, row.Caps[0], row.Size, row.Hash)
		if err != nil {
			m.w.t.Fatal(err)
		}
		all = append(all, l.Info)
	})
	return all
}
