package bttest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt/bttest"
)

func TestHonestWebseed(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 300_000)
	s := bttest.HonestWebseed(t, content)
	got := t.TempDir()
	leech := bttest.LeechLibtorrent(t, withWebseed(t, torrent, s.URL), got, "")
	leech.WaitComplete(t)
	bttest.CompareTrees(t, filepath.Join(got, "song.bin"), content.Path())
	if s.Hits() == 0 {
		t.Error("the webseed was not asked")
	}
}

// withWebseed is a copy of a .torrent that names a webseed.
func withWebseed(t *testing.T, torrent, url string) string {
	t.Helper()
	b, err := os.ReadFile(torrent)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b[:len(b)-1], "8:url-list"...)
	b = append(b, bttest.Bencode(url)...)
	path := filepath.Join(t.TempDir(), "web.torrent")
	if err := os.WriteFile(path, append(b, 'e'), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each hostile server can be asked, and gives way when its client goes: else a test that uses it would hang.
func TestHostileWebServers(t *testing.T) {
	t.Parallel()
	content, _ := bttest.MakeContent(t, "song.bin", 300_000)
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	for kind, all := range map[string][]bttest.WebBehaviour{"webseed": bttest.Webseeds(), "tracker": bttest.HTTPTrackers()} {
		for _, b := range all {
			t.Run(kind+" "+b.Name, func(t *testing.T) {
				t.Parallel()
				s := b.Start(t, content)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				req, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"song.bin", nil)
				req.Header.Set("Range", "bytes=1000-1999")
				if resp, err := client.Do(req); err == nil {
					_, _ = io.CopyN(io.Discard, resp.Body, 1<<20)
					resp.Body.Close()
				}
				<-s.Struck()
			})
		}
	}
}

func TestOddWebseedsBytes(t *testing.T) {
	t.Parallel()
	content, _ := bttest.MakeContent(t, "song.bin", 300_000)
	whole, err := os.ReadFile(content.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{
		"ignores ranges": whole, "sends less than asked for": whole[1000:1500], "dies half-way": whole[1000:1500],
	}
	for _, b := range bttest.Webseeds() {
		if want[b.Name] == nil {
			continue
		}
		req, _ := http.NewRequest("GET", b.Start(t, content).URL+"song.bin", nil)
		req.Header.Set("Range", "bytes=1000-1999")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !bytes.Equal(got, want[b.Name]) {
			t.Errorf("%s: %d bytes, want %d", b.Name, len(got), len(want[b.Name]))
		}
	}
}

func TestUDPTrackers(t *testing.T) {
	t.Parallel()
	content, _ := bttest.MakeContent(t, "song.bin", 300_000)
	good := bttest.Honest(t, content).Listen(t)
	all := append(bttest.UDPTrackers(), bttest.HonestUDP(t, good))
	magnet := content.Magnet()
	for _, b := range all {
		magnet += "&tr=" + b.Start(t).URL
	}
	got := t.TempDir()
	bttest.LeechLibtorrent(t, magnet, got, "").WaitComplete(t)
	bttest.CompareTrees(t, filepath.Join(got, "song.bin"), content.Path())
}
