package bt_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// leechTree downloads torrent from a session that seeds root, and from libtorrent when it can.
func leechTree(t *testing.T, torrent, root string) {
	t.Helper()
	c := session(t, bt.Config{})
	seeded(t, c, readMetainfo(t, torrent), root, bt.SeedOptions{})
	download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{Peers: []string{c.Addr().String()}})
	download(t, session(t, bt.Config{}), magnet(readMetainfo(t, torrent), c.Addr().String()), root, bt.DownloadOptions{})
}

// Torrents that each program made, of names that programs stumble over.
func TestRealMakers(t *testing.T) {
	t.Parallel()
	for _, maker := range bttest.Makers() {
		formats := []string{bttest.V1}
		if maker == "libtorrent" {
			formats = []string{bttest.V1, bttest.V1Pads, bttest.V2, bttest.Hybrid}
		}
		for _, format := range formats {
			t.Run(maker+"/"+format, func(t *testing.T) {
				t.Parallel()
				names := bttest.OddNames()
				if maker == "transmission-create" { // it leaves out empty and hidden files
					names = slices.DeleteFunc(names, func(s string) bool { return s == "empty" || s[0] == '.' })
				}
				root := bttest.Tree(t, t.TempDir(), "odd", names)
				leechTree(t, bttest.MakeTorrent(t, maker, root, bttest.MakeOptions{Format: format}), root)
			})
		}
	}
}

// Data is good by the torrents that each program made of it, and not by one bit less.
func TestRealVerify(t *testing.T) {
	t.Parallel()
	for _, maker := range bttest.Makers() {
		formats := []string{bttest.V1}
		if maker == "libtorrent" {
			formats = []string{bttest.V1, bttest.V1Pads, bttest.V2, bttest.Hybrid}
		}
		for _, format := range formats {
			root := bttest.ManyFiles(t, t.TempDir(), "many", 300)
			big := bttest.RandomFile(t, root, "big", 300_001)
			m := readMetainfo(t, bttest.MakeTorrent(t, maker, root, bttest.MakeOptions{Format: format}))
			r, err := bt.Verify(t.Context(), m, bt.VerifyOptions{Dir: filepath.Dir(root)})
			if err != nil || r.Err() != nil || r.GoodBytes != m.Length || r.GoodPieces != m.NumPieces {
				t.Errorf("%s, %s: %v, %v", maker, format, err, r.Err())
			}
			b := bttest.RandomBytes(300_001, 300_001)
			b[150_000] ^= 1
			if err := os.WriteFile(big, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if r, err = bt.Verify(t.Context(), m, bt.VerifyOptions{Dir: filepath.Dir(root)}); err != nil || r.GoodPieces != m.NumPieces-1 {
				t.Errorf("%s, %s: %v, %d pieces of %d", maker, format, err, r.GoodPieces, m.NumPieces)
			}
		}
	}
}

// Names that most programs refuse or replace: shoal finds the files again under the names that it gives them.
func TestRealWildNames(t *testing.T) {
	t.Parallel()
	names := bttest.WildNames()
	root := bttest.Tree(t, t.TempDir(), "wild", names)
	m := readMetainfo(t, bttest.MakeTorrent(t, "mktorrent", root, bttest.MakeOptions{}))
	if len(m.Files) != len(names) {
		t.Fatalf("%d files, want %d", len(m.Files), len(names))
	}
	safe := filepath.Join(t.TempDir(), "wild")
	for _, f := range m.Files {
		to := filepath.Join(safe, filepath.FromSlash(f.Path))
		mkdir(t, filepath.Dir(to))
		for _, name := range names { // each has a size of its own
			b, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(b)) == f.Length {
				if err := os.WriteFile(to, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	leechTree(t, saved(t, m), safe)
}

// From libtorrent, a torrent of 5,000 files in each format.
func TestRealManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds for each format")
	}
	t.Parallel()
	bttest.Need(t, "libtorrent")
	// Of v2 the library walks the file tree for each block: 5,000 take half a minute.
	for format, files := range map[string]int{bttest.V1: 5000, bttest.V2: 500, bttest.Hybrid: 2000} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			root := bttest.ManyFiles(t, t.TempDir(), "many", files)
			torrent := bttest.MakeTorrent(t, "libtorrent", root, bttest.MakeOptions{Format: format})
			seed := bttest.SeedLibtorrent(t, torrent, filepath.Dir(root))
			began := time.Now()
			download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{Peers: []string{seed.Addr}})
			t.Logf("%s: %d files in %v", format, files, time.Since(began))
			seed.Kill()
			c := session(t, bt.Config{})
			began = time.Now()
			s := seeded(t, c, readMetainfo(t, torrent), root, bt.SeedOptions{})
			t.Logf("%s: hashed and seeded in %v", format, time.Since(began))
			began = time.Now()
			download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{Peers: s.Addrs()})
			t.Logf("%s: %d files from shoal in %v", format, files, time.Since(began))
		})
	}
}

// A file larger than 32 bits: libtorrent finds it as shoal says, and shoal gets it from there.
func TestRealBigSparseFile(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves 4 GiB")
	}
	t.Parallel()
	bttest.Need(t, "libtorrent")
	path := bttest.SparseFile(t, t.TempDir(), "sparse", 4<<30+5<<20)
	_, torrent := created(t, bt.CreateOptions{Path: path, Format: bt.FormatHybrid, PieceLength: 4 << 20})
	began := time.Now()
	seed := bttest.SeedLibtorrent(t, torrent, filepath.Dir(path))
	t.Logf("libtorrent hashed it in %v", time.Since(began))
	began = time.Now()
	dir := t.TempDir()
	res, err := session(t, bt.Config{}).Download(t.Context(), source(t, torrent), bt.DownloadOptions{Dir: dir, Peers: []string{seed.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes in %v", res.Bytes, time.Since(began))
	bttest.CompareTrees(t, filepath.Join(dir, "sparse"), path)
}
