package bt_test

import (
	"path/filepath"
	"slices"
	"testing"

	"shoal/bt"
	"shoal/bt/bttest"
)

// songs is a folder of files that do not end where pieces do.
func songs(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "songs")
	for name, size := range map[string]int{"one.bin": 700_001, "two.bin": 32 << 10, "sub/three.bin": 300_000, "sub/deep/four": 1} {
		bttest.RandomFile(t, mkdir(t, root, filepath.Dir(name)), filepath.Base(name), size)
	}
	return root
}

// formatsOf are the formats of torrents that a program knows: transmission refuses hybrids, and aria2 gets another
// infohash for them.
func formatsOf(p bttest.Program) []string {
	if p.V2 {
		return []string{bttest.V1, bttest.V1Pads, bttest.V2, bttest.Hybrid}
	}
	return []string{bttest.V1}
}

// From each program, each format, by file and by magnet.
func TestRealSeeds(t *testing.T) {
	t.Parallel()
	for _, p := range bttest.Programs() {
		for _, format := range formatsOf(p) {
			t.Run(p.Name+"/"+format, func(t *testing.T) {
				t.Parallel()
				bttest.Need(t, p.Needs)
				root := songs(t)
				torrent := bttest.MakeTorrent(t, "libtorrent", root, bttest.MakeOptions{Format: format})
				seed := p.Seed(t, torrent, filepath.Dir(root))
				t.Run("torrent", func(t *testing.T) {
					t.Parallel()
					download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{Peers: []string{seed.Addr}})
				})
				t.Run("magnet", func(t *testing.T) {
					t.Parallel()
					arg := magnet(readMetainfo(t, torrent), seed.Addr)
					c := session(t, bt.Config{Listen: "127.0.0.2"}) // transmission has one connection per address
					res := download(t, c, arg, root, bt.DownloadOptions{})
					if res.Bytes != 700_001+32<<10+300_000+1 {
						t.Errorf("%d bytes", res.Bytes)
					}
				})
			})
		}
	}
}

// Two programs hold a half each: shoal needs both at once, and each gets the other half through shoal alone.
func TestRealPairs(t *testing.T) {
	t.Parallel()
	programs := bttest.Programs()
	for i, a := range programs {
		for _, b := range programs[i:] {
			t.Run(a.Name+" and "+b.Name, func(t *testing.T) {
				t.Parallel()
				bttest.Need(t, a.Needs, b.Needs)
				const size, piece = 1_000_000, 32 << 10
				path := bttest.RandomFile(t, t.TempDir(), "song.bin", size)
				torrent := bttest.MakeTorrent(t, "libtorrent", path, bttest.MakeOptions{PieceLength: piece})
				dirA, dirB := t.TempDir(), t.TempDir()
				bttest.HalfFile(t, path, dirA, 0, 16*piece)
				bttest.HalfFile(t, path, dirB, 16*piece, size)
				clientA, clientB := a.Resume(t, torrent, dirA), b.Resume(t, torrent, dirB)
				dir := t.TempDir()
				background(t, session(t, bt.Config{}), torrent, bt.DownloadOptions{Dir: dir, Peers: []string{clientA.Addr, clientB.Addr}})
				clientA.WaitComplete(t)
				clientB.WaitComplete(t)
				for _, got := range []string{dir, dirA, dirB} {
					bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
				}
			})
		}
	}
}

// Each program fetches each format from shoal: from Client.Seed, and from a download that goes on seeding.
func TestRealLeeches(t *testing.T) {
	t.Parallel()
	for _, p := range bttest.Programs() {
		for _, format := range formatsOf(p) {
			for _, how := range []string{"seed", "download"} {
				t.Run(p.Name+"/"+format+"/"+how, func(t *testing.T) {
					t.Parallel()
					bttest.Need(t, p.Needs)
					leechFromShoal(t, p, format, how)
				})
			}
		}
	}
}

func leechFromShoal(t *testing.T, p bttest.Program, format, how string) {
	root := songs(t)
	torrent := bttest.MakeTorrent(t, "libtorrent", root, bttest.MakeOptions{Format: format})
	m := readMetainfo(t, torrent)
	got := t.TempDir()
	var leech *bttest.Client
	var dialled []string
	if !p.Dials {
		leech = p.Leech(t, torrent, got, "")
		dialled = []string{leech.Addr}
	}
	c := session(t, bt.Config{})
	if how == "seed" {
		seeded(t, c, m, root, bt.SeedOptions{Peers: dialled})
	} else {
		first := seeded(t, session(t, bt.Config{}), m, root, bt.SeedOptions{})
		background(t, c, torrent, bt.DownloadOptions{Dir: t.TempDir(), Peers: slices.Concat(first.Addrs(), dialled)})
	}
	if leech == nil {
		leech = p.Leech(t, torrent, got, c.Addr().String())
	}
	leech.WaitComplete(t)
	bttest.CompareTrees(t, filepath.Join(got, filepath.Base(root)), root)
}

// libtorrent gets the info dictionary, too, from shoal: of each format, whose hashes it then asks for.
func TestRealLeechesByMagnet(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "libtorrent")
	for _, format := range []bt.Format{bt.FormatV1, bt.FormatV2, bt.FormatHybrid} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			root := songs(t)
			m, _ := created(t, bt.CreateOptions{Path: root, Format: format})
			c := session(t, bt.Config{})
			seeded(t, c, m, root, bt.SeedOptions{})
			got := t.TempDir()
			bttest.LeechLibtorrent(t, magnet(m), got, c.Addr().String()).WaitComplete(t)
			bttest.CompareTrees(t, filepath.Join(got, "songs"), root)
		})
	}
}
