package bt_test

import (
	"os"
	"path/filepath"
	"testing"

	"shoal/bt"
	"shoal/bt/bttest"
)

// Two machines on a cable, without any other network, find each other by local peer discovery (BEP 14).
func TestRealLPD(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  func(bttest.Host) bt.Config
	}{
		{"all addresses", func(bttest.Host) bt.Config { return bt.Config{} }},
		{"address", func(h bttest.Host) bt.Config { return bt.Config{Listen: h.IPv4} }},
		{"IPv6 address", func(h bttest.Host) bt.Config { return bt.Config{Listen: h.IPv6} }},
		{"interface", func(h bttest.Host) bt.Config { return bt.Config{Interface: h.Interface} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hosts := bttest.TwoHosts(t)
			_, torrent, path := single(t, 300_000, bt.CreateOptions{})
			start := func(h bttest.Host, job child) *bttest.Process {
				job.Config, job.Torrent = tt.cfg(h), torrent
				job.Config.LPD, job.Config.NoDHT = true, true
				return h.Start(t, "env", job.env(t), testBinary(t))
			}
			got := t.TempDir()
			start(hosts[0], child{Dir: filepath.Dir(path), Seed: true}).WaitLine(t, "listening")
			leech := start(hosts[1], child{Dir: got})
			if status := leech.Wait(t); status != 0 {
				t.Fatalf("status %d: %s", status, leech.Output())
			}
			bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
		})
	}
}

func testBinary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
