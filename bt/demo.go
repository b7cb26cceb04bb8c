package bt

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// DemoOptions say where the demonstration works.
type DemoOptions struct {
	Dir      string // for album.torrent, seed/album and got/album; they may be there from the last time
	Progress func(Progress)
	Step     func(string) // told what happens, a sentence a step
}

// A DemoResult says what the demonstration showed.
type DemoResult struct {
	InfoHash string  `json:"infohash"`
	Magnet   string  `json:"magnet"`
	Bytes    int64   `json:"bytes"`
	Files    int     `json:"files"`
	Seconds  float64 `json:"seconds"` // of the transfer
	Verified bool    `json:"verified"`
}

// Demo shows the main job without a network beyond the loopback: it makes a folder, a torrent of it, seeds it with one
// engine, downloads it by its magnet with another, and compares every byte.
func Demo(ctx context.Context, opts DemoOptions) (*DemoResult, error) {
	step := opts.Step
	if step == nil {
		step = func(string) {}
	}
	src, dst := filepath.Join(opts.Dir, "seed"), filepath.Join(opts.Dir, "got")
	if err := demoFiles(filepath.Join(src, "album")); err != nil {
		return nil, err
	}
	m, err := Create(ctx, CreateOptions{Path: filepath.Join(src, "album")})
	if err != nil {
		return nil, err
	}
	if err := m.Save(filepath.Join(opts.Dir, "album.torrent")); err != nil {
		return nil, err
	}
	step(fmt.Sprintf("created a torrent of %d files, %d bytes, infohash %s", len(m.Files), m.Length, m.InfoHash))

	cfg := Config{Listen: "127.0.0.1", NoDHT: true, NoTrackers: true}
	seeder, err := NewClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer seeder.Close()
	s, err := seeder.Seed(ctx, m, SeedOptions{Dir: src})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	magnet := s.Magnet().String()
	step("one engine seeds it at " + magnet)

	leecher, err := NewClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer leecher.Close()
	source, err := ParseSource(magnet)
	if err != nil {
		return nil, err
	}
	res, err := leecher.Download(ctx, source, DownloadOptions{Dir: dst, Progress: opts.Progress})
	if err != nil {
		return nil, err
	}
	step(fmt.Sprintf("another engine downloaded and verified %d bytes in %.3f seconds", res.Bytes, res.Seconds))
	for _, f := range m.Files {
		if err := sameFile(filepath.Join(src, "album", f.Path), filepath.Join(dst, "album", f.Path)); err != nil {
			return nil, err
		}
	}
	step("every byte is the same")
	return &DemoResult{
		InfoHash: m.InfoHash.String(), Magnet: magnet, Bytes: res.Bytes, Files: len(m.Files),
		Seconds: res.Seconds, Verified: true,
	}, nil
}

// demoFiles writes a small album: the same bytes each time, so that the infohash is the same too.
func demoFiles(dir string) error {
	rnd := rand.NewChaCha8([32]byte{'s', 'h', 'o', 'a', 'l'})
	for _, f := range []struct {
		name string
		size int
	}{{"one.bin", 9 << 20}, {"two.bin", 5<<20 + 12345}, {"notes/empty.txt", 0}} {
		path := filepath.Join(dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		b := make([]byte, f.size)
		rnd.Read(b)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "notes", "read me.txt"), []byte("A torrent that shoal made to show itself.\n"), 0o644)
}

// sameFile is an error when two files differ.
func sameFile(a, b string) error {
	x, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	y, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return errorf(Damaged, "comparing %s and %s: they differ", a, b)
	}
	return nil
}
