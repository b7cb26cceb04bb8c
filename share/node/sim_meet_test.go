package node

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/share/wire"
)

// Scenario 2: the same file is edited on all sides of a cut. One keeps the name, the others are conflict copies; the same
// edit on two sides is none.
func TestSimEditsAcrossACut(t *testing.T) {
	t.Parallel()
	simulate(t, 140, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.write("x.txt", simBytes(140, 0, 500), false)
		a.write("same", simBytes(140, 1, 500), false)
		w.share("admin", "write", "write")
		w.net.part(func(netip.AddrPort, netip.AddrPort) bool { return true })
		for i, m := range w.all {
			m.write("x.txt", simBytes(140, 10+i, 500), i == 0)
			m.write("same", simBytes(140, 20, 600), i == 1)
		}
		time.Sleep(time.Minute)
		w.net.part(nil)
		w.settle(time.Hour)
		names := slices.Sorted(maps.Keys(a.tree()))
		if len(names) != 4 || names[0] != "same" || names[3] != "x.txt" || !strings.HasPrefix(names[1], "x.conflict-") || !strings.HasSuffix(names[1], ".txt") {
			t.Errorf("%v", names)
		}
		w.check(strict{gone: true})
	})
}

// Scenario 3: what two users do to the same things while they do not see each other.
func TestSimContradictions(t *testing.T) {
	content := func(i int) []byte { return simBytes(141, i, 300+i) }
	apart(t, 141, func(a *simMachine) {
		for i, p := range []string{"edit-delete", "dir/x", "dir/sub/y", "file-dir", "rename-edit", "Case", "gone-gone", "type/inner", "renamed-twice"} {
			a.write(p, content(i), false)
		}
	}, func(w *simWorld, a, b *simMachine) {
		a.edit("edit-delete", []byte("more"), false)
		b.remove("edit-delete")
		a.remove("dir")
		b.write("dir/sub/new", content(20), false)
		a.remove("file-dir")
		a.write("file-dir/below", content(21), false)
		b.write("file-dir", content(22), true)
		a.rename("rename-edit", "renamed")
		b.write("rename-edit", content(23), true)
		b.rename("Case", "case")
		a.remove("gone-gone")
		b.remove("gone-gone")
		a.remove("type")
		a.write("type", content(24), false)
		b.write("type/other", content(25), false)
		a.rename("renamed-twice", "to a")
		b.rename("renamed-twice", "to b")
		time.Sleep(3 * time.Minute)
		w.net.part(nil)
		w.settle(10 * time.Minute)
		tree := b.tree()
		for _, p := range []string{"edit-delete", "dir/sub/new", "file-dir/below", "renamed", "rename-edit", "case", "type/other", "to a", "to b"} {
			if tree[p] == "" {
				t.Errorf("%s is not there", p)
			}
		}
		for _, p := range []string{"Case", "gone-gone", "dir/x", "dir/sub/y", "type/inner", "renamed-twice"} {
			if tree[p] != "" {
				t.Errorf("%s is there", p)
			}
		}
		for _, i := range []int{22, 24} {
			if !a.contents()[sumOfBytes(content(i))] {
				t.Errorf("content %d is nowhere", i)
			}
		}
		if len(tree) != 15 {
			t.Errorf("%v", slices.Sorted(maps.Keys(tree)))
		}
	})
}

// Scenarios 4 and 5, I11: who joins with files moves nothing that is there already, and loses nothing that differs.
func TestSimJoinWithFiles(t *testing.T) {
	t.Parallel()
	simulate(t, 142, func(t *testing.T, w *simWorld) {
		a, b := w.machine("admin"), w.machine("write")
		for _, m := range w.all {
			m.many("many/f", 60, 2000, 0)
			m.write("big", simBytes(142, 100, 3<<20), false)
		}
		a.write("differs", simBytes(142, 101, 300), false)
		b.write("differs", simBytes(142, 102, 300), false)
		a.write("only a", simBytes(142, 103, 300), false)
		b.write("only b", simBytes(142, 104, 300), false)
		w.remember()
		w.share("admin")
		if got := len(b.tree()); got != 60+1+1+2+2 {
			t.Errorf("b has %d names", got)
		}
		in, _ := b.node().transfers.traffic()
		if blobs := b.engine().counters.In()[wire.TypeBlob].Bytes; in > 0 || blobs > 100_000 { // the index, and two small files
			t.Errorf("%d bytes of pieces and %d of blobs were fetched", in, blobs)
		}
		for _, m := range w.all {
			for i := range 60 {
				if m.tree()[fmt.Sprintf("many/f%03d", i)] == "" {
					t.Errorf("%s has lost file %d", m.name, i)
				}
			}
		}
		w.check(strict{gone: true})
	})
}
