package node

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"shoal/share/api"
)

// spread is a file of a, and three stores that have it; a is gone.
func spread(t *testing.T) (a *machine, stores []*machine, file []byte) {
	t.Helper()
	a = newMachine(t, "a")
	file = make([]byte, 6<<20-4321)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(file)
	write(t, a.dir, "file", file)
	a.create()
	for _, name := range []string{"s1", "s2", "s3"} {
		s := newMachine(t, name)
		s.join(a, "store", a)
		stores = append(stores, s)
	}
	for _, s := range stores {
		s.synced()
	}
	return a, stores, file
}

// reader joins with these as the only machines that are there, and gets the file.
func reader(t *testing.T, token string, stores []*machine, file []byte) *machine {
	t.Helper()
	b := newMachine(t, "b")
	opts := api.AddOptions{Token: token, Dir: b.dir, Name: "s", Options: api.ShareConfig{OnDemand: true}}
	for _, s := range stores {
		opts.Options.Hosts = append(opts.Options.Hosts, s.addr())
	}
	if _, err := b.n.Add(context.Background(), opts); err != nil {
		t.Fatal(err)
	}
	b.n.Start()
	waitFor(t, "a meeting with all", func() bool {
		list, err := b.n.Ls(context.Background(), "s", "file")
		return err == nil && len(list) == 1 && b.status().Peers == len(stores)
	})
	if _, err := b.n.Get(context.Background(), "s", []string{"file"}, ""); err != nil {
		t.Fatal(err)
	}
	if !b.has("file", file) {
		t.Fatal("what came is another file")
	}
	return b
}

// Whoever fetches takes pieces from every node that has them at once. Each is throttled, so that no one is fast enough to
// have sent all before the others begin: each sends its part.
func TestFetchFromAll(t *testing.T) {
	t.Parallel()
	a, stores, file := spread(t)
	token, err := a.n.Token(context.Background(), "s", "read")
	if err != nil {
		t.Fatal(err)
	}
	a.close()
	before := make([]int64, len(stores))
	for i, s := range stores {
		s.limit("[limits]\nup = \"1M/s\"\n")
		e, err := s.n.find("s")
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the limit", func() bool { e.limits.mu.Lock(); defer e.limits.mu.Unlock(); return e.limits.Up == 1<<20 })
		before[i] = s.status().Sent
	}
	reader(t, token, stores, file)
	var sum int64
	for i, s := range stores {
		sent := s.status().Sent - before[i]
		t.Logf("%s sent %d bytes", s.name, sent)
		if sent < int64(len(file))/6 {
			t.Errorf("%s sent %d of %d bytes", s.name, sent, len(file))
		}
		sum += sent
	}
	if sum > int64(len(file))*3/2 {
		t.Errorf("%d bytes were sent of %d", sum, len(file))
	}
}

// A file of which no machine has more than a third arrives whole. The three have no room for the rest, and serve what they
// have.
func TestFetchFromParts(t *testing.T) {
	t.Parallel()
	a, stores, file := spread(t)
	token, err := a.n.Token(context.Background(), "s", "read")
	if err != nil {
		t.Fatal(err)
	}
	a.close()
	for i, s := range stores {
		s.addr() // it is found there again
		s.close()
		s.limit("[limits]\nstorage = \"1M\"\n")
		keepPart(t, s.dir, i, len(stores))
	}
	for _, s := range stores {
		s.open()
		s.n.Start()
		if res, err := s.n.Check(context.Background(), "s", true); err != nil || len(res.Problems) == 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		waitFor(t, "a full store", func() bool { return s.status().Full != "" })
	}
	reader(t, token, stores, file)
	for _, s := range stores {
		if st := s.status(); st.NeedBytes == 0 || st.Sent < int64(len(file))/4 {
			t.Errorf("%s lacks %d bytes, and sent %d", s.name, st.NeedBytes, st.Sent)
		}
	}
}

// keepPart damages what a store has of a large file, but for every n-th piece from the i-th on.
func keepPart(t *testing.T, dir string, i, n int) {
	t.Helper()
	const piece = 256 << 10
	names, err := filepath.Glob(filepath.Join(dir, "data", "*"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for p := 0; p*piece < len(b); p++ {
		if p%n != i {
			copy(b[p*piece:], bytes.Repeat([]byte{0xff}, 1000))
		}
	}
	if err := os.WriteFile(names[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}
