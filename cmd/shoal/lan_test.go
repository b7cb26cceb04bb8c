package main

import (
	"path/filepath"
	"testing"

	"shoal/bt/bttest"
)

// One paste is enough on a LAN: of two machines on a cable one serves, and the other has only the magnet.
func TestMagnetIsEnough(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"peer":     {"serve", "-q"},
		"services": {"serve", "-q", "--tracker-listen", ":6969", "--http", ":8080", "--until-copies", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hosts := bttest.TwoHosts(t)
			path := bttest.RandomFile(t, t.TempDir(), "song.bin", 3_000_000)
			env := []string{"SHOAL_NO_DHT=1", "SHOAL_HOME=" + t.TempDir(), "SHOAL_TIMEOUT=30s", "shoal"}
			seed := hosts[0].Start(t, "env", append(append(env, flags...), path)...)
			magnet := "magnet:" + seed.WaitLine(t, "magnet:")
			got := t.TempDir()
			leech := hosts[1].Start(t, "env", append(env, "download", "-d", got, magnet)...)
			if status := leech.Wait(t); status != 0 {
				t.Fatalf("status %d: %s\n%s", status, magnet, leech.Output())
			}
			bttest.CompareTrees(t, filepath.Join(got, "song.bin"), path)
			if name == "services" && seed.Wait(t) != 0 {
				t.Errorf("serving ended: %s", seed.Output())
			}
		})
	}
}
