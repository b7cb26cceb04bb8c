package bt_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
)

// webserver serves the folder that holds path, after what wrap makes of it.
func webserver(t *testing.T, path string, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	h := http.FileServer(http.Dir(filepath.Dir(path)))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// noRanges answers every request with the whole file.
func noRanges(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Range")
		h.ServeHTTP(w, r)
	})
}

// dying sends the half of each answer.
func dying(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		for key, value := range rec.Header() {
			w.Header()[key] = value
		}
		w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:(rec.Body.Len()+1)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// lying changes a byte in the first piece of each answer.
func lying(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		b := bytes.Clone(rec.Body.Bytes())
		for i := 100; i < len(b); i += 16 << 10 {
			b[i]++
		}
		for key, value := range rec.Header() {
			w.Header()[key] = value
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(b)
	})
}

func TestRealWebseeds(t *testing.T) {
	t.Parallel()
	wraps := map[string]func(http.Handler) http.Handler{"ranges": nil, "no ranges": noRanges, "dying": dying}
	for name, wrap := range wraps {
		for _, format := range []bt.Format{bt.FormatV1, bt.FormatHybrid} {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				t.Parallel()
				root := songs(t)
				_, torrent := created(t, bt.CreateOptions{Path: root, Format: format, Webseeds: []string{webserver(t, root, wrap)}})
				download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{})
			})
		}
	}
	t.Run("single file", func(t *testing.T) {
		t.Parallel()
		_, torrent, path := single(t, 300_000, bt.CreateOptions{})
		url := webserver(t, path, nil) + filepath.Base(path)
		download(t, session(t, bt.Config{}), torrent, path, bt.DownloadOptions{Webseeds: []string{url}})
	})
	t.Run("magnet", func(t *testing.T) {
		t.Parallel()
		m, _, path := single(t, 300_000, bt.CreateOptions{})
		got := mkdir(t, t.TempDir(), "empty")
		half := session(t, bt.Config{UploadLimit: 1}) // gives the metadata, and hardly more
		s := seeded(t, half, m, path, bt.SeedOptions{})
		g := bt.MagnetOf(m, bt.MagnetOptions{Peers: s.Addrs()})
		g.Webseeds = []string{webserver(t, path, nil) + filepath.Base(path)}
		download(t, session(t, bt.Config{}), g.String(), path, bt.DownloadOptions{Dir: got})
	})
}

// The library panics in a goroutine of its own at webseeds of a v2 torrent whose files end within a piece.
func TestRealWebseedOfV2(t *testing.T) {
	t.Parallel()
	root := songs(t)
	m, torrent := created(t, bt.CreateOptions{Path: root, Format: bt.FormatV2, Webseeds: []string{webserver(t, root, nil)}})
	_, err := session(t, bt.Config{}).Download(t.Context(), source(t, torrent), bt.DownloadOptions{Dir: t.TempDir()})
	if bt.CodeOf(err) != bt.NoPeers {
		t.Errorf("with nothing but a webseed: %v", err)
	}
	c := session(t, bt.Config{})
	seeded(t, c, m, root, bt.SeedOptions{})
	download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{Peers: []string{c.Addr().String()}})
}

// What a webseed makes up does not come through; beside a good peer it does no harm.
func TestRealWebseedLies(t *testing.T) {
	t.Parallel()
	root := songs(t)
	m, torrent := created(t, bt.CreateOptions{Path: root, Webseeds: []string{webserver(t, root, lying)}})
	dir := t.TempDir()
	opts := bt.DownloadOptions{Dir: dir, StallTimeout: 3 * time.Second, Resume: t.TempDir()}
	began := time.Now()
	_, err := session(t, bt.Config{}).Download(t.Context(), source(t, torrent), opts)
	if code := bt.CodeOf(err); code != bt.Stalled {
		t.Errorf("with lies only: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("gave up after %v", took)
	}
	if _, err := os.Stat(filepath.Join(dir, "songs", "one.bin")); err == nil {
		t.Error("a file of lies has its final name")
	}
	c := session(t, bt.Config{})
	seeded(t, c, m, root, bt.SeedOptions{})
	opts.StallTimeout, opts.Peers = 0, []string{c.Addr().String()}
	download(t, session(t, bt.Config{}), torrent, root, opts)
	download(t, session(t, bt.Config{}), torrent, root, bt.DownloadOptions{Peers: []string{c.Addr().String()}, Dir: t.TempDir()})
}
