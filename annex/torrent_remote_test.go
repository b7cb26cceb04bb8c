package annex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/annex/protocol"
	"shoal/annex/protocol/protocoltest"
	"shoal/bt"
)

// album is a folder torrent that is seeded on 127.0.0.1: its files share pieces unless the format forbids it.
type album struct {
	m    *bt.Metainfo
	dir  string // holds the folder
	peer string
}

func newClient(t *testing.T) *bt.Client {
	t.Helper()
	c, err := bt.NewClient(t.Context(), bt.Config{Listen: "127.0.0.1", NoDHT: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newAlbum(t *testing.T, format bt.Format) *album {
	t.Helper()
	a := &album{dir: t.TempDir()}
	for name, size := range map[string]int{"a.bin": 100_001, "b/c d.bin": 70_003, "b/e": 5, "f.bin": 300_000} {
		path := filepath.Join(a.dir, "album", filepath.FromSlash(name))
		b := make([]byte, size)
		rnd := rand.NewChaCha8([32]byte{byte(size)})
		rnd.Read(b)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if a.m, err = bt.Create(t.Context(), bt.CreateOptions{Path: filepath.Join(a.dir, "album"), Format: format, PieceLength: 32 << 10}); err != nil {
		t.Fatal(err)
	}
	s, err := newClient(t).Seed(t.Context(), a.m, bt.SeedOptions{Dir: a.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a.peer = s.Addrs()[0]
	return a
}

// url is the URL of a file of the album, of all of it when path is "".
func (a *album) url(t *testing.T, path string) string {
	t.Helper()
	base := "shoal:" + strings.TrimPrefix(bt.MagnetOf(a.m, bt.MagnetOptions{Peers: []string{a.peer}}).String(), "magnet:")
	for _, f := range a.m.Files {
		if f.Path == path {
			return fmt.Sprintf("%s#%d", base, f.Number)
		}
	}
	if path != "" {
		t.Fatalf("there is no %s", path)
	}
	return base
}

func (a *album) content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, "album", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// startRemote starts the remote in a repository, with its settings told.
func startRemote(t *testing.T, dir, local, timeout string) *protocoltest.Conversation {
	t.Helper()
	return startIn(t, protocoltest.Plain, dir, local, timeout)
}

// startIn is startRemote in a form of the protocol.
func startIn(t *testing.T, form, dir, local, timeout string) *protocoltest.Conversation {
	t.Helper()
	r := New(Options{NewClient: func(ctx context.Context, local bool) (*bt.Client, error) {
		return bt.NewClient(ctx, bt.Config{Listen: "127.0.0.1", NoDHT: true, NoLocal: !local})
	}})
	c := protocoltest.Start(t, r, dir, form)
	c.Play("< PREPARE\n> GETCONFIG share\n< VALUE \n> PREPARE-SUCCESS\n< GETINFO\n> GETCONFIG allow-local\n< VALUE " + local +
		"\n> GETCONFIG timeout\n< VALUE " + timeout + "\n> GETGITDIR\n< VALUE .git\n> INFOFIELD fetches\n> INFOVALUE files of torrents\n" +
		"> INFOFIELD gives up after\n> INFOVALUE…\n> INFOFIELD local addresses\n> INFOVALUE…\n> INFOEND\n")
	return c
}

// retrieve asks for a key that has the URLs, and returns the answer.
func retrieve(c *protocoltest.Conversation, key, file string, urls ...string) string {
	c.Play("< TRANSFER RETRIEVE " + key + " " + file + "\n> GETURLS " + key + " \n")
	for _, u := range append(urls, "") {
		c.Play("< VALUE " + u + "\n")
	}
	for {
		if line := c.Line(); !strings.HasPrefix(line, "PROGRESS ") {
			return line
		}
	}
}

// TestRetrieve fetches each file of each format, from nothing and from what an earlier attempt may have left.
func TestRetrieve(t *testing.T) {
	t.Parallel()
	for _, format := range []bt.Format{bt.FormatV1, bt.FormatV2, bt.FormatHybrid} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			a, dir := newAlbum(t, format), t.TempDir()
			c := startRemote(t, dir, "yes", "1m")
			for _, f := range a.m.Files {
				want := a.content(t, f.Path)
				for name, left := range map[string][]byte{
					"nothing": nil, "a part": want[:len(want)/2], "all": want, "too much": append(bytes.Clone(want), 1, 2),
					"wrong": bytes.Repeat([]byte{7}, len(want)/2+1), "wrong at its end": append(bytes.Clone(want[:len(want)-1]), want[len(want)-1]+1),
					"wrong at its beginning": append([]byte{want[0] + 1}, want[1:]...),
				} {
					file := filepath.Join(dir, "tmp")
					os.Remove(file)
					if left != nil && os.WriteFile(file, left, 0o644) != nil {
						t.Fatal("nothing can be written")
					}
					key := fmt.Sprintf("SHA256E-s%d--x", f.Length)
					if got := retrieve(c, key, "tmp", "http://other/", a.url(t, f.Path)); got != "TRANSFER-SUCCESS RETRIEVE "+key {
						t.Fatalf("%s, %s was there: %s", f.Path, name, got)
					}
					if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, want) {
						t.Fatalf("%s, %s was there: it is not what it should be: %v", f.Path, name, err)
					}
				}
			}
			if err := c.End(); err != nil {
				t.Error(err)
			}
			if files, _ := filepath.Glob(filepath.Join(dir, ".git", "annex", "shoal", "*.torrent")); len(files) != 1 {
				t.Errorf("remembered: %v", files)
			}
		})
	}
}

// TestRetrieveFails: each failure is one line that says why.
func TestRetrieveFails(t *testing.T) {
	t.Parallel()
	a := newAlbum(t, bt.FormatV1)
	c := startRemote(t, t.TempDir(), "yes", "1s")
	all := a.url(t, "")
	nobody := "shoal:00112233445566778899aabbccddeeff00112233"
	for _, f := range []struct {
		key  string
		urls []string
		want string
	}{
		{"K", nil, "no URL of a torrent is known"},
		{"K", []string{"http://h/x.iso"}, "no URL of a torrent is known"},
		{"SHA256-s4--x", []string{a.url(t, "b/e")}, "file b/e of the torrent album has 5 bytes, not 4"},
		{"K", []string{all + "#99"}, "the torrent album has no file 99"},
		{"K", []string{all}, "the torrent album has 4 files; the URL of one ends in #n"},
		{"K", []string{nobody + "#1"}, "nowhere to look for peers"},
		{"K", []string{nobody + "#2"}, "(a moment ago)"},
		{"K", []string{"/nosuch.torrent"}, "no such file"},
		{"K", []string{"shoal:?xs=http://127.0.0.1:1/x.torrent"}, "fetching the metainfo"},
	} {
		got := retrieve(c, f.key, "tmp", f.urls...)
		if !strings.HasPrefix(got, "TRANSFER-FAILURE RETRIEVE "+f.key+" ") || !strings.Contains(got, f.want) {
			t.Errorf("%v: %q, want %q", f.urls, got, f.want)
		}
	}
	c.Play("< TRANSFER STORE K f\n> TRANSFER-FAILURE STORE K torrents are only downloaded from…\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// TestLocal: without allow-local nothing of this machine is read or asked.
func TestLocal(t *testing.T) {
	t.Parallel()
	a, dir := newAlbum(t, bt.FormatV1), t.TempDir()
	if err := a.m.Save(filepath.Join(dir, "x.torrent")); err != nil {
		t.Fatal(err)
	}
	c := startRemote(t, dir, "no", "1s")
	for url, want := range map[string]string{
		filepath.Join(dir, "x.torrent"):               "takes allow-local=yes",
		a.url(t, ""):                                  "nowhere to look for peers (0 peers, 0 of them seeds; no trackers; the peers that the magnet names are not asked: that takes allow-local=yes)",
		"shoal:?xs=http://127.0.0.1:1/x.torrent":      "local addresses are not allowed",
		"http://localhost:1/x.torrent":                "local addresses are not allowed",
		"shoal:http://169.254.169.254/latest/secrets": "local addresses are not allowed",
	} {
		c.Play("< CHECKURL " + url + "\n")
		if got := c.Line(); !strings.HasPrefix(got, "CHECKURL-FAILURE ") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// TestCheckURL: a torrent says what is in it, with the numbers that git-annex itself would give.
func TestCheckURL(t *testing.T) {
	t.Parallel()
	for format, numbers := range map[bt.Format][]int{bt.FormatV1: {1, 2, 3, 4}, bt.FormatHybrid: {1, 3, 5, 7}} {
		a := newAlbum(t, format)
		c := startRemote(t, t.TempDir(), "yes", "1m")
		all := a.url(t, "")
		c.Play("< CHECKURL " + all + "\n")
		want := "CHECKURL-MULTI"
		for i, f := range a.m.Files {
			want += fmt.Sprintf(" %s#%d %d %s", all, numbers[i], f.Length, strings.ReplaceAll(f.Path, " ", "_"))
		}
		if got := c.Line(); got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
		c.Play("< CHECKURL " + a.url(t, "b/c d.bin") + "\n> CHECKURL-CONTENTS 70003 c d.bin\n< CHECKURL " + all + "&so=3\n")
		if got := c.Line(); got != fmt.Sprintf("CHECKURL-MULTI %s&so=3#%d 300000 f.bin", all, numbers[3]) {
			t.Errorf("with so=3: %q", got)
		}
		if err := c.End(); err != nil {
			t.Error(err)
		}
	}
}

// TestTorrentConversation has the rest of what git-annex may say.
func TestTorrentConversation(t *testing.T) {
	t.Parallel()
	c := startRemote(t, t.TempDir(), "", "")
	u := "shoal:" + hash
	c.Play(`
		< INITREMOTE
		> GETCONFIG encryption
		< VALUE none
		> GETCONFIG chunk
		< VALUE 
		> GETCONFIG exporttree
		< VALUE 
		> GETCONFIG importtree
		< VALUE 
		> GETCONFIG torrent
		< VALUE 
		> GETWANTED
		< VALUE 
		> SETWANTED present
		> INITREMOTE-SUCCESS
		< INITREMOTE
		> GETCONFIG encryption
		< VALUE shared
		> INITREMOTE-FAILURE what others seed cannot be encrypted…
		< GETCOST
		> COST 175
		< GETAVAILABILITY
		> AVAILABILITY GLOBAL
		< GETORDERED
		> ORDERED
		< CLAIMURL ` + u + `
		> CLAIMURL-SUCCESS
		< CLAIMURL http://h/x.iso
		> CLAIMURL-FAILURE
		< CHECKPRESENT K
		> CHECKPRESENT-UNKNOWN K nobody has promised…
		< WHEREIS K
		> GETURLS K 
		< VALUE ` + u + `#2
		< VALUE http://h/x.torrent
		< VALUE ftp://h/
		< VALUE 
		> WHEREIS-SUCCESS file 2 of torrent ` + hash + `, torrent at http://h/x.torrent
		< REMOVE K
		> GETURLS K 
		< VALUE ` + u + `#2
		< VALUE http://h/x.iso
		< VALUE 
		> SETURIMISSING K ` + u + `#2
		> SETURLMISSING K ` + u + `#2
		> REMOVE-SUCCESS K
	`)
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

// TestShares: a share is for the remote that keeps them, and settings of both are listed.
func TestShares(t *testing.T) {
	t.Parallel()
	c := protocoltest.Start(t, New(Options{}), t.TempDir(), protocoltest.Plain)
	c.Play("< LISTCONFIGS\n> CONFIG share …\n> CONFIG allow-local …\n> CONFIG torrent …\n> CONFIG timeout …\n> CONFIGEND\n" +
		"< EXPORTSUPPORTED\n> EXPORTSUPPORTED-FAILURE\n" +
		"< PREPARE\n> GETCONFIG share\n< VALUE photos\n> PREPARE-FAILURE this shoal keeps nothing in shares\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
	r := New(Options{Share: keeper{}})
	c = protocoltest.Start(t, r, t.TempDir(), protocoltest.Plain)
	c.Play("< EXPORTSUPPORTED\n> EXPORTSUPPORTED-SUCCESS\n" +
		"< PREPARE\n> GETCONFIG share\n< VALUE photos\n> PREPARE-SUCCESS\n< CHECKPRESENT K\n> CHECKPRESENT-SUCCESS K\n")
	if err := c.End(); err != nil {
		t.Error(err)
	}
}

type keeper struct{ protocol.Unsupported }

func (keeper) Present(context.Context, *protocol.Job, string) (bool, error) { return true, nil }
func (keeper) ExportSupported(context.Context, *protocol.Job) (bool, error) { return true, nil }
