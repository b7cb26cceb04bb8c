package node

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoal/bt"
	"shoal/share/api"
)

// What is here of a torrent is seeded from wherever it lies, also after a restart; it stops when it goes, and is seeded
// again when it is there again, or elsewhere.
func TestTorrentPartial(t *testing.T) {
	t.Parallel()
	home, dir := t.TempDir(), t.TempDir()
	a := oldFile(t, dir, "a", []byte(strings.Repeat("a", 40_000)))
	oldFile(t, dir, "b", []byte(strings.Repeat("b", 50_000)))
	m, err := bt.Create(t.Context(), bt.CreateOptions{Path: dir, PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	n := seedbox(t, home, TorrentOptions{})
	for _, bad := range []api.TorrentOptions{
		{Metainfo: m.Bytes(), Dir: dir, Files: []string{a}}, {Metainfo: m.Bytes(), Dir: dir, Files: []string{"a", ""}},
		{Source: "magnet:?xt=urn:btih:" + m.InfoHash.String(), Dir: dir, Files: []string{a, ""}},
	} {
		if _, err := n.AddTorrent(t.Context(), bad); bt.CodeOf(err) != bt.Usage {
			t.Errorf("%q: %v", bad.Files, err)
		}
	}
	add := func(files ...string) {
		t.Helper()
		if _, err := n.AddTorrent(t.Context(), api.TorrentOptions{Metainfo: m.Bytes(), Dir: dir, Files: files}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(bytes int64) {
		t.Helper()
		waitFor(t, "a torrent with other files", func() bool { return torrentIn(t, n, api.TorrentSeeding).Done == bytes })
	}
	add(a, "")
	has(40_000)
	add(a, "")
	elsewhere := filepath.Join(t.TempDir(), "x")
	add("", elsewhere)
	if row := n.torrents.list()[0].row; !slices.Equal(row.Files, []string{a, elsewhere}) {
		t.Fatalf("it has %q", row.Files)
	}
	has(40_000)
	oldFile(t, filepath.Dir(elsewhere), "x", []byte(strings.Repeat("b", 50_000)))
	has(90_000)
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	has(50_000)
	n.Close()
	n = seedbox(t, home, TorrentOptions{})
	has(50_000)
	if err := os.Remove(elsewhere); err != nil {
		t.Fatal(err)
	}
	if i := torrentIn(t, n, api.TorrentError); !strings.Contains(i.Error, "nothing of it is there") {
		t.Errorf("the error is %q", i.Error)
	}
	oldFile(t, dir, "a", []byte(strings.Repeat("a", 40_000)))
	add(a, "") // which need not wait for the next look
	has(40_000)
	if _, err := n.AddTorrent(t.Context(), api.TorrentOptions{Metainfo: m.Bytes(), Dir: dir}); bt.CodeOf(err) != bt.Exists {
		t.Errorf("again, elsewhere: %v", err)
	}
}
