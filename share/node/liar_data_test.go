package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
	"shoal/share/wire"
)

// large makes the blobs of a large file whose recipe is changed before it is sealed, and serves its torrent.
func (l *liar) large(content []byte, change func(recipe []byte) []byte) (c blob.Cap, hash [32]byte) {
	l.w.t.Helper()
	all, err := blob.Ingest(context.Background(), l.keys.Conv, bytes.NewReader(content), int64(len(content)), 1)
	if err != nil {
		l.w.t.Fatal(err)
	}
	d := &liarData{}
	for i := range all.Large.Pieces() {
		b, err := all.Large.Piece(i, bytes.NewReader(content), nil)
		if err != nil {
			l.w.t.Fatal(err)
		}
		d.cipher = append(d.cipher, b...)
	}
	for _, b := range all.Blobs {
		_ = l.Put(b.ID, b.Bytes)
		if b.ID.Kind() == blob.Info {
			h, _ := blob.Parse(b.Bytes)
			d.dict = h.Body
			l.data[b.ID] = d
		}
	}
	plain := binary.BigEndian.AppendUint64(nil, uint64(all.Size))
	plain = append(plain, all.Hash[:]...)
	for _, k := range all.Large.Keys {
		plain = append(plain, k[:]...)
	}
	c, b := blob.Seal(l.keys.Conv, blob.Recipe, []blob.ID{all.Large.Info}, change(plain))
	_ = l.Put(c.ID, b)
	return c, all.Hash
}

// lies are entries that are right by themselves, whose content is not what they say.
func (l *liar) lies() map[string]index.Entry {
	seal := func(b []byte) blob.Cap {
		c, sealed := blob.Seal(l.keys.Conv, blob.Data, nil, b)
		_ = l.Put(c.ID, sealed)
		return c
	}
	file := func(size int64, hash [32]byte, c blob.Cap) index.Entry {
		return index.Entry{Type: index.File, MTime: 1, Size: size, Hash: hash, Caps: []blob.Cap{c}}
	}
	content := bytes.Repeat([]byte("content of a liar "), 40_000)
	same, hash := l.large(content, func(r []byte) []byte { return r })
	other := [32]byte{1}
	wrongHash, _ := l.large(content, func(r []byte) []byte { copy(r[8:], other[:]); return r })
	wrongKeys, _ := l.large(content, func(r []byte) []byte { copy(r[40:], other[:]); return r })
	more, _ := l.large(content, func(r []byte) []byte { return append(r, make([]byte, 900_000)...) })
	fewer, _ := l.large(content, func(r []byte) []byte { return r[:len(r)-32] })
	huge, _ := l.large(content, func(r []byte) []byte { binary.BigEndian.PutUint64(r, blob.MaxFile); return r })
	n := int64(len(content))
	key := seal([]byte("x"))
	key.Key[0] ^= 1
	return map[string]index.Entry{
		"another content":        file(3, sumOfBytes([]byte("abc")), seal([]byte("xyz"))),
		"longer than it is":      file(1000, sumOfBytes([]byte("abc")), seal([]byte("abc"))),
		"shorter than it is":     file(1, sumOfBytes([]byte("a")), seal([]byte("abc"))),
		"another key":            file(1, sumOfBytes([]byte("x")), key),
		"a recipe's other hash":  file(n, hash, wrongHash),
		"the hash of both wrong": file(n, other, wrongHash),
		"wrong keys":             file(n, hash, wrongKeys),
		"a giant recipe":         file(n, hash, more),
		"a short recipe":         file(n, hash, fewer),
		"a huge size":            file(blob.MaxFile, hash, huge),
		"a size of its own":      file(n-1, hash, same),
		"nobody has it":          file(5, other, blob.Cap{ID: fakeIDs(9, blob.Data, 1)[0]}),
		"out":                    {Type: index.Symlink, MTime: 1, Value: []byte("../../../etc/passwd")},
		"root":                   {Type: index.Symlink, MTime: 1, Value: []byte("/etc/passwd")},
	}
}

// A writer that lies publishes files that are not what he says of them: no byte of them is put on a disk, what is there
// already stays, and all else goes on.
func TestSimLiarContent(t *testing.T) {
	t.Parallel()
	simulate(t, 331, func(t *testing.T, w *simWorld) {
		a := w.machine("admin")
		a.many("f", 3, 3000, 0)
		a.write("another content", simBytes(331, 50, 100), false) // he replaces that
		w.share("admin", "write", "store")
		before := a.tree()
		l := w.liar("write", wire.Hello{})
		var events []index.Event
		for name, e := range l.lies() {
			events = append(events, index.Event{AddAt: name, Add: &e})
		}
		honest := []byte("and one that is right")
		c, b := blob.Seal(l.keys.Conv, blob.Data, nil, honest)
		_ = l.Put(c.ID, b)
		w.wrote(w.all[1], honest, true)
		events = append(events, index.Event{AddAt: "right", Add: &index.Entry{Type: index.File, MTime: 1, Size: int64(len(honest)), Hash: sumOfBytes(honest), Caps: []blob.Cap{c}}})
		l.come()
		l.meets(3)
		l.say(&wire.Heads{IDs: []blob.ID{l.publish(writerOf("liar"), events...)}})
		time.Sleep(10 * time.Minute)
		for _, m := range w.all[:2] {
			tree := m.tree()
			if tree["right"] == "" {
				t.Errorf("%s does not have what is right", m.name)
			}
			delete(tree, "right")
			for p, what := range tree {
				if strings.HasPrefix(p, "another content") && what == before["another content"] {
					delete(tree, p)
				}
			}
			rest := map[string]string{}
			for p, what := range before {
				if p != "another content" {
					rest[p] = what
				}
			}
			if d := differ(rest, tree); len(d) > 0 {
				t.Errorf("%s: %q", m.name, d)
			}
			s, err := m.node().Status(t.Context(), "s")
			if err != nil || len(s.Problems) < 10 {
				t.Errorf("%s names %d problems: %+v, %v", m.name, len(s.Problems), s.Problems, err)
			}
		}
		a.write("later", simBytes(331, 1, 3000), false)
		a.look()
		time.Sleep(time.Minute)
		if w.all[1].tree()["later"] == "" {
			t.Error("the others do not go on")
		}
		l.mu.Lock()
		if len(l.open) == 0 {
			t.Error("nobody wanted the torrent")
		}
		l.mu.Unlock()
		w.check(strict{})
	})
}
