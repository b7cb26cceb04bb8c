package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
)

// A crash at any step of storing leaves no row without what it speaks of; after a restart the rest is stored.
func TestStoreCrashes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 12 {
		r.write(fmt.Sprintf("f%d", i), noise(uint64(i), 300+i))
	}
	r.write("big", noise(77, 1_500_000))
	points, every := 0, 1
	if testing.Short() {
		every = 5
	}
	for k := 0; ; k += every {
		home, dir := t.TempDir(), t.TempDir()
		b := &breaking{steps: -1, fresh: map[string]disk.File{}, root: dir}
		n := r.open(home, func(f disk.FS) disk.FS { return brittle{f, b} })
		s := r.join(n, dir, "store", api.ShareConfig{})
		r.step(s)
		b.mu.Lock()
		b.steps, b.done = k, 0
		b.mu.Unlock()
		for range 3 {
			r.carry(s, nil)
			r.pass(2 * retryAfter)
		}
		b.mu.Lock()
		died := b.done > k
		b.mu.Unlock()
		n.Close()
		b.cut(t)
		n = r.open(home, func(f disk.FS) disk.FS { return brittle{f, b} })
		s = n.engines["s"]
		s.net = newSwarm(s)
		r.step(s)
		soundRows(t, s, dir)
		r.carry(s, nil)
		if s.store.missing() != 0 {
			t.Fatalf("point %d: %d things are missing", k, s.store.missing())
		}
		sound(t, s, dir)
		if got, want := dataFiles(t, s), 1; got != want {
			t.Fatalf("point %d: %d large files", k, got)
		}
		n.Close()
		if !died {
			break
		}
		points++
	}
	t.Logf("points: %d/%d", points, every*points)
	if every*points < 20 {
		t.Errorf("only %d points were reached", every*points)
	}
}

