package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"shoal/bt"
	"shoal/bt/bttest"
)

// peersCmd is "peers PATH...": until the script ends each file or folder is seeded by libtorrent and by transmission,
// which announce it to an opentracker. It sets TRACKER and UDPTRACKER to that, and for the first PATH TORRENT, MAGNET and
// HASH, for the next TORRENT2 and so on.
func peersCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: peers PATH...")
	}
	t := scriptT{ts}
	hashes := make([][20]byte, len(args))
	for i, arg := range args {
		hashes[i] = madeTorrent(ts, ts.MkAbs(arg), "").InfoHash
	}
	httpURL, udpURL := bttest.OpenTracker(t, hashes...)
	ts.Setenv("TRACKER", httpURL)
	ts.Setenv("UDPTRACKER", udpURL)
	for i, arg := range args {
		path, suffix := ts.MkAbs(arg), ""
		if i > 0 {
			suffix = fmt.Sprint(i + 1)
		}
		m := madeTorrent(ts, path, httpURL)
		torrent := filepath.Join(t.TempDir(), m.Name+".torrent")
		ts.Check(os.WriteFile(torrent, m.Bytes(), 0o644))
		bttest.SeedLibtorrent(t, torrent, filepath.Dir(path))
		bttest.SeedTransmission(t, torrent, filepath.Dir(path))
		ts.Setenv("TORRENT"+suffix, torrent)
		ts.Setenv("MAGNET"+suffix, bt.MagnetOf(m, bt.MagnetOptions{}).String())
		ts.Setenv("HASH"+suffix, m.InfoHash.String())
	}
}

// foreignCmd is "foreign PROGRAM FORMAT PATH": until the script ends a program of other people seeds a file or folder, as
// a torrent of that format. It sets TORRENT, and MAGNET, which names the program's address.
func foreignCmd(ts *testscript.TestScript, neg bool, args []string) {
	programs := bttest.Programs()
	i := -1
	if len(args) == 3 {
		i = slices.IndexFunc(programs, func(p bttest.Program) bool { return p.Name == args[0] })
	}
	if neg || i < 0 {
		ts.Fatalf("usage: foreign {aria2 | libtorrent | transmission} {v1 | v2 | hybrid} PATH")
	}
	t, path := scriptT{ts}, ts.MkAbs(args[2])
	torrent := bttest.MakeTorrent(t, "libtorrent", path, bttest.MakeOptions{Format: args[1]})
	f, err := os.Open(torrent)
	ts.Check(err)
	defer f.Close()
	m, err := bt.ReadMetainfo(f)
	ts.Check(err)
	seed := programs[i].Seed(t, torrent, filepath.Dir(path))
	ts.Setenv("TORRENT", torrent)
	ts.Setenv("MAGNET", bt.MagnetOf(m, bt.MagnetOptions{Peers: []string{seed.Addr}}).String())
}

// madeTorrent is a torrent that libtorrent makes.
func madeTorrent(ts *testscript.TestScript, path, announce string) *bt.Metainfo {
	f, err := os.Open(bttest.MakeTorrent(scriptT{ts}, "libtorrent", path, bttest.MakeOptions{Announce: announce}))
	ts.Check(err)
	defer f.Close()
	m, err := bt.ReadMetainfo(f)
	ts.Check(err)
	return m
}

// havePeer reports whether a program of other people is installed; libtorrent is a module of Python.
func havePeer(name string) bool {
	if name, ok := strings.CutPrefix(name, "python3-"); ok {
		return exec.Command(bttest.Python, "-I", "-c", "import "+name).Run() == nil
	}
	_, err := exec.LookPath(name)
	return err == nil
}
