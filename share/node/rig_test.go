package node

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// rig is a writer and others of its share under one clock, without a network: steps are taken, and blobs carried, by hand.
type rig struct {
	t   testing.TB
	mu  sync.Mutex // guards at
	at  time.Time
	a   *engine
	dir string // of the writer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, at: time.Now(), dir: t.TempDir()}
	n := r.open(t.TempDir(), nil)
	if _, err := n.Create(t.Context(), api.CreateOptions{Name: "s", Dir: r.dir}); err != nil {
		t.Fatal(err)
	}
	r.a = n.engines["s"]
	r.settle(r.a)
	return r
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

// open opens a node; wrap, if given, is put around the file systems of its folders.
func (r *rig) open(home string, wrap func(disk.FS) disk.FS) *Node {
	r.t.Helper()
	n, err := Open(r.t.Context(), Options{Home: home, Label: "n", Net: rigNet{r}, Now: r.now, OpenFS: func(dir string) (disk.FS, error) {
		f, err := disk.OpenFS(dir)
		if err == nil && wrap != nil {
			f = wrap(f)
		}
		return f, err
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { n.Close() })
	return n
}

// join makes a node that has the share in a role.
func (r *rig) join(n *Node, dir, role string, config api.ShareConfig) *engine {
	r.t.Helper()
	token, err := r.a.node.Token(r.t.Context(), "s", role)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := n.Add(r.t.Context(), api.AddOptions{Token: token, Dir: dir, Name: "s", Options: config}); err != nil {
		r.t.Fatal(err)
	}
	e := n.engines["s"]
	e.net = newSwarm(e)
	return e
}

func (r *rig) newStore(config api.ShareConfig) *engine {
	e := r.join(r.open(r.t.TempDir(), nil), r.t.TempDir(), "store", config)
	r.step(e)
	return e
}

func (r *rig) step(e *engine) {
	r.t.Helper()
	if _, err := e.step(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) settle(e *engine) {
	r.t.Helper()
	for range 20 {
		r.step(e)
		r.pass(3 * time.Second)
	}
	if v, _ := e.look(); e.store == nil && e == r.a && !v.Settled {
		r.t.Fatalf("the writer does not come to rest: %+v", v)
	}
}

// write changes a file of the writer, and publishes that. Its time is in the past, so that it is hashed once.
func (r *rig) write(name string, b []byte) {
	r.t.Helper()
	p := filepath.Join(r.dir, name)
	if b == nil {
		if err := os.Remove(p); err != nil {
			r.t.Fatal(err)
		}
	} else {
		if err := os.WriteFile(p, b, 0o644); err != nil {
			r.t.Fatal(err)
		}
		old := r.now().Add(-time.Duration(len(b)+1) * time.Minute)
		if err := os.Chtimes(p, old, old); err != nil {
			r.t.Fatal(err)
		}
	}
	r.a.suspect(name)
	r.settle(r.a)
	r.pass(10 * time.Second)
	r.settle(r.a)
}

// heads carries the heads of the writer, and the trees below them.
func (r *rig) heads(to *engine) {
	r.t.Helper()
	l := to.kept()
	for _, h := range r.a.kept().all {
		if l.has(h.ID) || !h.Superseded.IsZero() {
			continue
		}
		h.Mine, h.Merged, h.Superseded, h.Received = false, false, time.Time{}, r.now()
		err := to.node.db.Update(r.t.Context(), func(t *db.Tx) error {
			for id, err := range index.Reach(index.RefsIn(r.a.blobs), []blob.ID{h.ID}, func(id blob.ID) bool { return id.Kind() != blob.Node && id.Kind() != blob.Head }) {
				if err != nil {
					return err
				}
				b, err := r.a.blobs.Get(id)
				if err != nil {
					return err
				}
				if err := t.PutBlob(to.n, id, b, int64(len(b))); err != nil {
					return err
				}
			}
			return t.PutHead(to.n, &h)
		})
		if err != nil {
			r.t.Fatal(err)
		}
		to.changeHeads(func(l *headList) { l.all = append(l.all, h) })
	}
	r.step(to)
}

// carry brings a store all that it wants and the writer has, but what skip says.
func (r *rig) carry(to *engine, skip func(blob.ID) bool) {
	r.t.Helper()
	r.heads(to)
	for moved := true; moved; {
		moved = false
		to.store.mu.Lock()
		var ids []blob.ID
		for id := range to.store.wanted {
			ids = append(ids, id)
		}
		to.store.mu.Unlock()
		for _, id := range ids {
			if skip != nil && skip(id) {
				continue
			}
			b, err := r.a.serve(r.t.Context(), id)
			if err != nil {
				continue
			}
			if err := to.store.take(id, b); err != nil {
				r.t.Fatal(err)
			}
			to.store.mu.Lock()
			moved = moved || !to.store.wanted[id]
			to.store.mu.Unlock()
		}
		r.step(to)
		to.wg.Wait()
		r.step(to)
	}
}

// rigNet lets large files be fetched from the writer.
type rigNet struct{ r *rig }

func (n rigNet) Meet(context.Context, MeetOptions, func(Link)) (Meeting, error) {
	return nil, errors.New("nobody is here")
}
func (n rigNet) Port() int    { return 0 }
func (n rigNet) Close() error { return nil }

func (n rigNet) OpenData(_ context.Context, opts bt.DataOptions) (Data, error) {
	id, _ := blob.Clear(blob.Info, nil, opts.Info)
	st, _, end, err := n.r.a.sourceOf(id)
	if err != nil {
		return nil, err
	}
	t, err := blob.CheckInfo(id, mustClear(opts.Info))
	if err != nil {
		return nil, err
	}
	return &rigData{from: st, to: opts.Storage, t: t, end: end}, nil
}

func mustClear(info []byte) []byte {
	_, b := blob.Clear(blob.Info, nil, info)
	return b
}

type rigData struct {
	from, to bt.Storage
	t        *blob.Torrent
	end      func()
	read     atomic.Int64
}

func (d *rigData) Wait(context.Context) error {
	for i := range d.t.Pieces() {
		if d.to.Complete(i) {
			continue
		}
		b := make([]byte, d.t.PieceLen(i))
		off := int64(i) * d.t.PieceLength
		if _, err := d.from.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if sha1.Sum(b) != [20]byte(d.t.Sum(i)) {
			return errors.New("a wrong piece")
		}
		if _, err := d.to.WriteAt(b, off); err != nil {
			return err
		}
		if err := d.to.MarkComplete(i); err != nil {
			return err
		}
		d.read.Add(int64(len(b)))
	}
	return nil
}

func (d *rigData) AddPeers([]netip.AddrPort) {}
func (d *rigData) Review()                   {}
func (d *rigData) Stats() bt.DataStats       { return bt.DataStats{Read: d.read.Load()} }
func (d *rigData) Failed() <-chan error      { return nil }
func (d *rigData) Close() error              { d.end(); return nil }

// noise is content that depends on a seed alone.
func noise(seed uint64, size int) []byte {
	b := make([]byte, size)
	x := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(x.Uint32())
	}
	return b
}

// blobsOf are the ids that a node has of a share.
func blobsOf(t testing.TB, e *engine) map[blob.ID]bool {
	t.Helper()
	all := map[blob.ID]bool{}
	err := e.node.db.View(t.Context(), func(tx *db.Tx) error {
		ids, _, err := tx.BlobIDs(e.n, blob.ID{}, 1<<20)
		for _, id := range ids {
			all[id] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sound checks a store: every row has what it speaks of, every file has its row.
func sound(t testing.TB, e *engine, dir string) {
	t.Helper()
	rows := map[string]bool{}
	err := e.node.db.View(t.Context(), func(tx *db.Tx) error {
		ids, inFile, err := tx.BlobIDs(e.n, blob.ID{}, 1<<20)
		if err != nil {
			return err
		}
		for i, id := range ids {
			if !inFile[i] {
				continue
			}
			rows[e.store.path(id)] = true
			b, err := os.ReadFile(filepath.Join(dir, e.store.path(id)))
			if err == nil {
				err = blob.Verify(id, b)
			}
			if err != nil {
				return fmt.Errorf("a row without its blob: %w", err)
			}
		}
		all, err := tx.AllData(e.n)
		for i := range all {
			d := &all[i]
			rows[e.store.dataPath(d.Hash)] = true
			info, err := tx.Peek(e.n, d.Info)
			if err != nil {
				return err
			}
			torrent, err := blob.CheckInfo(d.Info, info)
			if err != nil {
				return err
			}
			b, _ := os.ReadFile(filepath.Join(dir, e.store.dataPath(d.Hash)))
			for i := range torrent.Pieces() {
				here, err := tx.HasPiece(torrent.Sum(i), d.N, i)
				if err != nil {
					return err
				}
				off := int64(i) * torrent.PieceLength
				if here && (int64(len(b)) < off+torrent.PieceLen(i) || !torrent.CheckPiece(i, b[off:off+torrent.PieceLen(i)])) {
					return fmt.Errorf("a row without its piece %d of %s", i, d.Info)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range []string{"blobs", "data"} {
		_ = filepath.WalkDir(filepath.Join(dir, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if rel, _ := filepath.Rel(dir, p); !rows[filepath.ToSlash(rel)] {
				t.Errorf("a file without a row: %s", rel)
			}
			return nil
		})
	}
}