// soundRows is sound without regard to files that have no row.
func soundRows(t *testing.T, s *engine, dir string) {
	t.Helper()
	err := s.node.db.View(t.Context(), func(tx *db.Tx) error {
		ids, inFile, err := tx.BlobIDs(s.n, blob.ID{}, 1<<20)
		for i, id := range ids {
			if inFile[i] {
				b, err := os.ReadFile(filepath.Join(dir, s.store.path(id)))
				if err == nil {
					err = blob.Verify(id, b)
				}
				if err != nil {
					t.Errorf("a row without its blob: %v", err)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A restart reads none of the blobs that it knows, takes in those that it does not, and removes what is no blob.
func TestStoreRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	home, dir := t.TempDir(), t.TempDir()
	b := &breaking{steps: -1, fresh: map[string]disk.File{}, root: dir}
	wrap := func(f disk.FS) disk.FS { return brittle{f, b} }
	s := r.join(r.open(home, wrap), dir, "store", api.ShareConfig{})
	r.step(s)
	for i := range 3000 {
		c, b := blob.Seal([32]byte{1}, blob.Data, nil, []byte(fmt.Sprint(i)))
		if err := s.store.put(c.ID, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	used := s.store.usage()
	s.node.Close()
	orphan, ob := blob.Seal([32]byte{1}, blob.Data, nil, []byte("orphan"))
	torn, tb := blob.Seal([32]byte{1}, blob.Data, nil, []byte("torn"))
	put := func(id blob.ID, b []byte) {
		t.Helper()
		p := filepath.Join(dir, s.store.path(id))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(orphan.ID, ob)
	put(torn.ID, tb[:len(tb)-1])
	b.mu.Lock()
	b.opens = 0
	b.mu.Unlock()
	s = r.open(home, wrap).engines["s"]
	r.step(s)
	b.mu.Lock()
	if b.opens > 3 { // the two, and one to make it durable
		t.Errorf("%d blobs were read", b.opens)
	}
	b.mu.Unlock()
	if got := blobsOf(t, s); len(got) != 3001 || !got[orphan.ID] {
		t.Errorf("%d blobs, the orphan %v", len(got), got[orphan.ID])
	}
	if got := s.store.usage(); got != used+int64(len(ob)) {
		t.Errorf("%d bytes are used, not %d", got, used+int64(len(ob)))
	}
	sound(t, s, dir)
}

// What a disk forgets is found when it is read again, dropped, and fetched again; status says so until then.
func TestDamage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 5000))
	r.write("gone", noise(2, 5000))
	r.write("big", noise(3, 1_000_000))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	spoil := func(p string, off int64) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(s.row.Dir, p), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("damage"), off); err != nil {
			t.Fatal(err)
		}
	}
	spoil(s.store.path(r.dataOf("x")), 100)
	if err := os.Remove(filepath.Join(s.row.Dir, s.store.path(r.dataOf("gone")))); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Join(s.row.Dir, "data"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	spoil("data/"+files[0].Name(), 300_000)
	for range 50 { // little by little
		if err := s.store.verify(t.Context(), 100_000); err != nil {
			t.Fatal(err)
		}
	}
	if got := problems(t, s); got != 3 {
		t.Errorf("%d problems", got)
	}
	if s.store.missing() != 3 {
		t.Errorf("%d things are missing", s.store.missing())
	}
	soundRows(t, s, s.row.Dir)
	r.carry(s, nil)
	if got := problems(t, s); got != 0 || s.store.missing() != 0 {
		t.Errorf("%d problems, %d missing, after all came again", got, s.store.missing())
	}
	sound(t, s, s.row.Dir)
	if ok, err := s.store.whole(t.Context(), mustTorrent(t, s)); !ok || err != nil {
		t.Error(ok, err)
	}
	// A damaged blob never leaves.
	spoil(s.store.path(r.dataOf("x")), 100)
	if _, err := s.serve(t.Context(), r.dataOf("x")); err == nil {
		t.Error("a damaged blob was served")
	}
}

func problems(t testing.TB, s *engine) (n int) {
	t.Helper()
	err := s.node.db.View(t.Context(), func(tx *db.Tx) error {
		all, err := tx.Problems(s.n)
		n = len(all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mustTorrent is the only torrent of a store.
func mustTorrent(t testing.TB, s *engine) *blob.Torrent {
	t.Helper()
	all := allData(t, s)
	if len(all) == 0 {
		t.Fatal("no torrent")
	}
	x, err := s.store.torrent(all[len(all)-1].Info)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func allData(t testing.TB, s *engine) (all []db.Data) {
	t.Helper()
	if err := s.node.db.View(t.Context(), func(tx *db.Tx) (err error) { all, err = tx.AllData(s.n); return err }); err != nil {
		t.Fatal(err)
	}
	return all
}

// A new version of a large file costs a store the pieces that are new. When the old one goes, the pieces that the new one
// needs stay.
func TestSharedPieces(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := noise(5, 4<<20)
	r.write("big", content)
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	first := allData(t, s)[0]
	changed := bytes.Clone(content)
	copy(changed[1<<20:], "changed")
	r.write("big", changed)
	r.carry(s, nil)
	all := allData(t, s)
	if len(all) != 2 || all[1].State != db.DataWhole || all[1].Bytes != blob.MinPiece {
		t.Fatalf("%+v", all)
	}
	check := func(when string) {
		t.Helper()
		x := mustTorrent(t, s)
		if ok, err := s.store.whole(t.Context(), x); !ok || err != nil {
			t.Fatalf("%s: %v %v", when, ok, err)
		}
		sound(t, s, s.row.Dir)
	}
	check("beside the old one")
	for range 32 {
		r.pass(day)
		r.step(s)
	}
	tidy(t, s.node)
	check("after the old one went")
	all = allData(t, s)
	if len(all) != 2 || all[0].State != db.DataDonor || all[0].Bytes != 15*blob.MinPiece {
		t.Fatalf("%+v", all)
	}
	var st stat
	if err := st.of(filepath.Join(s.row.Dir, s.store.dataPath(first.Hash))); err == nil && st.blocks > 0 && st.blocks > 15*blob.MinPiece+65536 {
		t.Errorf("%d bytes of the old file are not given back", st.blocks-15*blob.MinPiece)
	}
	r.write("big", nil)
	r.carry(s, nil)
	for range 32 {
		r.pass(day)
		r.step(s)
	}
	tidy(t, s.node)
	tidy(t, s.node)
	if all := allData(t, s); len(all) != 0 || dataFiles(t, s) != 0 {
		t.Errorf("%+v, %d files", all, dataFiles(t, s))
	}
	if got, want := s.store.usage(), sizeOf(t, s); got != want {
		t.Errorf("%d bytes are said to be used, not %d", got, want)
	}
	sound(t, s, s.row.Dir)
}

func sizeOf(t testing.TB, s *engine) (n int64) {
	t.Helper()
	if err := s.node.db.View(t.Context(), func(tx *db.Tx) (err error) { n, err = tx.BlobBytes(s.n); return err }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A store whose quota is used up says so, serves what it has, and goes on when there is room.
func TestQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 10 {
		r.write(fmt.Sprintf("f%d", i), noise(uint64(i), 100_000))
	}
	r.write("big", noise(50, 900_000))
	s := r.newStore(api.ShareConfig{Quota: 600_000})
	r.carry(s, nil)
	v, _ := s.look()
	st := s.stateMessage()
	if v.Full == "" || !st.Full || st.Quota != 600_000 || st.Used > st.Quota || st.Used < 300_000 || st.Missing == 0 {
		t.Fatalf("%q %+v", v.Full, st)
	}
	sound(t, s, s.row.Dir)
	served := 0
	for id := range blobsOf(t, s) {
		if _, err := s.serve(t.Context(), id); err == nil {
			served++
		}
	}
	if served != len(blobsOf(t, s)) {
		t.Errorf("%d of %d blobs are served", served, len(blobsOf(t, s)))
	}
	if err := s.setConfig(t.Context(), api.ShareConfig{Quota: 5 << 20}, nil); err != nil {
		t.Fatal(err)
	}
	r.pass(2 * retryAfter)
	r.carry(s, nil)
	if v, _ := s.look(); v.Full != "" || s.store.missing() != 0 {
		t.Errorf("%q, %d missing", v.Full, s.store.missing())
	}
	sound(t, s, s.row.Dir)
}

// A store whose disk is not mounted is absent: it writes nothing, and forgets nothing.
func TestStoreAbsent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 5000))
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	want := len(blobsOf(t, s))
	away := s.row.Dir + ".away"
	if err := os.Rename(s.row.Dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.row.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.store.close() // as a lost mount is
	if _, err := s.step(); !errors.Is(err, disk.ErrAbsent) {
		t.Fatal(err)
	}
	if _, err := s.serve(t.Context(), r.dataOf("x")); err == nil {
		t.Error("it serves what is not there")
	}
	tidy(t, s.node)
	if err := s.store.verify(t.Context(), 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := s.step(); !errors.Is(err, disk.ErrAbsent) {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.row.Dir); len(left) != 0 {
		t.Errorf("it wrote %v", left)
	}
	if err := errors.Join(os.Remove(s.row.Dir), os.Rename(away, s.row.Dir)); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Minute)
	r.step(s)
	if got := len(blobsOf(t, s)); got != want || s.store.missing() != 0 {
		t.Errorf("%d of %d blobs, %d missing", got, want, s.store.missing())
	}
	sound(t, s, s.row.Dir)
}
