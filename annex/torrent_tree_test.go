package annex

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shoal/annex/backend"
	"shoal/annex/protocol/protocoltest"
	"shoal/bt"
)

// asked plays a request of an import, whose torrent is told, and returns the answer, without what is told on the way.
func asked(c *protocoltest.Conversation, name, request, url string) string {
	if name != "" {
		c.Play("< IMPORT " + name + "\n")
	}
	c.Play("< " + request + "\n> GETCONFIG torrent\n< VALUE " + url + "\n")
	return answer(c)
}

func answer(c *protocoltest.Conversation) string {
	for {
		if line := c.Line(); !strings.HasPrefix(line, "PROGRESS ") {
			return line
		}
	}
}

// TestImportTorrent: the tree of a torrent of each format, with keys that are right, and content that they are of.
func TestImportTorrent(t *testing.T) {
	t.Parallel()
	for _, format := range []bt.Format{bt.FormatV1, bt.FormatV2, bt.FormatHybrid} {
		for name, form := range protocoltest.Forms {
			t.Run(string(format)+" "+name, func(t *testing.T) {
				t.Parallel()
				a, dir := newAlbum(t, format), t.TempDir()
				c := startIn(t, form, dir, "yes", "1m")
				url := a.url(t, "")
				ids := map[string]string{}
				line := asked(c, "", "LISTIMPORTABLECONTENTS", url)
				for _, f := range a.m.Files {
					if want := fmt.Sprintf("IMPORTABLECONTENT %d %s", f.Length, f.Path); line != want {
						t.Fatalf("it lists %q, not %q", line, want)
					}
					ids[f.Path] = strings.TrimPrefix(c.Line(), "IMPORTABLECONTENTIDENTIFIER ")
					line = c.Line()
				}
				if line != "LISTIMPORTABLECONTENTS-SUCCESS" {
					t.Fatalf("the list ends by %q", line)
				}
				for _, f := range a.m.Files {
					want := a.content(t, f.Path)
					key := fmt.Sprintf("SHA256-s%d--%x", len(want), sha256.Sum256(want))
					if format != bt.FormatV1 {
						key = backend.XBTV2.Key(f.Length, f.Root)
					}
					if got := asked(c, f.Path, fmt.Sprintf("IMPORTKEY %d %s", f.Length, ids[f.Path]), url); got != "IMPORTKEY-SUCCESS "+key {
						t.Errorf("the key of %s: %s, not %s", f.Path, got, key)
					}
					to := filepath.Join(dir, "to")
					if format == bt.FormatV1 { // it was fetched to be hashed
						c.Play("< IMPORT " + f.Path + "\n< RETRIEVEIMPORT to\n> RETRIEVEIMPORT-SUCCESS\n")
					} else if got := asked(c, f.Path, "RETRIEVEIMPORT to", url); got != "RETRIEVEIMPORT-SUCCESS" {
						t.Errorf("%s: %s", f.Path, got)
					}
					if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s is another, %v", f.Path, err)
					}
				}
				for request, want := range map[string]string{
					"IMPORTKEY 7 x":     "IMPORTKEY-FAILURE file a.bin of the torrent album has 100001 bytes now, and not 7",
					"RETRIEVEIMPORT to": "RETRIEVEIMPORT-SUCCESS",
				} {
					if got := asked(c, "a.bin", request, url); got != want {
						t.Errorf("%s: %s", request, got)
					}
				}
				if got := asked(c, "none", "RETRIEVEIMPORT to", url); got != `RETRIEVEIMPORT-FAILURE the torrent album has no file "none" any more` {
					t.Error(got)
				}
				c.Play("< IMPORT a.bin\n< CHECKPRESENTIMPORT K\n> CHECKPRESENT-UNKNOWN K nobody has promised…\n")
				if err := c.End(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestHashedIsDropped: what was fetched to be hashed, and is not asked for, is removed.
func TestHashedIsDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var h hashed
	for i := range maxHashed + 3 {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		h.put(fmt.Sprint(i), path)
	}
	left := func(want int) {
		t.Helper()
		if all, err := os.ReadDir(dir); len(all) != want || err != nil {
			t.Errorf("%d are left, %v, not %d", len(all), err, want)
		}
	}
	left(maxHashed)
	if h.take("0", filepath.Join(dir, "to")) || !h.take("5", filepath.Join(dir, "to")) || h.take("5", filepath.Join(dir, "to")) {
		t.Error("what is taken is another")
	}
	left(maxHashed)
	h.close()
	left(1)
}
