package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// A share is compacted: one writer is left of many, everybody goes along, also one that was off and did things; nothing comes
// back, nothing is lost, and no file is sent again. Then it is done again.
func TestSimCompact(t *testing.T) {
	t.Parallel()
	simulate(t, 44, func(t *testing.T, w *simWorld) {
		a := w.founder(20, 60_000)
		b, s, late := a.member("write"), a.member("store"), a.member("write")
		for i := range 6 { // each power cut makes a writer id
			b.powerCut(w.rnd)
			b.start()
			b.write(fmt.Sprint("b", i), simBytes(44, 100+i, 300), false)
			b.look()
			w.settle(time.Hour)
		}
		w.remember()
		late.stop()
		late.remove("f001")
		late.edit("f002", []byte("late"), false)
		for _, m := range []*simMachine{a, b, s} {
			m.stop()
			m.start()
		}
		w.settle(time.Hour)
		for round := range 2 {
			before := len(a.engine().row.State.Ctx)
			if _, err := a.node().Compact(t.Context(), "s"); err != nil {
				t.Fatal(err)
			}
			w.settle(time.Hour)
			if after := len(a.engine().row.State.Ctx); before < 3 && round == 0 || after != 1 {
				t.Errorf("%d writers before, %d after", before, after)
			}
			if got := b.received(); got > 100_000 {
				t.Errorf("%d bytes were sent", got)
			}
			b.write(fmt.Sprint("r", round), simBytes(44, 200+round, 300), false)
			a.remove(fmt.Sprintf("f01%d", round))
			b.look()
			w.settle(time.Hour)
		}
		late.start()
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		for _, m := range []*simMachine{a, b, late} {
			if tree := m.tree(); len(tree) != 20+6+2-2-1 || tree["f001"] != "" || tree["f010"] != "" {
				t.Errorf("%s has %v", m.name, tree)
			}
		}
		w.check(strict{gone: true})
	})
}

// Two machines with the admin secret change the keys at the same time: both are told, and once more is enough.
func TestSimRekeyTwice(t *testing.T) {
	t.Parallel()
	simulate(t, 45, func(t *testing.T, w *simWorld) {
		a := w.founder(5, 3000)
		b, x := a.member("write"), a.member("write")
		c := w.machine("admin")
		c.join()
		w.settle(time.Hour)
		w.apart(c)
		a.rekey(x)
		c.rekey(b)
		w.net.part(nil)
		told := func(m *simMachine) bool {
			s, err := m.node().Status(t.Context(), "s")
			return err == nil && strings.Contains(strings.Join(s.Alarms, "\n"), "two machines changed the keys")
		}
		w.until("both are told", func() bool { return told(a) && told(c) })
		time.Sleep(time.Minute)
		a.rekey(x)
		x.stranded()
		a.write("secret", simBytes(45, 100, 400), false)
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		if told(a) || c.tree()["secret"] == "" || x.tree()["secret"] != "" || c.engine().token.Epoch != 2 {
			t.Errorf("told %t, keys %d, %v", told(a), c.engine().token.Epoch, x.tree())
		}
	})
}

