package bt

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt/bttest"
)

// Torrents with v2 hashes alone come by magnet as fast as others: the piece layers are asked for first, also those of
// two files that are the same (issue 2).
func TestMagnetOfV2IsNotSlow(t *testing.T) {
	for name, sizes := range map[string]map[string]int{
		"same files":    {"a": 3 << 20, "b": 3 << 20, "empty": 0},
		"many pieces":   {"a": 20 << 20, "b": 1},
		"small between": {"a": 1, "b": 1, "c": 50_000, "d": 1, "e": 70_000},
	} {
		t.Run(name, func(t *testing.T) {
			dir, got := t.TempDir(), t.TempDir()
			writeSizes(t, filepath.Join(dir, "a"), sizes)
			m, err := Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "a"), Format: FormatV2, PieceLength: 32 << 10})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
			defer cancel()
			if _, err := unkicked(t).Download(ctx, magnetOf(t, m, seedAt(t, m, dir)), DownloadOptions{Dir: got}); err != nil {
				t.Fatal(err)
			}
			sameTree(t, dir, got)
		})
	}
}

// What came by magnet is known the next time, and can be judged when it was touched; the .torrent that is saved is whole.
func TestMagnetAgain(t *testing.T) {
	for _, c := range []struct {
		format  Format
		by      string
		touched bool
	}{{FormatV1, "v1", true}, {FormatV2, "v2", false}, {FormatV2, "v2", true}, {FormatHybrid, "v1", false}, {FormatHybrid, "v2", false}} {
		t.Run(string(c.format)+" by "+c.by, func(t *testing.T) {
			m, dir, peer := seedAlbum(t, c.format)
			got, state := t.TempDir(), t.TempDir()
			saved := filepath.Join(state, "saved.torrent")
			src := magnetOf(t, m, peer)
			if c.by == "v2" {
				src.Magnet.InfoHash = InfoHash{}
			}
			opts := DownloadOptions{Dir: got, Resume: state, SaveTorrent: saved}
			if _, err := local(t).Download(t.Context(), src, opts); err != nil {
				t.Fatal(err)
			}
			if c.touched {
				touchAll(t, got)
			}
			again := local(t)
			if _, err := again.Download(t.Context(), src, opts); err != nil {
				t.Fatal(err)
			}
			if again.Addr() != nil {
				t.Error("the second run opened a socket")
			}
			sameTree(t, dir, got)
			b, err := os.ReadFile(saved)
			if err != nil {
				t.Fatal(err)
			}
			if m, err = ParseMetainfo(b); err != nil {
				t.Fatal(err)
			}
			seedAt(t, m, got)
		})
	}
}

func touchAll(t *testing.T, dir string) {
	t.Helper()
	now := time.Now()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(path, now, now))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A .torrent without the piece layers that its files need is one that peers must complete (BEP 52).
func TestTorrentWithoutLayers(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatV2)
	bare, err := MetainfoFromInfo(m.InfoBytes)
	if err != nil {
		t.Fatal(err)
	}
	got := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	if _, err := unkicked(t).Download(ctx, sourceOf(t, bare), DownloadOptions{Dir: got, Peers: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, dir, got)
}

// A magnet is not believed to be remembered by the metainfo of another torrent.
func TestRememberedOfAnother(t *testing.T) {
	m, _, _ := seedAlbum(t, FormatV1)
	other, state := &Magnet{InfoHash: InfoHash{1}}, t.TempDir()
	if err := m.Save(memoryPath(state, other.short())); err != nil {
		t.Fatal(err)
	}
	if m, err := local(t).known(t.Context(), &Source{Magnet: other}, state, LoadOptions{}); m != nil || err != nil {
		t.Errorf("known: %v, %v", m, err)
	}
}

// A torrent of nothing but empty files has no pieces.
func TestNoPieces(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		for _, by := range []string{"torrent", "magnet"} {
			t.Run(string(format)+" by "+by, func(t *testing.T) {
				t.Parallel()
				dir, got := t.TempDir(), t.TempDir()
				writeSizes(t, filepath.Join(dir, "a"), map[string]int{"x": 0, "s/y": 0})
				m, err := Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "a"), Format: format, PieceLength: 32 << 10})
				if err != nil {
					t.Fatal(err)
				}
				seedAt(t, m, dir)
				c, src := local(t), sourceOf(t, m)
				if by == "magnet" {
					src = magnetOf(t, m, "127.0.0.1:1")
				}
				_, err = c.Download(t.Context(), src, DownloadOptions{Dir: got, SeedTime: time.Millisecond, Progress: func(p Progress) {
					if p.State == "metadata" { // seeds of the library take no connections for such a torrent
						c.byTorrent.Range(func(_, w any) bool { return w.(*swarm).lib.SetInfoBytes(m.InfoBytes) == nil })
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				sameTree(t, dir, got)
			})
		}
	}
}

// unkicked is a local client that fails the test when a download stood still and was kicked.
func unkicked(t *testing.T) *Client {
	t.Helper()
	c, err := NewClient(t.Context(), Config{Listen: "127.0.0.1", NoDHT: true, Logger: slog.New(kickSpy{slog.DiscardHandler, t})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type kickSpy struct {
	slog.Handler
	t *testing.T
}

func (kickSpy) Enabled(context.Context, slog.Level) bool { return true }

func (s kickSpy) Handle(_ context.Context, r slog.Record) error {
	if r.Message == kickMessage {
		s.t.Error(r.Message)
	}
	return nil
}

func (s kickSpy) WithAttrs([]slog.Attr) slog.Handler { return s }
func (s kickSpy) WithGroup(string) slog.Handler      { return s }
