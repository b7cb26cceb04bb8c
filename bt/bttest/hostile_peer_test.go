package bttest_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
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
			var peers []*bttest.HostilePeer
			var addrs []string
			for _, b := range some {
				p := &bttest.HostilePeer{Content: content, Behaviour: b, NoMetadata: true}
				peers = append(peers, p)
				addrs = append(addrs, p.Listen(t))
			}
			got := t.TempDir()
			leech := bttest.LeechLibtorrent(t, source, got, strings.Join(addrs, ","))
			for _, p := range peers {
				waitStruck(t, p)
			}
			finish(t, content, leech, got)
			leech.Kill()
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
			leech := bttest.LeechLibtorrent(t, source, got, p.Listen(t))
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

func waitStruck(t *testing.T, p *bttest.HostilePeer) {
	t.Helper()
	select {
	case <-p.Struck():
	case <-time.After(15 * time.Second):
		t.Errorf("%q did not come to its point", p.Behaviour.Name)
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
