package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/wire"
)

// entry is a file of a liar as it travels, whatever its name.
func liarFile(name string, c blob.Cap) string {
	s := func(s string) string { return string(bencode.AppendString(nil, s)) }
	hash := sumOfBytes([]byte("x"))
	return "d1:ci7e1:f" + s(string(hash[:])) + "1:kl" + s(string(c.Key[:])) + "e1:n" + s(name) + "1:rli0ee1:si1e1:ti1e1:w" + s("liar....") + "1:y1:fe"
}

// dirs are trees that no honest writer makes.
func (l *liar) dirs(t *testing.T) map[string]blob.Cap {
	t.Helper()
	data, b := blob.Seal(l.keys.Conv, blob.Data, nil, []byte("x"))
	_ = l.Put(data.ID, b)
	file := func(name string) blob.Cap { return l.seal([]blob.ID{data.ID}, "l"+liarFile(name, data)+"e") }
	below := func(name string, c blob.Cap) string {
		return "d1:kl32:" + string(c.Key[:]) + "e1:n" + string(bencode.AppendString(nil, name)) + "1:rli0ee1:y1:te"
	}
	dir := func(names []string, c blob.Cap) blob.Cap {
		slices.Sort(names)
		plain := "l"
		for _, n := range names {
			plain += below(n, c)
		}
		return l.seal([]blob.ID{c.ID}, plain+"e")
	}
	all := map[string]blob.Cap{}
	for _, name := range []string{"..", ".", "", "a/b", "/etc/passwd", "../../x", "a\x00b", ".shoal", ".SHOAL", ".shoal/id", strings.Repeat("n", 256), "\xff", "e\u0301", "\u200b.shoal"} {
		all[fmt.Sprintf("the name %q", name)] = file(name)
		all[fmt.Sprintf("the directory %q", name)] = dir([]string{name}, file("f"))
	}
	deep, wide, both := file("f"), file("f"), file("f")
	for range index.MaxDepth {
		deep = dir([]string{"d"}, deep)
	}
	all["too deep"] = deep
	var names []string
	for i := range index.Leaf + 1 {
		names = append(names, fmt.Sprintf("%03d", i))
	}
	all["a leaf that is too large"] = dir(slices.Clone(names), wide)
	for range index.MaxDepth - 1 {
		both = dir(slices.Clone(names[:128]), both)
	}
	all["more paths than can be walked"] = both
	all["no node at all"] = l.seal(nil, strings.Repeat("l", 100_000))
	all["not bencode"] = l.seal(nil, "l99999999999999999999:")
	all["refs to nowhere"] = l.seal(fakeIDs(3, blob.Data, blob.MaxRefs), "le")
	// It is in itself, as far as that can be: the name of the blob is its hash, so only the key can lie.
	self := file("f")
	all["the same node with another key"] = dir([]string{"d"}, blob.Cap{ID: self.ID, Key: blob.Key{1}})
	all["a root for a directory"] = l.root(index.Root{Files: self})
	return all
}

func writerOf(text string) index.Writer {
	sum := sumOfBytes([]byte(text))
	return index.Writer(sum[:8])
}

// A writer that lies signs heads of trees that nobody could put on a disk, or walk, or hold. They are ignored as a whole, and
// he is named; nothing is written, also not beside the folder, and the others go on.
func TestSimLiarIndex(t *testing.T) {
	t.Parallel()
	simulate(t, 311, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 5, 3000, 0)
		w.share("admin", "write", "read")
		before := a.tree()
		l := w.liar("write", wire.Hello{})
		base := a.engine().row.State.Ctx
		var ids []blob.ID
		for what, c := range l.dirs(t) {
			me := writerOf(what)
			ctx := base.Clone()
			ctx[me] = 7
			ids = append(ids, l.head(me, ctx, l.root(index.Root{Files: c})), l.head(me, ctx, l.root(index.Root{Meta: c})))
		}
		l.come()
		l.meets(3)
		for some := range slices.Chunk(ids, 200) {
			l.say(&wire.Heads{IDs: some})
		}
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		for _, m := range w.all {
			if d := differ(before, m.tree()); len(d) > 0 {
				t.Errorf("%s: %q", m.name, d)
			}
			for _, h := range m.engine().kept().all {
				if slices.Contains(ids, h.ID) {
					t.Errorf("%s keeps a head of the liar: %v", m.name, h.ID)
				}
			}
			s, err := m.node().Status(context.Background(), "s")
			if err != nil || len(s.Alarms) != maxAlarms {
				t.Errorf("%s: %d alarms, %v", m.name, len(s.Alarms), err)
			}
		}
		l.say(&wire.Heads{IDs: ids}) // again
		w.stillSync(t, "after", w.all[1])
		w.check(strict{gone: true})
	})
}

// A writer signs more heads than are kept while their index is not whole, and serves none of their trees: what others write
// comes all the same, also to those who were started anew.
func TestSimLiarUnfinished(t *testing.T) {
	t.Parallel()
	simulate(t, 312, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 5, 3000, 0)
		w.share("admin", "write", "store")
		b := w.all[1]
		l := w.liar("write", wire.Hello{})
		base := a.engine().row.State.Ctx
		var ids []blob.ID
		for i, fake := range fakeIDs(5, blob.Node, maxIncomplete+50) {
			me := writerOf(fmt.Sprint(i))
			ctx := base.Clone()
			ctx[me] = 1
			ids = append(ids, l.head(me, ctx, blob.Cap{ID: fake}))
		}
		l.come()
		l.meets(3)
		for some := range slices.Chunk(ids, 200) {
			l.say(&wire.Heads{IDs: some})
		}
		time.Sleep(time.Minute)
		for _, m := range w.all {
			if n := len(m.engine().kept().incomplete()); n != maxIncomplete {
				t.Errorf("%s keeps %d heads that are not whole", m.name, n)
			}
		}
		a.write("new", simBytes(312, 1, 3000), false)
		a.look()
		for range 600 {
			if time.Sleep(time.Second); b.tree()["new"] != "" {
				break
			}
		}
		l.leave()
		b.stop()
		b.start()
		b.write("newer", simBytes(312, 2, 3000), false)
		b.look()
		for range 600 {
			if time.Sleep(time.Second); a.tree()["newer"] != "" {
				break
			}
		}
		if b.tree()["new"] == "" || a.tree()["newer"] == "" {
			t.Errorf("a has %v, b has %v", a.tree(), b.tree())
		}
	})
}
