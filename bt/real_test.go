package bt_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// The tests in real_*_test.go use package bt as a program does, and meet other people's programs.

// session is a session on loopback that looks for peers only where cfg says.
func session(t *testing.T, cfg bt.Config) *bt.Client {
	t.Helper()
	if cfg.Listen == "" && cfg.Interface == "" {
		cfg.Listen = "127.0.0.1"
	}
	cfg.NoDHT = len(cfg.DHTNodes) == 0
	c, err := bt.NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func readMetainfo(t *testing.T, path string) *bt.Metainfo {
	t.Helper()
	m, err := source(t, path).Load(t.Context(), bt.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// magnet names a torrent with peers to dial, and without its trackers and webseeds.
func magnet(m *bt.Metainfo, peers ...string) string {
	return bt.MagnetOf(m, bt.MagnetOptions{Peers: peers, NoTrackers: true, NoWebseeds: true}).String()
}

// download must succeed. What it fetches is compared with want, a file or folder, when that is not "".
func download(t *testing.T, c *bt.Client, arg, want string, opts bt.DownloadOptions) *bt.DownloadResult {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	res, err := c.Download(ctx, source(t, arg), opts)
	if err != nil {
		t.Fatal(err)
	}
	if want != "" {
		bttest.CompareTrees(t, filepath.Join(opts.Dir, filepath.Base(want)), want)
	}
	return res
}

// seeded starts seeding the file or folder at path.
func seeded(t *testing.T, c *bt.Client, m *bt.Metainfo, path string, opts bt.SeedOptions) *bt.Seeding {
	t.Helper()
	opts.Dir = filepath.Dir(path)
	s, err := c.Seed(t.Context(), m, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// created makes a torrent of path with shoal and returns it with the path of its file.
func created(t *testing.T, opts bt.CreateOptions) (*bt.Metainfo, string) {
	t.Helper()
	if opts.PieceLength == 0 {
		opts.PieceLength = 32 << 10
	}
	m, err := bt.Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return m, saved(t, m)
}

func saved(t *testing.T, m *bt.Metainfo) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.torrent")
	if err := os.WriteFile(path, m.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// background runs a download that seeds until the test ends, and returns when it has everything.
func background(t *testing.T, c *bt.Client, arg string, opts bt.DownloadOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	complete, over := make(chan struct{}), make(chan error, 1)
	opts.Seed = true
	opts.Done = func(*bt.DownloadResult) { close(complete) }
	src := source(t, arg)
	go func() {
		_, err := c.Download(ctx, src, opts)
		over <- err
	}()
	t.Cleanup(cancel)
	select {
	case <-complete:
		t.Cleanup(func() { <-over })
		t.Cleanup(cancel) // runs before
	case err := <-over:
		t.Fatalf("the download ended: %v", err)
	case <-time.After(bttest.Patience):
		t.Fatal("the download did not complete in time")
	}
}

// mkdir makes a folder and returns its path.
func mkdir(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
