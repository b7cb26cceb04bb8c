package bttest_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"shoal/bt/bttest"
)

// The behaviours are tried on an engine that is known to bear them: what arrives is the good peer's data.

func TestBehavioursAgainstLeech(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 2_000_000)
	var always []bttest.Behaviour
	for _, b := range bttest.Behaviours() {
		if b.When == bttest.Always {
			always = append(always, b)
		}
	}
	for some := range slices.Chunk(always, 16) {
		for _, source := range []string{torrent, content.Magnet()} {
			got := t.TempDir()
			leech := bttest.LeechLibtorrent(t, source, got, "")
			var wg sync.WaitGroup
			for _, b := range some {
				p := &bttest.HostilePeer{Content: content, Behaviour: b, NoMetadata: true}
				t.Cleanup(p.Close)
				wg.Go(func() { keepDialling(t.Context(), p, leech.Addr) })
				waitStruck(t, p)
			}
			finish(t, content, leech, got)
			leech.Kill()
			wg.Wait()
		}
	}
}

func TestBehavioursOnRequest(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 2_000_000)
	for _, b := range bttest.Behaviours() {
		if b.When == bttest.Always {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			p := &bttest.HostilePeer{Content: content, Behaviour: b}
			source := torrent
			if b.When == bttest.OnMetadata {
				source = content.Magnet()
			}
			got := t.TempDir()
			leech := bttest.LeechLibtorrent(t, source, got, "")
			t.Cleanup(p.Close)
			go keepDialling(t.Context(), p, leech.Addr)
			waitStruck(t, p)
			if b.When == bttest.OnRequest { // libtorrent waits minutes after metadata that failed
				finish(t, content, leech, got)
			}
		})
	}
}

func TestBehavioursAgainstSeed(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 200_000)
	seed := bttest.SeedLibtorrent(t, torrent, filepath.Dir(content.Path()))
	for _, b := range bttest.Behaviours() {
		if b.When != bttest.Always {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			p := &bttest.HostilePeer{Content: content, Behaviour: b}
			ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- p.DialLeech(ctx, seed.Addr) }()
			waitStruck(t, p)
			p.HangUp()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	content.Fetch(t.Context(), t, seed.Addr)
}

func TestNamesOfBehaviours(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, b := range bttest.Behaviours() {
		if seen[b.Name] {
			t.Errorf("there are two called %q", b.Name)
		}
		seen[b.Name] = true
	}
	if len(seen) < 150 {
		t.Errorf("%d behaviours", len(seen))
	}
}

// keepDialling connects again until the behaviour came to its point: whom an engine dials, and when, is its own affair, and
// it may have no room for us now.
func keepDialling(ctx context.Context, p *bttest.HostilePeer, addr string) {
	ctx, cancel := context.WithTimeout(ctx, bttest.Patience)
	defer cancel()
	for p.Dial(ctx, addr) == nil {
		select {
		case <-p.Struck():
			return
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func waitStruck(t *testing.T, p *bttest.HostilePeer) {
	t.Helper()
	select {
	case <-p.Struck():
	case <-time.After(bttest.Patience):
		t.Fatalf("%q did not come to its point", p.Behaviour.Name)
	}
}

// finish lets a good peer dial the leech, which must then complete.
func finish(t *testing.T, content *bttest.Content, leech *bttest.Client, got string) {
	t.Helper()
	good := bttest.Honest(t, content)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- good.Dial(ctx, leech.Addr) }()
	leech.WaitComplete(t)
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) { // it may be complete already
		t.Error(err)
	}
	bttest.CompareTrees(t, filepath.Join(got, "song.bin"), content.Path())
}
