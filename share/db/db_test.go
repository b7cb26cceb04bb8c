package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"shoal/share/blob"
	"shoal/share/index"
)

func open1(t testing.TB) *DB {
	t.Helper()
	d, aside, err := Open(filepath.Join(t.TempDir(), "node.db"))
	if err != nil || aside != "" {
		t.Fatal(aside, err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func update(t testing.TB, d *DB, f func(*Tx) error) {
	t.Helper()
	if err := d.Update(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	d := open1(t)
	s := Share{ID: [32]byte{1}, Name: "a", Dir: "/a", Ref: "t", Options: []byte("{}"), Added: time.Unix(5, 0).UTC(), Created: true}
	update(t, d, func(t *Tx) error { return t.AddShare(&s) })
	for _, other := range []Share{{ID: [32]byte{1}, Name: "b"}, {ID: [32]byte{2}, Name: "a"}} {
		if err := d.Update(t.Context(), func(t *Tx) error { return t.AddShare(&other) }); !errors.Is(err, ErrExists) {
			t.Errorf("%v", err)
		}
	}
	state := index.State{Ctx: index.Context{{1}: 5, {2}: 1 << 62}, Root: index.Root{Files: blob.Cap{ID: blob.ID{1, 2}, Key: blob.Key{3}}}}
	update(t, d, func(t *Tx) error {
		return errors.Join(t.SetState(s.N, state, index.Writer{1}, 5), t.SetCert(s.N, []byte("cert")), t.SetPaused(s.N, true), t.SetWalked(s.N, time.Unix(9, 0)))
	})
	want := s
	want.State, want.Writer, want.Counter, want.Cert, want.Paused, want.Walked = state, index.Writer{1}, 5, []byte("cert"), true, time.Unix(9, 0).UTC()
	update(t, d, func(tx *Tx) error {
		got, err := tx.Share(s.N)
		if err == nil && !reflect.DeepEqual(*got, want) {
			t.Errorf("got  %+v\nwant %+v", *got, want)
		}
		return err
	})
}

// Who rests has no connection left, takes nothing from who is at work, and goes on afterwards.
func TestRest(t *testing.T) {
	t.Parallel()
	d := open1(t)
	var work sync.WaitGroup
	for i := range 4 {
		work.Go(func() {
			for j := range 50 {
				err := d.Update(t.Context(), func(t *Tx) error { return t.SetValue(fmt.Sprint(i), []byte{byte(j)}) })
				if err == nil {
					err = d.View(t.Context(), func(tx *Tx) error {
						b, err := tx.Value(fmt.Sprint(i))
						if err == nil && (len(b) != 1 || b[0] != byte(j)) {
							err = fmt.Errorf("%d is %v", j, b)
						}
						return err
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		d.Rest()
	}
	work.Wait()
	if d.w.Stats().Idle+d.r.Stats().Idle == 0 {
		t.Error("no connection is kept")
	}
	d.Rest()
	if n := d.w.Stats().OpenConnections + d.r.Stats().OpenConnections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
	update(t, d, func(t *Tx) error { return t.SetValue("k", []byte("v")) })
}

// A transaction that fails has not happened.
func TestRollback(t *testing.T) {
	t.Parallel()
	d := open1(t)
	boom := errors.New("boom")
	if err := d.Update(t.Context(), func(t *Tx) error { return errors.Join(t.SetValue("k", []byte("v")), boom) }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	update(t, d, func(tx *Tx) error {
		b, err := tx.Value("k")
		if b != nil {
			t.Errorf("%q", b)
		}
		return err
	})
	if err := d.View(t.Context(), func(t *Tx) error { return t.SetValue("k", nil) }); err == nil {
		t.Error("a view writes")
	}
}

func genBase(t *rapid.T) index.Base {
	name := rapid.StringMatching(`[a-c/]{0,3}[a-z]`).Draw(t, "path")
	b := index.Base{Path: strings.Trim(strings.ReplaceAll(name, "//", "/"), "/"), Type: rapid.SampledFrom([]index.Type{index.File, index.Dir, index.Symlink}).Draw(t, "type"),
		MTime: rapid.Int64().Draw(t, "mtime"), Size: rapid.Int64Range(0, 1<<62).Draw(t, "size"), Present: rapid.Bool().Draw(t, "present"),
		XDev: rapid.Bool().Draw(t, "xdev"), Local: rapid.Bool().Draw(t, "local"), HasMode: rapid.Bool().Draw(t, "hasmode")}
	b.Natural = b.Path
	if rapid.Bool().Draw(t, "conflict") {
		b.Natural = b.Path + ".other"
	}
	if b.HasMode {
		b.Mode = rapid.Uint32Range(0, 0o777).Draw(t, "mode")
	}
	for range rapid.IntRange(0, 3).Draw(t, "dots") {
		b.Dots = append(b.Dots, index.Dot{Writer: index.Writer{byte(len(b.Dots))}, Counter: rapid.Uint64Range(1, 1<<63-1).Draw(t, "counter")})
	}
	if rapid.Bool().Draw(t, "content") {
		b.Hash = [32]byte{rapid.Byte().Draw(t, "hash"), 1}
		b.Caps = []blob.Cap{{ID: blob.ID{2, rapid.Byte().Draw(t, "id")}, Key: blob.Key{9}}}
	}
	b.Ident = index.Ident{Size: b.Size, MTime: b.MTime, CTime: rapid.Int64().Draw(t, "ctime"), Inode: rapid.Uint64().Draw(t, "inode"), Dev: rapid.Uint64().Draw(t, "dev"), Mode: rapid.Uint32().Draw(t, "imode")}
	return b
}

// What is put comes back, by every way that leads to it.
func TestBase(t *testing.T) {
	t.Parallel()
	d := open1(t)
	n := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		n++
		rows := map[string]index.Base{}
		for range rapid.IntRange(1, 12).Draw(rt, "rows") {
			b := genBase(rt)
			rows[b.Path] = b
			update(t, d, func(t *Tx) error { return t.PutBase(n, &b) })
			if got, err := DecodeBase(EncodeBase(&b)); err != nil || !reflect.DeepEqual(*got, b) {
				rt.Fatalf("%+v %v, want %+v", got, err, b)
			}
		}
		update(t, d, func(tx *Tx) error {
			under, err := 0, tx.Under(n, "a", func(*index.Base) error { return nil })
			if err != nil {
				return err
			}
			if err := tx.Under(n, "", func(*index.Base) error { under++; return nil }); err != nil || under != len(rows) {
				rt.Errorf("%d rows under the top, want %d: %v", under, len(rows), err)
			}
			for p, want := range rows {
				got, err := tx.Base(n, p)
				if err != nil || got == nil || !reflect.DeepEqual(*got, want) {
					rt.Fatalf("got  %+v %v\nwant %+v", got, err, want)
				}
				shown, err := tx.ShownOf(n, want.Natural)
				if err != nil || !contains(shown, p) {
					rt.Errorf("%s is not shown of %s: %v", p, want.Natural, err)
				}
				dir, _ := split(p)
				children, err := tx.Children(n, dir)
				if err != nil || !contains(children, p) {
					rt.Errorf("%s is no child of %q: %v", p, dir, err)
				}
				if want.Caps != nil {
					byHash, err1 := tx.ByHash(n, want.Hash, 100)
					byCap, err2 := tx.ByCap(n, want.Caps[0].ID, 100)
					if errors.Join(err1, err2) != nil || !contains(byHash, p) || !contains(byCap, p) {
						rt.Errorf("%s is not found by its content: %v %v", p, err1, err2)
					}
				}
			}
			return nil
		})
	})
}

func contains(all []index.Base, path string) bool {
	for i := range all {
		if all[i].Path == path {
			return true
		}
	}
	return false
}

// Looking for content, inodes and conflict copies reads no more than what it finds.
func TestIndexesAreUsed(t *testing.T) {
	t.Parallel()
	d := open1(t)
	for query, want := range map[string]string{
		"SELECT 1 FROM base INDEXED BY base_hash WHERE share = 1 AND hash = x'00'":                                          "base_hash (share=? AND hash=?)",
		"SELECT 1 FROM base INDEXED BY base_cap WHERE share = 1 AND caps IS NOT NULL AND substr(caps, 1, 32) = x'00'":       "base_cap (share=? AND <expr>=?)",
		"SELECT 1 FROM base INDEXED BY base_inode WHERE share = 1 AND inode = 5 AND flags & 1":                              "base_inode (share=? AND inode=?)",
		"SELECT 1 FROM base INDEXED BY base_natural WHERE share = 1 AND natural = 'x'":                                      "base_natural (share=? AND natural=?)",
		"SELECT 1 FROM base WHERE share = 1 AND dir = 'x' ORDER BY name":                                                    "PRIMARY KEY (share=? AND dir=?)",
		"SELECT 1 FROM archive INDEXED BY archive_cap WHERE share = 1 AND caps IS NOT NULL AND substr(caps, 1, 32) = x'00'": "archive_cap (share=? AND <expr>=?)",
	} {
		update(t, d, func(tx *Tx) error {
			var plan string
			err := tx.each("EXPLAIN QUERY PLAN "+query, nil, func(r *sql.Rows) error {
				var a, b, c int
				var line string
				err := r.Scan(&a, &b, &c, &line)
				plan += line + "\n"
				return err
			})
			if !strings.Contains(plan, want) || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s:\n%swant %s", query, plan, want)
			}
			return err
		})
	}
}

func TestCorrupt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "node.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	d, aside, err := Open(path)
	if err != nil || aside == "" {
		t.Fatal(aside, err)
	}
	d.Close()
	if _, err := os.Stat(aside); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if _, aside, err := Open(path); err != nil || aside != "" {
		t.Error(aside, err)
	}
}

func TestHeadsAndBlobs(t *testing.T) {
	t.Parallel()
	d := open1(t)
	h := Head{ID: blob.ID{5, 1}, Epoch: 3, Writer: index.Writer{7}, Ctx: index.Context{{7}: 9}, Root: blob.ID{1, 1}, Complete: true, Mine: true, Merged: true,
		Received: time.Unix(100, 0).UTC(), Superseded: time.Unix(200, 0).UTC()}
	update(t, d, func(tx *Tx) error {
		if err := errors.Join(tx.PutHead(1, &h), tx.Sign(1, h.ID), tx.PutBlob(1, blob.ID{2, 1}, []byte("x"), 1), tx.PutBlob(1, blob.ID{2, 2}, nil, 10), tx.DropBlob(1, blob.ID{2, 2})); err != nil {
			return err
		}
		heads, err := tx.Heads(1)
		if err != nil || len(heads) != 1 || !reflect.DeepEqual(heads[0], h) {
			t.Errorf("%+v %v", heads, err)
		}
		if ok, err := tx.HasSigned(1, h.ID); !ok || err != nil {
			t.Error(ok, err)
		}
		if count, bytes, err := tx.CountBlobs(1, blob.Data); count != 1 || bytes != 1 || err != nil {
			t.Error(count, bytes, err)
		}
		ids, inFile, err := tx.BlobIDs(1, blob.ID{}, 10)
		if len(ids) != 1 || inFile[0] || err != nil {
			t.Error(ids, inFile, err)
		}
		b, ok, err := tx.Blob(1, blob.ID{2, 1})
		if string(b) != "x" || !ok || err != nil {
			t.Error(b, ok, err)
		}
		return nil
	})
}
