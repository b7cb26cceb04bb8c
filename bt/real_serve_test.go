package bt_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// A service is a Serve that runs.
type service struct {
	events  chan bt.ServeEvent
	serving bt.ServeEvent // the first item
	over    chan error
	stop    context.CancelFunc
}

// serve starts to serve, on loopback, and returns when the first item is told of.
func serve(t *testing.T, opts bt.ServeOptions) *service {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &service{events: make(chan bt.ServeEvent, 1000), over: make(chan error, 1), stop: cancel}
	opts.Event = func(e bt.ServeEvent) error {
		s.events <- e
		return nil
	}
	c := session(t, bt.Config{})
	go func() {
		s.over <- c.Serve(ctx, opts)
		close(s.over)
	}()
	t.Cleanup(func() {
		cancel()
		for range s.over {
		}
	})
	s.serving = s.wait(t, "serving")
	return s
}

// wait returns the next event, which must be of a kind.
func (s *service) wait(t *testing.T, kind string) bt.ServeEvent {
	t.Helper()
	select {
	case e := <-s.events:
		if e.Event != kind {
			t.Fatalf("event %s (%v), want %s", e.Event, e.Err, kind)
		}
		return e
	case <-time.After(bttest.Patience):
		t.Fatalf("no event %s", kind)
	}
	return bt.ServeEvent{}
}

// trackerOf is the tracker of a kind that a magnet names.
func trackerOf(t *testing.T, magnet, scheme string) string {
	t.Helper()
	g, err := bt.ParseMagnet(magnet)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range g.Trackers {
		if strings.HasPrefix(u, scheme+":") {
			return u
		}
	}
	t.Fatalf("no %s tracker in %s", scheme, magnet)
	return ""
}

// Each program finds the seed, or is found by it, through the tracker of serve alone, and is counted as a copy.
func TestRealServeTracker(t *testing.T) {
	t.Parallel()
	for _, p := range bttest.Programs() {
		for _, scheme := range []string{"http", "udp"} {
			if p.Name == "aria2" && scheme == "udp" {
				continue // asks no UDP tracker while its DHT is off
			}
			t.Run(p.Name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				bttest.Need(t, p.Needs)
				root, torrents := songs(t), t.TempDir()
				s := serve(t, bt.ServeOptions{Items: []string{root}, TrackerListen: ":0", TorrentDir: torrents, UntilCopies: 1})
				m := readMetainfo(t, s.serving.Torrent)
				m.Trackers = [][]string{{trackerOf(t, s.serving.Magnet, scheme)}}
				got := t.TempDir()
				leech := p.Leech(t, saved(t, m), got, "")
				leech.WaitComplete(t)
				bttest.CompareTrees(t, filepath.Join(got, "songs"), root)
				if e := s.wait(t, "copy"); e.Copies != 1 || e.Uploaded < m.Length {
					t.Errorf("%+v", e.ServeTotals)
				}
				if e := s.wait(t, "stopped"); e.Reason != "copies" {
					t.Errorf("ended for %s", e.Reason)
				}
				if err := <-s.over; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Programs fetch from the web server of serve alone, folders and single files.
func TestRealServeWeb(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"aria2", "libtorrent", "shoal"} {
		for _, item := range []string{"songs", "songs/one.bin"} {
			t.Run(name+"/"+item, func(t *testing.T) {
				t.Parallel()
				root, torrents := filepath.Join(filepath.Dir(songs(t)), item), t.TempDir()
				if _, err := os.Stat(root); err != nil {
					t.Fatal(err)
				}
				s := serve(t, bt.ServeOptions{Items: []string{root}, HTTPListen: "127.0.0.1:0", TorrentDir: torrents})
				m := readMetainfo(t, s.serving.Torrent)
				if len(m.Webseeds) != 1 || len(m.Trackers) != 0 {
					t.Fatalf("webseeds %v, trackers %v", m.Webseeds, m.Trackers)
				}
				got := t.TempDir()
				switch name {
				case "aria2":
					bttest.LeechAria2(t, s.serving.Torrent, got, "").WaitComplete(t)
				case "libtorrent":
					bttest.LibtorrentWith(t, s.serving.Torrent, got, "", "ssrf_mitigation=0").WaitComplete(t)
				default:
					download(t, session(t, bt.Config{}), s.serving.TorrentURL, root, bt.DownloadOptions{Dir: got})
				}
				bttest.CompareTrees(t, filepath.Join(got, filepath.Base(root)), root)
				if e := s.wait(t, "copy"); e.Copies != 1 {
					t.Errorf("%+v", e.ServeTotals)
				}
				s.stop()
				e := s.wait(t, "stopped")
				if err := <-s.over; !errors.Is(err, context.Canceled) || e.Reason != "interrupted" || e.Uploaded < m.Length {
					t.Errorf("%+v, %v", e.ServeTotals, err)
				}
			})
		}
	}
}

// Over IPv6 too: the tracker listens there, names the seed there, and its peers.
func TestServeIPv6(t *testing.T) {
	t.Parallel()
	root := songs(t)
	c := session(t, bt.Config{Listen: "::1"})
	ctx, cancel := context.WithCancel(t.Context())
	magnets, over := make(chan string, 1), make(chan error, 1)
	go func() {
		over <- c.Serve(ctx, bt.ServeOptions{Items: []string{root}, TrackerListen: ":0", Event: func(e bt.ServeEvent) error {
			if e.Event == "serving" {
				magnets <- e.Magnet
			}
			return nil
		}})
	}()
	t.Cleanup(func() { cancel(); <-over })
	g, err := bt.ParseMagnet(<-magnets)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := netip.ParseAddrPort(g.Peers[0]); err != nil || a.Addr() != netip.IPv6Loopback() {
		t.Errorf("peers %v", g.Peers)
	}
	g.Peers = nil
	for _, u := range g.Trackers {
		g.Trackers = []string{u}
		download(t, session(t, bt.Config{Listen: "::1"}), g.String(), root, bt.DownloadOptions{})
	}
}

// What changes is withdrawn: peers get no byte of it any more, and the rest is served on.
func TestServeWithdraws(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := bttest.RandomFile(t, dir, "one.bin", 300_000), bttest.RandomFile(t, dir, "two.bin", 300_000)
	s := serve(t, bt.ServeOptions{Items: []string{one, two}, TrackerListen: ":0", HTTPListen: ":0"})
	second := s.wait(t, "serving")
	if err := os.WriteFile(one, make([]byte, 300_000), 0o644); err != nil {
		t.Fatal(err)
	}
	c := session(t, bt.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	_, err := c.Download(ctx, source(t, s.serving.Magnet), bt.DownloadOptions{Dir: t.TempDir(), StallTimeout: 2 * time.Second})
	if code := bt.CodeOf(err); code != bt.Stalled && code != bt.NoPeers {
		t.Errorf("fetching what has changed: %v", err)
	}
	if e := s.wait(t, "withdrawn"); e.Source != one || bt.CodeOf(e.Err) != bt.Damaged {
		t.Errorf("%+v", e)
	}
	if resp, err := c.HTTP().Get(s.serving.TorrentURL); err != nil || resp.StatusCode != 404 {
		t.Errorf("%v, %v", resp, err)
	}
	download(t, session(t, bt.Config{}), second.Magnet, two, bt.DownloadOptions{})
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	for e := range s.events { // within seconds, and though nobody asks for it
		if e.Event == "stopped" {
			if e.Reason != "withdrawn" {
				t.Errorf("ended for %s", e.Reason)
			}
			break
		}
	}
	if err := <-s.over; bt.CodeOf(err) != bt.Damaged {
		t.Error(err)
	}
}
