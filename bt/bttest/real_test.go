package bttest_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shoal/bt/bttest"
	"shoal/bt/bttest/internal/wire"
)

// Every pair of programs understands each other: then a failure against one of them is the engine's.
func TestProgramsMeet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := bttest.RandomFile(t, dir, "song.bin", 1_000_000)
	torrent := bttest.MakeTorrent(t, "libtorrent", path, bttest.MakeOptions{})
	for _, seeder := range bttest.Programs() {
		for _, leecher := range bttest.Programs() {
			if !leecher.Dials {
				continue
			}
			t.Run(seeder.Name+" to "+leecher.Name, func(t *testing.T) {
				t.Parallel()
				seed := seeder.Seed(t, torrent, dir)
				got := t.TempDir()
				leecher.Leech(t, torrent, got, seed.Addr).WaitComplete(t)
				bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
			})
		}
	}
}

func TestTransmissionIsDialled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := bttest.RandomFile(t, dir, "song.bin", 1_000_000)
	torrent := bttest.MakeTorrent(t, "transmission-create", path, bttest.MakeOptions{})
	got := t.TempDir()
	leech := bttest.LeechTransmission(t, torrent, got, "")
	bttest.LeechLibtorrent(t, torrent, dir, leech.Addr) // which has all of it, and dials
	leech.WaitComplete(t)
	bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
}

func TestOpenTracker(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			dir := t.TempDir()
			path := bttest.RandomFile(t, dir, "song.bin", 100_000)
			infoHash := load(t, bttest.MakeTorrent(t, "libtorrent", path, bttest.MakeOptions{})).InfoHash
			announce := map[string]string{}
			announce["http"], announce["udp"] = bttest.OpenTracker(t, infoHash)
			torrent := bttest.MakeTorrent(t, "libtorrent", path, bttest.MakeOptions{Announce: announce[scheme]})
			bttest.SeedLibtorrent(t, torrent, dir)
			got := t.TempDir()
			bttest.LeechLibtorrent(t, torrent, got, "").WaitComplete(t)
			bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := bttest.Tree(t, dir, "odd", bttest.OddNames())
	for _, format := range []string{bttest.V1, bttest.V1Pads, bttest.V2, bttest.Hybrid} {
		t.Run(format, func(t *testing.T) {
			torrent := bttest.MakeTorrent(t, "libtorrent", root, bttest.MakeOptions{Format: format})
			m := load(t, torrent)
			if v2 := m.InfoHashV2 != [32]byte{}; v2 != (format == bttest.V2 || format == bttest.Hybrid) {
				t.Errorf("has a v2 infohash: %v", v2)
			}
			pads := 0
			for _, f := range m.Files {
				if f.Pad {
					pads++
				} else if format != bttest.V1 && f.Offset%m.PieceLength != 0 && f.Length > 0 {
					t.Errorf("%s begins at %d, not at a piece", f.Path, f.Offset)
				}
			}
			if want := format == bttest.V1Pads || format == bttest.Hybrid; pads > 0 != want {
				t.Errorf("%d pad files", pads)
			}
			seed := bttest.SeedLibtorrent(t, torrent, dir)
			bttest.LeechLibtorrent(t, torrent, t.TempDir(), seed.Addr).WaitComplete(t)
		})
	}
}

func TestMakers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := bttest.ManyFiles(t, dir, "many", 300)
	for _, maker := range bttest.Makers() {
		t.Run(maker, func(t *testing.T) {
			m := load(t, bttest.MakeTorrent(t, maker, root, bttest.MakeOptions{PieceLength: 64 << 10, Announce: "http://127.0.0.1:1/announce"}))
			want := 300
			if maker == "transmission-create" {
				want = 296 // it leaves out the empty ones
			}
			if m.PieceLength != 64<<10 || m.Name != "many" || len(m.Files) != want {
				t.Errorf("piece length %d, name %q, %d files", m.PieceLength, m.Name, len(m.Files))
			}
		})
	}
}

func TestMktorrentKeepsNames(t *testing.T) {
	t.Parallel()
	names := append(bttest.OddNames(), bttest.WildNames()...)
	root := bttest.Tree(t, t.TempDir(), "odd", names)
	var got, want []string
	for _, f := range load(t, bttest.MakeTorrent(t, "mktorrent", root, bttest.MakeOptions{})).Files {
		got = append(got, f.Path)
	}
	for _, name := range names {
		want = append(want, filepath.Join("odd", name))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestSparseFile(t *testing.T) {
	t.Parallel()
	path := bttest.SparseFile(t, t.TempDir(), "sparse", 5<<30)
	if fi, err := os.Stat(path); err != nil || fi.Size() != 5<<30 {
		t.Errorf("sparse file: %v %v", fi, err)
	}
}

func load(t *testing.T, path string) *wire.Torrent {
	t.Helper()
	m, err := wire.LoadTorrent(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