// Who was left out, and plays by no rule, has old heads, an old certificate and a MOVED of an earlier epoch to show: nobody who
// went over takes any of them.
func TestSimRekeyOldHeads(t *testing.T) {
	t.Parallel()
	simulate(t, 46, func(t *testing.T, w *simWorld) {
		a := w.founder(5, 3000)
		b, x := a.member("write"), a.member("write")
		w.settle(time.Hour)
		old := x.engine()
		x.stop()
		a.rekey(x)
		w.settle(time.Hour)
		a.rekey()
		a.write("secret", simBytes(46, 100, 400), false)
		w.settle(time.Hour)
		e := b.engine()
		heads, root := e.kept(), e.row.State.Root
		// As if the swarm of the new epoch had let him in: the heads of the old one, and what says that it is over.
		for _, h := range old.kept().all {
			var raw []byte
			if err := e.node.db.View(t.Context(), func(tx *db.Tx) (err error) { raw, _, err = tx.Blob(e.n, h.ID); return err }); err != nil {
				t.Fatal(err)
			}
			if raw == nil {
				continue
			}
			if err := e.net.index.head(h.ID, raw); err != nil {
				t.Error(err)
			}
		}
		for _, d := range e.ended {
			b, err := e.blobs.Get(*d.Moved)
			if err != nil {
				t.Fatal(err)
			}
			m, err := index.ParseMoved(e.token.Share, *d.Moved, b)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.node.followMoved(e, m); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		w.quiet()
		if now := b.engine(); now != e || len(now.kept().of(2).all) != len(heads.of(2).all) || now.row.State.Root != root || now.token.Epoch != 2 {
			t.Errorf("keys %d", now.token.Epoch)
		}
		// And what he meets in the swarm of the old epoch: a greeting without heads and addresses, and one blob.
		p := &post{e: e, epoch: 0, moved: e.ended[0].Moved}
		for _, h := range heads.all {
			if _, err := p.serve(t.Context(), h.ID); !errors.Is(err, wire.ErrNotHere) {
				t.Errorf("a head is served: %v", err)
			}
		}
		if _, err := p.serve(t.Context(), *e.ended[0].Moved); err != nil {
			t.Error(err)
		}
	})
}

// A context grows by one writer with each boot of each machine. When it has 3,072 status asks for a compaction, on every
// machine, and not one sooner; after that one writer is left, and nobody is asked.
func TestSimCompactAdvice(t *testing.T) {
	t.Parallel()
	simulate(t, 47, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 5, 300, 0)
		a.create()
		b := a.member("read")
		w.settle(time.Hour)
		// grow makes the context have so many writers, of changes that were undone long ago.
		grow := func(to int) {
			l := w.liar("write", wire.Hello{})
			ctx := l.seen()
			me := writerOf(fmt.Sprint("liar", to))
			for i := 0; len(ctx) < to-1; i++ {
				ctx[writerOf(fmt.Sprint("boot", i))] = uint64(i + 1)
			}
			ctx[me] = 1
			v, _ := a.engine().look()
			l.come()
			l.meets(2)
			l.say(&wire.Heads{IDs: []blob.ID{l.head(me, ctx, l.root(index.Root{Files: v.Root.Files, Meta: v.Root.Meta}))}})
			time.Sleep(time.Minute)
			l.leave()
			w.settle(time.Hour)
		}
		asked := func(m *simMachine) bool {
			s, err := m.node().Status(t.Context(), "s")
			if err != nil || len(s.Alarms) > 1 {
				t.Fatalf("%+v, %v", s, err)
			}
			return len(s.Alarms) == 1 && strings.Contains(s.Alarms[0], "shoal share compact")
		}
		for _, step := range []struct {
			writers int
			want    bool
		}{{askCompact - 1, false}, {askCompact, true}} {
			grow(step.writers)
			for _, m := range w.all {
				if n := len(m.engine().row.State.Ctx); n != step.writers || asked(m) != step.want {
					t.Errorf("%s: %d writers, want %d; it asks: %t", m.name, n, step.writers, asked(m))
				}
			}
		}
		if _, err := a.node().Compact(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		late := w.machine("read")
		// What is done before the disk was compared with the new dots is meant for what was there.
		a.write("f000", simBytes(47, 100, 500), true)
		a.remove("f001")
		a.rename("f002", "g002")
		w.settle(time.Hour)
		w.check(strict{gone: true})
		token, err := a.node().Token(t.Context(), "s", "read")
		if err != nil {
			t.Fatal(err)
		}
		w.tokens["read"] = token
		late.join()
		w.settle(time.Hour)
		for _, m := range []*simMachine{a, b, late} {
			if n := len(m.engine().row.State.Ctx); n != 1 || asked(m) || len(m.tree()) != 4 || m.tree()["g002"] == "" {
				t.Errorf("%s: %d writers, it asks: %t; %v", m.name, n, asked(m), m.tree())
			}
		}
	})
}
