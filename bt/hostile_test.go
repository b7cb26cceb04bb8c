package bt_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// client is a session of the engine that looks for nobody by itself.
func client(t *testing.T) *bt.Client {
	t.Helper()
	c, err := bt.NewClient(t.Context(), bt.Config{Listen: "127.0.0.1", NoDHT: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func source(t *testing.T, arg string) *bt.Source {
	t.Helper()
	src, err := bt.ParseSource(arg)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// get downloads arg and compares what arrived with the content.
func get(t *testing.T, content *bttest.Content, arg string, opts bt.DownloadOptions) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	opts.Dir = t.TempDir()
	if _, err := client(t).Download(ctx, source(t, arg), opts); err != nil {
		t.Errorf("downloading: %v", err)
		return
	}
	bttest.CompareTrees(t, filepath.Join(opts.Dir, filepath.Base(content.Path())), content.Path())
}

// byOccasion groups the behaviours by what the engine must do for them.
func byOccasion(when bttest.When) (some []bttest.Behaviour) {
	for _, b := range bttest.Behaviours() {
		if b.When == when {
			some = append(some, b)
		}
	}
	return some
}

// Whatever peers do, nothing crashes, no wrong byte stays, and the good peer's data arrives.
func TestHostilePeersToLeech(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 2_000_000)
	for n, some := range slices.Collect(slices.Chunk(byOccasion(bttest.Always), 24)) {
		for _, from := range []string{torrent, content.Magnet()} {
			t.Run(fmt.Sprint(n, filepath.Ext(from)), func(t *testing.T) {
				t.Parallel()
				against(t, content, from, some)
			})
		}
	}
	for n, some := range slices.Collect(slices.Chunk(byOccasion(bttest.OnMetadata), 8)) {
		t.Run(fmt.Sprint("metadata", n), func(t *testing.T) {
			t.Parallel()
			against(t, content, content.Magnet(), some)
		})
	}
	for _, b := range byOccasion(bttest.OnRequest) {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			against(t, content, torrent, []bttest.Behaviour{b})
		})
	}
}

// against downloads with hostile peers around; the good one comes when each of them has come to its point.
func against(t *testing.T, content *bttest.Content, from string, some []bttest.Behaviour) {
	var peers []*bttest.HostilePeer
	var addrs []string
	for _, b := range some {
		stingy := b.When == bttest.Always // else all may have come before the last of them is met
		p := &bttest.HostilePeer{Content: content, Behaviour: b, NoMetadata: stingy, NoBlocks: stingy}
		peers = append(peers, p)
		addrs = append(addrs, p.Listen(t))
	}
	link := bttest.NewLink(t, bttest.Honest(t, content).Listen(t))
	link.SetDown(true)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer link.SetDown(false)
		deadline := time.After(bttest.Patience)
		for _, p := range peers {
			select {
			case <-p.Struck():
			case <-deadline:
				t.Errorf("%q did not come to its point", p.Behaviour.Name)
				return
			}
		}
	})
	// An engine may try those that say nothing again and again, so the good one is dialled like all others.
	get(t, content, from, bt.DownloadOptions{Peers: append(addrs, link.Addr)})
}

// A seeding session bears every behaviour, and serves an honest leech in the end.
func TestHostilePeersToSeed(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 200_000)
	b, err := os.ReadFile(torrent)
	if err != nil {
		t.Fatal(err)
	}
	m, err := bt.ParseMetainfo(b)
	if err != nil {
		t.Fatal(err)
	}
	s, err := client(t).Seed(t.Context(), m, bt.SeedOptions{Dir: filepath.Dir(content.Path())})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr := s.Addrs()[0]
	t.Run("all", func(t *testing.T) {
		for _, b := range byOccasion(bttest.Always) {
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				p := &bttest.HostilePeer{Content: content, Behaviour: b}
				ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- p.DialLeech(ctx, addr) }()
				select {
				case <-p.Struck():
				case <-ctx.Done():
					t.Error("did not come to its point")
				}
				p.HangUp()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	})
	content.Fetch(t.Context(), t, addr)
}

// A peer that rejects one request and then serves must not stop the download, when there is no other.
func TestRejectDoesNotStall(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 500_000)
	for _, b := range byOccasion(bttest.OnRequest) {
		if b.Name == "rejects the first request" {
			p := &bttest.HostilePeer{Content: content, Behaviour: b}
			get(t, content, torrent, bt.DownloadOptions{Peers: []string{p.Listen(t)}})
			return
		}
	}
	t.Fatal("there is no such behaviour")
}

// A peer that is lost is dialled again, soon when it was of use.
func TestRedial(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 2_000_000)
	link := bttest.NewLink(t, bttest.Honest(t, content).Listen(t))
	link.CutAfter(800_000)
	get(t, content, torrent, bt.DownloadOptions{Peers: []string{link.Addr}})
}

// Hostile trackers do not keep peers from being found at the next one.
func TestHostileTrackersToDownload(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 100_000)
	good := bttest.PeerList(t, bttest.Honest(t, content).Listen(t))
	bad := map[string]string{} // URLs by name
	for _, b := range bttest.HTTPTrackers() {
		bad[b.Name] = b.Start(t, nil).URL + "announce"
	}
	for _, b := range bttest.UDPTrackers() {
		bad["udp "+b.Name] = b.Start(t).URL
	}
	// Most of the time goes by until the next tracker is asked: some dozen wait at once.
	for i, names := range slices.Collect(slices.Chunk(slices.Sorted(maps.Keys(bad)), 24)) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
			defer cancel()
			var wg sync.WaitGroup
			got := t.TempDir()
			for i, name := range names {
				c, src := client(t), source(t, torrent)
				wg.Go(func() {
					_, err := c.Download(ctx, src, bt.DownloadOptions{Dir: filepath.Join(got, fmt.Sprint(i)), Trackers: []string{bad[name], good}})
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			wg.Wait()
			for i := range names {
				bttest.CompareTrees(t, filepath.Join(got, fmt.Sprint(i), "song.bin"), content.Path())
			}
		})
	}
}

// Webseeds that give right bytes in an odd way are enough; the others do no harm beside a good peer.
func TestHostileWebseeds(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 1_500_000)
	enough := []string{"ignores ranges", "sends more than asked for", "no Content-Range"}
	for _, b := range bttest.Webseeds() {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			s := b.Start(t, content)
			opts := bt.DownloadOptions{Webseeds: []string{s.URL + "song.bin"}}
			if !slices.Contains(enough, b.Name) {
				link := bttest.NewLink(t, bttest.Honest(t, content).Listen(t))
				link.SetDown(true)
				go func() {
					select {
					case <-s.Struck():
					case <-t.Context().Done():
					}
					link.SetDown(false)
				}()
				opts.Peers = []string{link.Addr}
			}
			get(t, content, torrent, opts)
		})
	}
}
