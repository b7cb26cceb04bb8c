package main

import (
	"os"
	"path/filepath"
	"testing"

	"shoal/bt"
)

// TestBig takes a file through the whole engine: created, seeded, downloaded, verified. With SHOAL_BIG it has more bytes
// than 32 bits can count.
func TestBig(t *testing.T) {
	t.Parallel()
	size := int64(40<<20 + 1)
	if os.Getenv("SHOAL_BIG") != "" {
		size = 5<<30 + 1
	}
	path := filepath.Join(t.TempDir(), "big.bin")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("the end"), size-7); err != nil {
		t.Fatal(err)
	}
	m, err := bt.Create(t.Context(), bt.CreateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	cfg := bt.Config{Listen: "127.0.0.1", NoDHT: true, NoTrackers: true}
	seeder, leecher := newClient(t, cfg), newClient(t, cfg)
	s, err := seeder.Seed(t.Context(), m, bt.SeedOptions{Dir: filepath.Dir(path)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	src, err := bt.ParseSource(s.Magnet().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	res, err := leecher.Download(t.Context(), src, bt.DownloadOptions{Dir: dir})
	if err != nil || res.Bytes != size {
		t.Fatalf("got %+v, %v", res, err)
	}
	want, err := bt.HashFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bt.HashFile(t.Context(), filepath.Join(dir, "big.bin")); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// newClient starts a session that ends with the test.
func newClient(t *testing.T, cfg bt.Config) *bt.Client {
	t.Helper()
	c, err := bt.NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
