package node

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// seedbox is a node of a test that has torrents and no shares.
func seedbox(t *testing.T, home string, opts TorrentOptions) *Node {
	t.Helper()
	c, err := bt.NewClient(t.Context(), bt.Config{Listen: "127.0.0.1", NoDHT: true, Encryption: bt.EncryptionOff})
	if err != nil {
		t.Fatal(err)
	}
	opts.Client = c
	n, err := Open(t.Context(), Options{Home: home, Torrents: opts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	n.Start()
	return n
}

// torrentIn waits until the only torrent of a node is in a state.
func torrentIn(t *testing.T, n *Node, state string) (i api.TorrentInfo) {
	t.Helper()
	waitFor(t, "a torrent that is "+state, func() bool {
		list, err := n.ListTorrents(context.Background())
		if err != nil || len(list) > 1 {
			t.Fatal(list, err)
		}
		if len(list) == 0 {
			return false
		}
		i = list[0]
		return i.State == state
	})
	return i
}

// oldFile writes a file that was not modified for long, so that it need not be hashed twice.
func oldFile(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	write(t, dir, name, content)
	path := filepath.Join(dir, name)
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
	return path
}

// A path is seeded in place; another node fetches it by its magnet, and seeds it on; both do so after a restart, from
// what they remember: the bytes of the files cannot be read then.
func TestTorrentsSeededAndFetched(t *testing.T) {
	t.Parallel()
	content := []byte(strings.Repeat("film ", 40_000))
	path := oldFile(t, t.TempDir(), "film", content)
	homes := []string{t.TempDir(), t.TempDir()}
	a := seedbox(t, homes[0], TorrentOptions{HTTP: "127.0.0.1:0"})
	if _, err := a.AddTorrent(t.Context(), api.TorrentOptions{Path: path}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddTorrent(t.Context(), api.TorrentOptions{Path: path}); bt.CodeOf(err) != bt.Exists {
		t.Errorf("twice: %v", err)
	}
	i := torrentIn(t, a, api.TorrentSeeding)
	if !strings.Contains(i.Magnet, "&x.pe=127.0.0.1:") || !strings.Contains(i.Magnet, "&ws=http://127.0.0.1:") {
		t.Errorf("the magnet %s", i.Magnet)
	}
	for _, url := range []string{i.TorrentURL, strings.TrimSuffix(i.TorrentURL, ".torrent") + "/film"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || strings.HasSuffix(url, "film") != bytes.Equal(b, content) {
			t.Errorf("%s: %d, %d bytes, %v", url, resp.StatusCode, len(b), err)
		}
	}
	peer, _, _ := strings.Cut(i.Magnet, "&ws=") // no web server: from peers, which do not encrypt
	b, dir := seedbox(t, homes[1], TorrentOptions{}), t.TempDir()
	if _, err := b.AddTorrent(t.Context(), api.TorrentOptions{Source: peer, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	torrentIn(t, b, api.TorrentSeeding)
	if got, err := os.ReadFile(filepath.Join(dir, "film")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came: %v", len(got), err)
	}
	a.Close()
	b.Close()
	// The same stamp and other bytes: what is hashed again is found out.
	for _, name := range []string{path, filepath.Join(dir, "film")} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte("x"), 0)
		f.Close()
		if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	for _, home := range homes {
		n := seedbox(t, home, TorrentOptions{})
		torrentIn(t, n, api.TorrentSeeding)
		n.Close()
		list, err := n.ListTorrents(t.Context())
		if err != nil || list[0].State != api.TorrentStopped || list[0].Done != int64(len(content)) {
			t.Errorf("stopped: %+v %v", list, err)
		}
	}
}

// What changes on disk is not served any more, nor fetched again over what is there; what is removed stays on disk.
func TestTorrentChangedAndRemoved(t *testing.T) {
	t.Parallel()
	home, path := t.TempDir(), oldFile(t, t.TempDir(), "film", []byte("film"))
	n := seedbox(t, home, TorrentOptions{})
	i, err := n.AddTorrent(t.Context(), api.TorrentOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	torrentIn(t, n, api.TorrentSeeding)
	write(t, filepath.Dir(path), "film", []byte("edit"))
	if i := torrentIn(t, n, api.TorrentError); !strings.Contains(i.Error, "changed") {
		t.Errorf("the error is %q", i.Error)
	}
	n.Close()
	n = seedbox(t, home, TorrentOptions{})
	torrentIn(t, n, api.TorrentError)
	for _, prefix := range []string{"", "0000", strings.Repeat("f", 41)} {
		if _, err := n.RemoveTorrent(t.Context(), prefix); bt.CodeOf(err) != bt.NotFound {
			t.Errorf("removing %q: %v", prefix, err)
		}
	}
	if _, err := n.RemoveTorrent(t.Context(), i.InfoHash[:8]); err != nil {
		t.Fatal(err)
	}
	n.Close()
	n, err = OpenToRead(t.Context(), Options{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if list, err := n.ListTorrents(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("still there: %v %v", list, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "edit" {
		t.Errorf("%q %v", got, err)
	}
}

// A folder is looked at: a file that is being written is taken once it is whole, and what was given up stays so after a
// restart.
func TestTorrentWatch(t *testing.T) {
	t.Parallel()
	home, dir, data := t.TempDir(), t.TempDir(), t.TempDir()
	m, err := bt.Create(t.Context(), bt.CreateOptions{Path: oldFile(t, data, "film", []byte("film"))})
	if err != nil {
		t.Fatal(err)
	}
	opts := TorrentOptions{Watch: []string{dir}, Dir: data}
	n := seedbox(t, home, opts)
	whole := m.Bytes()
	write(t, dir, "film.torrent", whole[:len(whole)/2])
	w := newTorrentWatch(n.torrents)
	w.look(t.Context(), dir)
	if !w.young[filepath.Join(dir, "film.torrent")] || len(n.torrents.list()) != 0 {
		t.Error("half a file was taken, or is given up")
	}
	write(t, dir, "film.torrent", whole)
	torrentIn(t, n, api.TorrentSeeding)
	write(t, dir, "same.magnet", []byte("# a comment\n\n"+m.InfoHash.String()+"\n"))
	waitFor(t, "the files are remembered", func() bool { return len(newTorrentWatch(n.torrents).picked) == 2 })
	if _, err := n.RemoveTorrent(t.Context(), m.InfoHash.String()); err != nil {
		t.Fatal(err)
	}
	n.Close()
	n = seedbox(t, home, opts)
	newTorrentWatch(n.torrents).look(t.Context(), dir)
	if list := n.torrents.list(); len(list) != 0 {
		t.Errorf("%d torrents came back", len(list))
	}
	if _, err := os.Stat(filepath.Join(dir, "film.torrent")); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Options{Home: t.TempDir(), Torrents: TorrentOptions{Watch: []string{filepath.Join(dir, "no")}}}); bt.CodeOf(err) != bt.BadInput {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Without a session torrents are known, and stopped.
func TestTorrentsWithoutNetwork(t *testing.T) {
	t.Parallel()
	n, err := Open(t.Context(), Options{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	n.Start()
	hash := strings.Repeat("ab", 20)
	if _, err := n.AddTorrent(t.Context(), api.TorrentOptions{Source: hash, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if i := torrentIn(t, n, api.TorrentStopped); i.InfoHash != hash {
		t.Errorf("%+v", i)
	}
	for _, tt := range []struct {
		opts api.TorrentOptions
		code bt.Code
	}{
		{api.TorrentOptions{}, bt.Usage},
		{api.TorrentOptions{Source: hash, Path: "/x"}, bt.Usage},
		{api.TorrentOptions{Source: hash, Dir: "x"}, bt.Usage},
		{api.TorrentOptions{Source: hash, Dir: "/x"}, bt.Exists},
		{api.TorrentOptions{Source: "/etc/passwd", Dir: "/x"}, bt.BadInput},
		{api.TorrentOptions{Source: "http://127.0.0.1:1/x.torrent", Dir: "/x"}, bt.Network},
		{api.TorrentOptions{Metainfo: []byte("x"), Dir: "/x"}, bt.BadInput},
		{api.TorrentOptions{Path: "/nosuch"}, bt.BadInput},
	} {
		if _, err := n.AddTorrent(t.Context(), tt.opts); bt.CodeOf(err) != tt.code {
			t.Errorf("%+v: %v, want %s", tt.opts, err, tt.code)
		}
	}
}
