package node

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
	"shoal/share/secret"
)

// A crash while garbage is removed leaves nothing that is in use out, and nothing behind for good.
func TestCollectionCrashes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	for k := 0; ; k++ {
		home, dir := t.TempDir(), t.TempDir()
		b := &breaking{steps: -1, fresh: map[string]disk.File{}, root: dir}
		wrap := func(f disk.FS) disk.FS { return brittle{f, b} }
		n := r.open(home, wrap)
		s := r.join(n, dir, "store", api.ShareConfig{})
		r.step(s)
		r.carry(s, nil)
		for i := range 4 {
			stray(t, s, uint64(i))
		}
		b.mu.Lock()
		b.steps, b.done = k, 0
		b.mu.Unlock()
		_, _ = n.collect(t.Context())
		b.mu.Lock()
		died := b.done > k
		b.mu.Unlock()
		n.Close()
		b.cut(t)
		n = r.open(home, wrap)
		s = n.engines["s"]
		r.step(s)
		sound(t, s, dir)
		tidy(t, n)
		sound(t, s, dir)
		got := blobsOf(t, s)
		for id := range r.reached() {
			if !got[id] {
				t.Fatalf("point %d: %s went", k, id)
			}
		}
		if len(got) != len(r.reached()) {
			t.Fatalf("point %d: %d blobs, %d are in use", k, len(got), len(r.reached()))
		}
		n.Close()
		if !died {
			return
		}
	}
}

// archive is what is in the archive of the writer.
func (r *rig) archive() map[string]string { return tree(r.t, filepath.Join(r.dir, disk.Archive)) }

// replace puts another content in the place of a file of the writer, as if others had written it.
func (r *rig) replace(name string, b []byte) {
	r.t.Helper()
	row, err := known{ctx: r.t.Context(), db: r.a.node.db, n: r.a.n}.Row(name)
	if err != nil || row == nil {
		r.t.Fatal(row, err)
	}
	temp, err := r.a.folder.applier.Temp(name, "test", int64(len(b)))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.a.writeTemp(temp, b); err != nil {
		r.t.Fatal(err)
	}
	next := *row
	next.Size, next.Hash = int64(len(b)), [32]byte{1}
	for _, o := range r.a.folder.applier.Apply(r.t.Context(), []disk.Op{{Do: disk.Put, Path: name, Temp: temp, Old: row, New: &next}}) {
		if !o.Done() {
			r.t.Fatal(o.Result, o.Err)
		}
	}
}

// The archive keeps what it has for 30 days of the node's life, and no year that it slept.
func TestArchiveExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("large", noise(9, 100_000)) // so that the archive is small beside it
	r.write("x", noise(1, 500))
	r.replace("x", []byte("new"))
	if len(r.archive()) != 1 {
		t.Fatal(r.archive())
	}
	days := func(n int, d time.Duration) {
		for range n {
			r.pass(d)
			r.step(r.a)
		}
	}
	days(1, 5*365*day)
	days(27, day)
	if len(r.archive()) != 1 {
		t.Fatal("it went after 28 days and a long sleep")
	}
	days(4, day)
	if got := r.archive(); len(got) != 0 {
		t.Errorf("after 32 days there is %v", got)
	}
}

// A program that writes to a replaced file loses nothing: ten seconds later, or with the next walk, it is a conflict copy.
func TestLateWrites(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{11 * time.Second, 61 * time.Minute} {
		r := newRig(t)
		r.write("x", noise(1, 500))
		f, err := os.OpenFile(filepath.Join(r.dir, "x"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r.replace("x", []byte("new"))
		if after > time.Minute {
			r.pass(11 * time.Second)
			r.step(r.a)
		}
		if _, err := f.WriteAt([]byte("late words"), 0); err != nil {
			t.Fatal(err)
		}
		r.pass(after)
		r.settle(r.a)
		found := false
		for name, content := range tree(t, r.dir) {
			found = found || strings.Contains(name, ".conflict-") && strings.HasPrefix(content, "late words")
		}
		if !found {
			t.Errorf("after %v: what was written late is not in the folder: %v", after, len(tree(t, r.dir)))
		}
	}
}

// Temporary files of an earlier run go at the start, but for parts of large files; those go when nothing is wanted.
func TestTemporaryFilesGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	home := r.a.node.home
	r.a.node.Close()
	temp := filepath.Join(r.dir, disk.Temp)
	part := strings.Repeat("ab", 32)
	for _, name := range []string{"copy-1", part, part + "-3"} {
		write(t, temp, name, []byte("rest"))
	}
	r.a = r.open(home, nil).engines["s"]
	r.step(r.a)
	if got := tree(t, temp); len(got) != 0 && (len(got) != 1 || got[part] == "") {
		t.Errorf("left: %v", got)
	}
	r.pass(2 * time.Hour)
	r.settle(r.a)
	if got := tree(t, temp); len(got) != 0 {
		t.Errorf("left in the end: %v", got)
	}
}

// Own events are forgotten 90 days after a head of somebody else covered them, and not because time passes.
func TestJournalIsCovered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 500))
	count := func() uint64 {
		t.Helper()
		own := index.Context{}
		if err := r.a.node.db.View(t.Context(), func(tx *db.Tx) (err error) { own, err = tx.Own(r.a.n); return err }); err != nil {
			t.Fatal(err)
		}
		return own[r.a.row.Writer]
	}
	days := func(n int) {
		for range n {
			r.pass(day)
			r.step(r.a)
		}
	}
	days(200)
	if count() == 0 {
		t.Fatal("events that nobody has were forgotten")
	}
	r.a.changeHeads(func(l *headList) { // as if a peer had signed them
		for i := range l.all {
			l.all[i].Mine = false
		}
	})
	days(89)
	if count() == 0 {
		t.Fatal("forgotten after 89 days")
	}
	days(4)
	if count() != 0 {
		t.Error("still there after 93 days")
	}
}

