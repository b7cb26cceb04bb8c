package bt_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/bt"
	"shoal/bt/bttest"
)

// leaves fails the test unless all goroutines that it started end soon after what was closed.
func leaves(t *testing.T, before goleak.Option) {
	t.Helper()
	options := []goleak.Option{before} // The library's node answers to its last queries, or gives them up, some seconds after it was closed.

	var err error
	for deadline := time.Now().Add(bttest.Patience); time.Now().Before(deadline); {
		if err = goleak.Find(options...); err == nil {
			return
		}
	}
	t.Error(err)
}

// After Client.Close nothing runs on. Not parallel: others' goroutines would count.
func TestRealLeaks(t *testing.T) {
	m, torrent, path := single(t, 300_000, bt.CreateOptions{})
	root := songs(t)
	_, webTorrent := created(t, bt.CreateOptions{Path: root, Webseeds: []string{webserver(t, root, noRanges)}})
	tracker := bttest.NewTracker(t)
	node := dhtNode(t)
	seed := session(t, bt.Config{})
	seeded(t, seed, m, path, bt.SeedOptions{Trackers: []string{tracker.HTTP}})
	tracker.Wait(t, func(a []bttest.Announce) bool { return len(a) > 0 }) // its connection is there from now on
	peers := []string{seed.Addr().String()}
	tests := []struct {
		name string
		cfg  bt.Config
		arg  string
		want string
		opts bt.DownloadOptions
	}{
		{"plain", bt.Config{}, torrent, path, bt.DownloadOptions{Peers: peers}},
		{"magnet", bt.Config{}, magnet(m, peers...), path, bt.DownloadOptions{}},
		{"trackers", bt.Config{}, torrent, path, bt.DownloadOptions{Trackers: []string{tracker.HTTP, tracker.UDP, "http://127.0.0.1:1/a"}}},
		{"webseed", bt.Config{}, webTorrent, root, bt.DownloadOptions{}},
		{"DHT", bt.Config{DHTNodes: []string{node}}, torrent, path, bt.DownloadOptions{Peers: peers}},
		{"LPD", bt.Config{LPD: true}, torrent, path, bt.DownloadOptions{Peers: peers}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			c, other := session(t, tt.cfg), session(t, bt.Config{})
			download(t, c, tt.arg, tt.want, tt.opts)
			s := seeded(t, c, m, copied(t, path), bt.SeedOptions{Trackers: tt.opts.Trackers})
			download(t, other, torrent, path, bt.DownloadOptions{Peers: s.Addrs()})
			for range 2 {
				c.Close()
				other.Close()
			}
			s.Close()
			leaves(t, before)
		})
	}
	t.Run("gives up", func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		c := session(t, bt.Config{DHTNodes: []string{node}})
		_, err := c.Download(t.Context(), source(t, torrent), bt.DownloadOptions{
			Dir: filepath.Join(t.TempDir(), "x"), Peers: []string{"127.0.0.1:1"}, StallTimeout: time.Second,
		})
		if err == nil {
			t.Error("found somebody")
		}
		c.Close()
		leaves(t, before)
	})
}
