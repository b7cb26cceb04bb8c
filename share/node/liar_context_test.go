package node

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

// A writer that lies signs contexts which nobody can have: counters of others, and of nobody, up to the largest there are. What
// others wrote comes back rather than vanish, an alarm names the ids, and everybody can go on writing (docs/shares.md §4.2).
func TestSimLiarContexts(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]func(index.Context, index.Writer) index.Context{
		"everybody at the end": func(c index.Context, _ index.Writer) index.Context {
			for w := range c {
				c[w] = math.MaxInt64
			}
			return c
		},
		"one more of the victim": func(c index.Context, victim index.Writer) index.Context {
			c[victim]++
			return c
		},
		"strangers": func(c index.Context, _ index.Writer) index.Context {
			for i := range 2000 {
				c[writerOf(strings.Repeat("x", i))] = math.MaxInt64
			}
			return c
		},
		"too many strangers": func(c index.Context, _ index.Writer) index.Context {
			for i := 0; len(c) < index.MaxWriters-1; i++ {
				c[writerOf(strings.Repeat("y", i))] = 1
			}
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulate(t, 341, func(t *testing.T, w *simWorld) {
				a := w.machine("admin")
				a.many("f", 5, 3000, 0)
				w.share("admin", "write", "store")
				b := w.all[1]
				b.write("of b", simBytes(341, 50, 1000), false)
				b.look()
				w.settle(time.Hour)
				w.remember()
				l := w.liar("write", wire.Hello{})
				l.come()
				l.meets(3)
				me := writerOf("liar")
				base := ctx(l.seen(), a.engine().row.Writer)
				delete(base, me)
				for counter := range 2 { // it says that all was removed; then that once more
					base[me] = uint64(counter + 1)
					l.say(&wire.Heads{IDs: []blob.ID{l.head(me, base.Clone(), l.root(index.Root{}))}})
					time.Sleep(time.Minute)
				}
				for _, c := range w.written { // a writer may say that; I1 holds for the disks and their archives
					c.removed = true
				}
				if s, err := a.node().Status(t.Context(), "s"); err != nil || len(s.Alarms) == 0 && strings.Contains(name, "the") {
					t.Errorf("alarms %q, %v", s.Alarms, err)
				}
				w.stillSync(t, "of a later", a)
				w.stillSync(t, "of b later", b)
				w.check(strict{})
			})
		})
	}
}

// Entries of members that do not hold: what a writer who lies puts there admits nobody, and takes nobody's place.
func TestSimLiarMembers(t *testing.T) {
	t.Parallel()
	simulate(t, 351, func(t *testing.T, w *simWorld) {
		w.share("admin", "write", "read")
		a, b := w.all[0], w.all[1]
		pk := b.engine().pk
		if err := a.node().Admit(t.Context(), "s", hex.EncodeToString(pk[:]), ""); err != nil {
			t.Fatal(err)
		}
		w.settle(time.Hour)
		before := a.listed()
		if len(before) != 2 {
			t.Fatal(before)
		}
		l := w.liar("write", wire.Hello{})
		stranger, err := secret.NewNodeSeed(l.rnd)
		if err != nil {
			t.Fatal(err)
		}
		share, id := l.keys.Share, stranger.Identity(l.keys.Share)
		sigJ := func(id secret.Identity, box [32]byte) []byte {
			return secret.Sign(id.Sign, secret.SignJoin, append(share[:], box[:]...))
		}
		self := l.self.Key()
		good := member{PK: id.Key(), Label: "stranger", Role: secret.Write, Box: id.BoxKey(), By: self, SigJ: sigJ(id, id.BoxKey())}
		byLiar := func(m member) member {
			m.SigB = secret.Sign(l.self.Sign, secret.SignMember, m.signed(share))
			return m
		}
		others := good // the victim's key, with the liar's box: what would bring it the keys of the next epoch
		others.PK, others.Box = pk, l.self.BoxKey()
		others.SigJ = sigJ(l.self, others.Box)
		asAdmin := good
		asAdmin.By = [32]byte(share)
		circle := member{PK: self, Label: "liar", Role: secret.Write, Box: l.self.BoxKey(), By: id.Key(), SigJ: sigJ(l.self, l.self.BoxKey())}
		circle.SigB = secret.Sign(id.Sign, secret.SignMember, circle.signed(share))
		itself := circle
		itself.By = self
		moved := byLiar(good)
		moved.Box = l.self.BoxKey()
		var events []index.Event
		for _, m := range []member{byLiar(good), byLiar(others), byLiar(asAdmin), circle, byLiar(itself), moved} {
			events = append(events, a.engine().listing(&m))
		}
		for name, value := range map[string]string{hex.EncodeToString(pk[:]): "d", strings.Repeat("0", 64): "de", "x": "le", strings.ToUpper(hex.EncodeToString(self[:])): string(circle.encode())} {
			events = append(events, index.Event{Meta: true, AddAt: memberPath + name, Add: &index.Entry{Type: index.Meta, Value: []byte(value)}})
		}
		l.come()
		l.meets(3)
		l.say(&wire.Heads{IDs: []blob.ID{l.publish(writerOf("liar"), events...)}})
		time.Sleep(time.Minute)
		w.stillSync(t, "after", b)
		for _, m := range w.all {
			if got := m.listed(); len(got) != 2 || got[b.name] != before[b.name] || got[a.name] != before[a.name] {
				t.Errorf("%s lists %v, want %v", m.name, got, before)
			}
			all, _, err := m.engine().members(m.engine().row.State.Root)
			if err != nil || all[pk] == nil || all[pk].Box != b.engine().self.BoxKey() {
				t.Errorf("%s would give the keys of b to another box, %v", m.name, err)
			}
		}
	})
}