// The largest size of the last 30 days counts for the archive.
func TestVolume(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("x", noise(1, 9000))
	r.pass(2 * time.Hour)
	r.settle(r.a)
	r.write("x", nil)
	r.pass(day)
	r.settle(r.a)
	volume := func() (n int64) {
		if err := r.a.node.db.View(t.Context(), func(tx *db.Tx) (err error) { n, err = tx.Volume(r.a.n); return err }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := volume(); got != 9000 {
		t.Errorf("the volume is %d", got)
	}
	for range 33 {
		r.pass(day)
		r.step(r.a)
	}
	if got := volume(); got != 0 {
		t.Errorf("the volume is %d after 34 days", got)
	}
}

// Files of other names, and old versions in the archive, are not fetched again: what is known by its SHA-1 is copied.
func TestKnownChunksAreNotFetched(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t, "a"), newMachine(t, "b")
	content := noise(3, 8<<20)
	write(t, a.dir, "one.bin", content)
	a.create()
	b.join(a, "read", a)
	b.synced()
	same(t, a, b)
	before := b.n.read.Load()
	other := bytes.Clone(content)
	copy(other[5<<20:], "changed")
	write(t, a.dir, "dir/two.bin", other)
	same(t, a, b)
	waitFor(t, "the torrent to close", func() bool { return b.n.read.Load() > before })
	if got := b.n.read.Load() - before; got > 1<<20 {
		t.Errorf("%d bytes were fetched, of which 256 KiB are new", got)
	}
}

// A policy counts when the admin signed it, and an older one never comes back.
func TestPolicyIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	pk := [32]byte{7}
	if err := r.a.setPolicy(t.Context(), policy{N: 3, R: 2}); err == nil {
		t.Error("more copies are needed than there are")
	}
	if err := r.a.setPolicy(t.Context(), policy{N: 2, R: 3, Stores: map[[32]byte]int64{pk: 100}}); err != nil {
		t.Fatal(err)
	}
	r.settle(r.a)
	first := r.a.keptPolicy()
	s := r.newStore(api.ShareConfig{})
	r.carry(s, nil)
	if !bytes.Equal(s.keptPolicy(), first) {
		t.Fatal("the store does not know the policy")
	}
	many := policy{N: 1, R: 1, Stores: map[[32]byte]int64{}}
	for i := range maxPlaced {
		many.Stores[[32]byte{byte(i), byte(i >> 8), 1}] = int64(i)
	}
	if err := r.a.setPolicy(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	r.settle(r.a)
	r.carry(s, nil)
	p, ok := parsePolicy(s.token.Share, s.keptPolicy())
	if !ok || p.Seq != 2 || len(p.Stores) != maxPlaced || p.N != 1 {
		t.Fatal(ok, p.Seq, len(p.Stores))
	}
	now, err := r.a.policy(r.a.row.State.Root)
	if err != nil || now.Seq != 2 {
		t.Fatal(now.Seq, err)
	}
	if _, ok := parsePolicy(s.token.Share, append(bytes.Clone(first[:len(first)-1]), first[len(first)-1]^1)); ok {
		t.Error("a wrong signature counts")
	}
	s.policyAt = [32]byte{} // a head of earlier
	s.changeHeads(func(l *headList) { l.all = l.all[:1] })
	if err := s.seePolicy(); err != nil {
		t.Fatal(err)
	}
	if p, _ := parsePolicy(s.token.Share, s.keptPolicy()); p.Seq != 2 {
		t.Error("an old policy came back")
	}
}

// The quota of a plain folder stops fetching, and says so.
func TestPlainQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := r.join(r.open(t.TempDir(), nil), t.TempDir(), "read", api.ShareConfig{Quota: 1000})
	r.step(e)
	if err := e.quotaRoom(900); err != nil {
		t.Fatal(err)
	}
	err := e.quotaRoom(200)
	if err == nil || !isFull(err) {
		t.Fatal(err)
	}
	e.retry("x", "x", err)
	if st := e.stateMessage(); !st.Full || st.Quota != 1000 {
		t.Errorf("%+v", st)
	}
	r.pass(time.Minute)
	r.step(e) // nothing is on disk, so there is room
	if st := e.stateMessage(); st.Full {
		t.Errorf("%+v", st)
	}
}

func FuzzPolicyAgain(f *testing.F) {
	admin, err := secret.NewAdmin(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		f.Fatal(err)
	}
	keys, err := admin.Keys()
	if err != nil {
		f.Fatal(err)
	}
	p := policy{N: 1, R: 2, Seq: 5, Stores: map[[32]byte]int64{{1}: 2}}
	b := p.encode(keys)
	f.Add(string(b[:len(b)-secret.SignatureSize]))
	f.Add("d1:Ni1e1:Ple1:Ri0e3:seqi0ee")
	f.Fuzz(func(t *testing.T, dict string) {
		got, ok := parsePolicy(admin.Share, signedPolicy(t, admin, dict))
		if !ok || got.check() != nil {
			return
		}
		again, ok := parsePolicy(admin.Share, got.encode(keys))
		if !ok || !reflect.DeepEqual(again, got) {
			t.Errorf("%+v became %+v", got, again)
		}
	})
}
