package node

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

// Whoever has the store secret can announce heads that do not exist, as many as it likes, and comes back under other names:
// the others hear each other all the same, also when it is gone.
func TestSimLiarHeads(t *testing.T) {
	t.Parallel()
	simulate(t, 301, func(t *testing.T, w *simWorld) {
		w.share("admin", "write", "store")
		a, b := w.all[0], w.all[1]
		fake := fakeIDs(1, blob.Head, 6000)
		l := w.liar("store", wire.Hello{Heads: fake[:256]})
		l.come()
		l.meets(3)
		for ids := range slices.Chunk(fake[256:], 256) {
			l.say(&wire.Heads{IDs: ids})
		}
		w.quiet()
		w.stillSync(t, "while it lies", a)
		w.stillSync(t, "back", b)
		for _, m := range w.all {
			x := m.engine().net.index
			if n := x.job.Status().Left; n > 4*maxIncomplete {
				t.Errorf("%s wants %d heads that do not exist", m.name, n)
			}
		}
		l.leave()
		w.stillSync(t, "when it is gone", a)
		for _, m := range w.all {
			if n := m.engine().net.index.job.Status().Left; n != 0 {
				t.Errorf("%s goes on wanting %d heads that do not exist", m.name, n)
			}
		}
	})
}

// Heads that are not what they should be change nothing: not signed, by a key without a certificate, of another share, of
// an epoch that no admin made, changed, and an old one replayed (I6).
func TestSimLiarForges(t *testing.T) {
	t.Parallel()
	simulate(t, 302, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 5, 3000, 0)
		w.share("admin", "write", "read", "store")
		old, err := a.engine().blobs.Get(a.engine().kept().frontier()[0])
		if err != nil {
			t.Fatal(err)
		}
		a.remove("f001")
		a.write("f002", simBytes(302, 100, 2000), true)
		a.look()
		w.settle(time.Hour)
		tree := a.tree()
		l := w.liar("write", wire.Hello{})
		ids := l.forgeries(t, w, old)
		l.come()
		l.meets(4)
		l.say(&wire.Heads{IDs: ids})
		time.Sleep(time.Minute)
		w.settle(time.Hour)
		for _, m := range w.all {
			for _, h := range m.engine().kept().all {
				if slices.Contains(ids[1:], h.ID) {
					t.Errorf("%s keeps the forged head %d", m.name, slices.Index(ids, h.ID))
				}
			}
		}
		if d := differ(tree, a.tree()); len(d) > 0 {
			t.Errorf("the folder changed: %q", d)
		}
		l.mu.Lock()
		if l.given < len(ids)-1 {
			t.Errorf("only %d heads were asked for", l.given)
		}
		l.mu.Unlock()
		w.stillSync(t, "after", w.all[1])
		w.check(strict{gone: true})
	})
}

// forgeries are heads of an empty share, each wrong in one way; the first is an old one that is right.
func (l *liar) forgeries(t *testing.T, w *simWorld, old []byte) (ids []blob.ID) {
	t.Helper()
	me := index.Writer{6, 6, 6}
	ctx := w.all[0].engine().kept().all[0].Ctx.Clone()
	ctx[me] = 1
	for writer := range ctx {
		ctx[writer] += 1000
	}
	good := l.head(me, ctx, l.root(index.Root{}))
	b, err := l.Get(good)
	if err != nil {
		t.Fatal(err)
	}
	delete(l.shelf, good)
	put := func(b []byte) {
		h, err := blob.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := blob.Clear(blob.Head, h.Refs, h.Body)
		_ = l.Put(id, b)
		ids = append(ids, id)
	}
	sign := func(b []byte, key ed25519.PrivateKey) {
		n := len(b) - secret.SignatureSize
		put(append(slices.Clone(b[:n]), secret.Sign(key, secret.SignHead, b[:n])...))
	}
	put(old)
	unsigned := slices.Clone(b)
	clear(unsigned[len(unsigned)-secret.SignatureSize:])
	put(unsigned)
	field := func(name, value string) string { return fmt.Sprintf("%d:%s%d:%s", len(name), name, len(value), value) }
	key := l.keys.Sign.Public().(ed25519.PublicKey)
	other := ed25519.NewKeyFromSeed(make([]byte, 32))
	for from, to := range map[string]string{
		field("W", string(key)):             field("W", string(other.Public().(ed25519.PublicKey))),
		field("A", string(l.keys.Share[:])): field("A", string(key)),
		field("cert", string(l.cert)):       field("cert", string(l.cert[:60])+"lies"),
		"1:ei0e":                            "1:ei1e",
		"1:w8:":                             "1:w9:1",
	} {
		forged := bytes.Replace(b, []byte(from), []byte(to), 1)
		if bytes.Equal(forged, b) {
			t.Fatalf("there is no %q in a head", from)
		}
		sign(forged, l.keys.Sign)
		sign(forged, other)
	}
	sign(b, other)
	return ids
}
