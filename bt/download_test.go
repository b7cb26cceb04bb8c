package bt

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt/bttest"
)

// local is a session that talks to nobody but who it is told.
func local(t testing.TB) *Client {
	t.Helper()
	c, err := NewClient(t.Context(), Config{Listen: "127.0.0.1", NoDHT: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// writeSizes writes files of pseudo-random bytes below dir, sizes by path.
func writeSizes(t testing.TB, dir string, sizes map[string]int) {
	t.Helper()
	for name, size := range sizes {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, size)
		rnd := rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16), byte(len(name))})
		rnd.Read(b)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sameTree compares two folders byte for byte, names included.
func sameTree(t testing.TB, want, got string) {
	t.Helper()
	list := func(root string) map[string]string {
		m := map[string]string{}
		err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			rel, _ := filepath.Rel(root, path)
			m[rel] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	w, g := list(want), list(got)
	for name, b := range w {
		if g[name] != b {
			t.Errorf("%s differs or is missing (%d bytes, want %d)", name, len(g[name]), len(b))
		}
	}
	for name := range g {
		if _, ok := w[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

var albumSizes = map[string]int{
	"one.bin": 3<<20 + 17, "two.bin": 1 << 20, "sub/three.bin": 700_001, "sub/empty": 0, "sub/deep/four": 1, "z": 16 << 10,
}

// seedAlbum is a folder torrent of a format, and a session that seeds it.
func seedAlbum(t testing.TB, format Format) (m *Metainfo, dir, peer string) {
	t.Helper()
	m, dir = makeAlbum(t, format)
	return m, dir, seedAt(t, m, dir)
}

func makeAlbum(t testing.TB, format Format) (m *Metainfo, dir string) {
	t.Helper()
	dir = t.TempDir()
	writeSizes(t, filepath.Join(dir, "album"), albumSizes)
	m, err := Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "album"), Format: format, PieceLength: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return m, dir
}

func seedAt(t testing.TB, m *Metainfo, dir string) string {
	t.Helper()
	s, err := local(t).Seed(t.Context(), m, SeedOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Addrs()[0]
}

func sourceOf(t testing.TB, m *Metainfo) *Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.torrent")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	src, err := ParseSource(path)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func magnetOf(t testing.TB, m *Metainfo, peer string) *Source {
	t.Helper()
	g := MagnetOf(m, MagnetOptions{})
	g.Peers = []string{peer}
	src, err := ParseSource(g.String())
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestDownloadFormats(t *testing.T) {
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		for _, by := range []string{"torrent", "magnet"} {
			t.Run(string(format)+"/"+by, func(t *testing.T) {
				m, dir, peer := seedAlbum(t, format)
				src := sourceOf(t, m)
				if by == "magnet" {
					src = magnetOf(t, m, peer)
				}
				got := t.TempDir()
				ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
				defer cancel()
				res, err := local(t).Download(ctx, src, DownloadOptions{Dir: got, Peers: []string{peer}})
				if err != nil {
					t.Fatal(err)
				}
				sameTree(t, dir, got)
				if res.Bytes != m.Length || res.InfoHash == "" && res.InfoHashV2 == "" || len(res.Files) != len(albumSizes) {
					t.Errorf("result %+v", res)
				}
			})
		}
	}
}

func TestDownloadAgainIsOffline(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatV1)
	got, state := t.TempDir(), t.TempDir()
	if _, err := local(t).Download(t.Context(), magnetOf(t, m, peer), DownloadOptions{Dir: got, Resume: state}); err != nil {
		t.Fatal(err)
	}
	c := local(t)
	if _, err := c.Download(t.Context(), magnetOf(t, m, "127.0.0.1:1"), DownloadOptions{Dir: got, Resume: state}); err != nil {
		t.Fatal(err)
	}
	if c.Addr() != nil {
		t.Error("the second run opened a socket")
	}
	sameTree(t, dir, got)
}

func TestDownloadSelection(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatV1)
	got := t.TempDir()
	_, err := local(t).Download(t.Context(), sourceOf(t, m), DownloadOptions{
		Dir: got, Peers: []string{peer}, Select: Selection{Include: []string{"sub/**"}, Exclude: []string{"empty"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one.bin", "two.bin", "sub/empty", "z"} {
		os.Remove(filepath.Join(dir, "album", name))
	}
	sameTree(t, dir, got)
}

func TestDownloadStream(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatHybrid)
	var want, got bytes.Buffer
	for _, f := range m.Files {
		b, err := os.ReadFile(filepath.Join(dir, "album", f.Path))
		if err != nil {
			t.Fatal(err)
		}
		want.Write(b)
	}
	if _, err := local(t).Download(t.Context(), sourceOf(t, m), DownloadOptions{Stream: &got, Peers: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Error("the stream differs")
	}
	got.Reset()
	if _, err := local(t).Download(t.Context(), sourceOf(t, m), DownloadOptions{Stream: &got, Tar: true, Peers: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(&got)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(tr)
		w, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(h.Name)))
		if err != nil || !bytes.Equal(b, w) {
			t.Errorf("%s differs: %v", h.Name, err)
		}
	}
}

func TestDownloadGivesUp(t *testing.T) {
	t.Parallel()
	m, _, _ := seedAlbum(t, FormatV1)
	tests := []struct {
		name string
		src  *Source
		opts DownloadOptions
		want Code
	}{
		{"nowhere to look", sourceOf(t, m), DownloadOptions{}, NoPeers},
		{"no metadata", magnetOf(t, m, "127.0.0.1:1"), DownloadOptions{MetadataTimeout: time.Second}, NoPeers},
		{"no data", sourceOf(t, m), DownloadOptions{Peers: []string{"127.0.0.1:1"}, StallTimeout: time.Second}, NoPeers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.opts.Dir = t.TempDir()
			_, err := local(t).Download(t.Context(), tt.src, tt.opts)
			if CodeOf(err) != tt.want {
				t.Errorf("code %q, want %q: %v", CodeOf(err), tt.want, err)
			}
			filepath.WalkDir(tt.opts.Dir, func(path string, e os.DirEntry, err error) error {
				if info, _ := e.Info(); !e.IsDir() && (e.Name() != "empty" || info.Size() > 0) {
					t.Errorf("left behind: %s", path)
				}
				return err
			})
		})
	}
}

func TestDownloadInterrupted(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatV1)
	got, state := t.TempDir(), t.TempDir()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := local(t).Download(ctx, sourceOf(t, m), DownloadOptions{
		Dir: got, Resume: state, Peers: []string{peer},
		Event: func(e Event) {
			if e.Kind == "file" {
				cancel(stop)
			}
		},
	})
	if err != nil && !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := local(t).Download(t.Context(), sourceOf(t, m), DownloadOptions{Dir: got, Resume: state, Peers: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, dir, got)
}

func TestDemo(t *testing.T) {
	res, err := Demo(t.Context(), DemoOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Verified || res.Bytes == 0 {
		t.Errorf("%+v", res)
	}
}

// uTP and the DHT share the UDP side of the session's port, beside TCP.
func TestDownloadUTP(t *testing.T) {
	dir := t.TempDir()
	// Little, for the library's uTP does a few packets a second on a machine of one core.
	writeSizes(t, filepath.Join(dir, "album"), map[string]int{"a": 30_000, "b": 10})
	m, err := Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "album"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Listen: "127.0.0.1", UTP: true, DHTNodes: []string{"127.0.0.1:1"}}
	seeder, err := NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer seeder.Close()
	s, err := seeder.Seed(t.Context(), m, SeedOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// Nobody accepts TCP any more, so that what arrives came over uTP.
	seeder.sess.listen.Close()
	leech, err := NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer leech.Close()
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	got := t.TempDir()
	if _, err := leech.Download(ctx, sourceOf(t, m), DownloadOptions{Dir: got, Peers: s.Addrs()}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, dir, got)
}
