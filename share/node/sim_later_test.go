package node

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/wire"
)

// laterEntries are what a later version may put into a share: a type that nobody knows, with and without content, and a file
// of which it says more than is known.
func (l *liar) laterEntries() []index.Event {
	content := []byte("of tomorrow")
	c, b := blob.Seal(l.keys.Conv, blob.Data, nil, content)
	_ = l.Put(c.ID, b)
	return []index.Event{
		{AddAt: "hologram", Add: &index.Entry{Type: 'Z', Extra: []byte("d5:depthi3ee")}},
		{AddAt: "d/hologram", Add: &index.Entry{Type: 'Z', Extra: []byte("d5:depthi4ee"), Caps: []blob.Cap{c}}},
		{AddAt: "d/known", Add: &index.Entry{Type: index.File, MTime: 1, Size: int64(len(content)), Hash: sumOfBytes(content),
			Caps: []blob.Cap{c}, Extra: []byte("d6:colour4:bluee")}},
	}
}

// entriesAt are the entries of a path in a machine's state, as text.
func (m *simMachine) entriesAt(p string) (all []string) {
	m.w.t.Helper()
	e := m.engine()
	v, _ := e.look()
	f := index.NewForest(e.keys.Conv, e.blobs)
	found, err := f.Find(v.Root.Files, p)
	if err != nil {
		m.w.t.Fatalf("%s: %s: %v", m.name, p, err)
	}
	for _, x := range found.Entries {
		all = append(all, fmt.Sprintf("%q %x", x.Raw(), x.IDs()))
	}
	return all
}

// Scenario 26: somebody with a later version writes what this one does not know. It is kept and passed on as it is, over edits
// beside it, a restart, and to who joins when the later one is long gone; what is known of it is on disk, and nothing else.
func TestSimLaterVersion(t *testing.T) {
	t.Parallel()
	simulate(t, 160, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 5, 300, 0)
		w.share("admin", "write", "store")
		b := w.all[1]
		l := w.liar("write", wire.Hello{Feat: []string{"tomorrow"}})
		l.come()
		l.meets(3)
		l.say(&wire.Unknown{Name: "song"}, &wire.Heads{IDs: []blob.ID{l.publish(writerOf("liar"), l.laterEntries()...)}}, &wire.Unknown{Name: "song"})
		time.Sleep(time.Minute)
		l.leave()
		paths := []string{"hologram", "d/hologram", "d/known"}
		before := map[string][]string{}
		for _, p := range paths {
			if before[p] = a.entriesAt(p); len(before[p]) != 1 {
				t.Fatalf("%s: %q", p, before[p])
			}
		}
		if !strings.Contains(before["d/known"][0], "colour") || !strings.Contains(before["hologram"][0], "depth") {
			t.Fatalf("%q", before)
		}
		b.write("d/more", simBytes(160, 1, 500), false)
		a.write("f000", simBytes(160, 2, 500), true)
		b.remove("f001")
		w.settle(time.Hour)
		a.stop()
		b.stop()
		a.start()
		late := w.machine("read")
		late.join()
		w.settle(time.Hour)
		b.start()
		w.settle(time.Hour)
		for _, m := range []*simMachine{a, b, late} {
			tree := m.tree()
			if tree["d/known"] == "" || tree["d/more"] == "" || tree["hologram"] != "" || tree["d/hologram"] != "" {
				t.Errorf("%s shows %v", m.name, tree)
			}
			for _, p := range paths {
				if got := m.entriesAt(p); len(got) != 1 || got[0] != before[p][0] {
					t.Errorf("%s has at %s %q, it was %q", m.name, p, got, before[p])
				}
			}
			if s, err := m.node().Status(context.Background(), "s"); err != nil || s.State != "in-sync" {
				t.Errorf("%s is %+v, %v", m.name, s, err)
			}
		}
	})
}

// Scenario 26: a node of another major version has the secret. Neither syncs, both are told which version the other has, and
// status says so while it is there.
func TestSimOtherVersion(t *testing.T) {
	t.Parallel()
	simulate(t, 161, func(t *testing.T, w *simWorld) {
		w.share("admin", "write")
		a := w.all[0]
		l := w.liar("write", wire.Hello{})
		var came, told atomic.Int64
		hear := func(b []byte) {
			if m, err := wire.Decode(b); err == nil && m.(*wire.Hello).Ver == wire.Version {
				told.Add(1)
			}
		}
		_, err := l.hosts.Meet(context.Background(), MeetOptions{InfoHash: l.keys.Rendezvous, Extension: l.keys.Extension}, func(link Link) {
			defer link.Close()
			came.Add(1)
			s, err := wire.Handshake(l.hosts.ctx, link, l.keys, nil)
			if err != nil {
				return
			}
			if !link.Dialled() { // who dialled speaks first
				if b, err := s.Recv(l.hosts.ctx); err == nil {
					hear(b)
				}
			}
			if b, err := wire.Encode(&wire.Hello{Ver: 2 << 8}); err != nil || s.Send(l.hosts.ctx, b) != nil {
				return
			}
			if link.Dialled() {
				if b, err := s.Recv(l.hosts.ctx); err == nil {
					hear(b)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		says := func() (all []string) {
			s, err := a.node().Status(context.Background(), "s")
			if err != nil {
				t.Fatal(err)
			}
			return s.Alarms
		}
		time.Sleep(10 * time.Minute)
		w.quiet()
		if all := says(); len(all) != 1 || !strings.Contains(all[0], l.addr.Addr().String()) || !strings.Contains(all[0], "version 2, and this is version 1: the older shoal must be updated") {
			t.Errorf("status says %q", all)
		}
		if n := came.Load(); n == 0 || told.Load() < n-10 { // some may be half way
			t.Errorf("it came %d times, and was told our version %d times", came.Load(), told.Load())
		}
		l.leave()
		w.stillSync(t, "after", a)
		time.Sleep(2 * time.Hour)
		if all := says(); len(all) != 0 {
			t.Errorf("long after status says %q", all)
		}
	})
}
