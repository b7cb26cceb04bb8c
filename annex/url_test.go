package annex

import (
	"strings"
	"testing"

	"shoal/bt"
)

const hash = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a"

func TestParseTorrentURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		file int
		kind string // of the source; "" = no URL of a torrent
	}{
		{"magnet:?xt=urn:btih:" + hash, 0, "magnet"},
		{"magnet:?xt=urn:btih:" + hash + "&dn=a%20b#12", 12, "magnet"},
		{"magnet:?dn=t&xt.1=urn:btih:" + hash, 0, "magnet"},
		{"magnet:?xt=urn:btmh:1220" + hash + strings.Repeat("0", 24), 0, "magnet"},
		{"shoal:?xt=urn:btih:" + hash + "#3", 3, "magnet"},
		{"shoal:" + hash, 0, "magnet"},
		{"shoal:" + hash + "#1", 1, "magnet"},
		{"shoal:?xs=https://h/x.torrent#2", 2, "url"},
		{"shoal:?xs=https://h/x.torrent%3Fa=b%26c%23d#2", 2, "url"},
		{"shoal:http://h/get.php?id=3#2", 2, "url"},
		{"http://h/x.torrent", 0, "url"},
		{"https://h/x.TORRENT?key=1#4", 4, "url"},
		{"/a b/x.torrent#1", 1, "path"},
		{"magnet:?xt=urn:sha1:" + hash, 0, ""},
		{"magnet:?dn=x", 0, ""},
		{"http://h/x.torrent.php?x", 0, ""},
		{"http://h/x.iso", 0, ""},
		{"http://h/x.torrent#top", 0, ""},
		{"http://h/x.torrent#0", 0, ""},
		{"http://h/x.torrent#-1", 0, ""},
		{"http://h/x.torrent#99999999999", 0, ""},
		{"file:///x.torrent", 0, ""},
		{"x.torrent", 0, ""},
		{"ftp://h/x.torrent", 0, ""},
		{"shoal:x.torrent", 0, ""},
		{"shoal:/x.torrent", 0, ""},
		{"shoal:?xs=file:///x.torrent", 0, ""},
		{"shoal:", 0, ""},
		{"-", 0, ""},
		{"", 0, ""},
	} {
		u, err := ParseTorrentURL(c.url)
		if err != nil {
			if c.kind != "" {
				t.Errorf("%s: %v", c.url, err)
			}
			continue
		}
		kind := "path"
		switch {
		case u.src.Magnet != nil:
			kind = "magnet"
		case u.src.URL != "":
			kind = "url"
		}
		if kind != c.kind || u.File != c.file {
			t.Errorf("%s is file %d of a %s, want %d of a %q", c.url, u.File, kind, c.file, c.kind)
		}
	}
}

// TestOwnURL: a URL comes back as it was, and git-annex does not take ours for its own.
func TestOwnURL(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"http://h/x.torrent", "https://h:1/a%20b.torrent?k=v&w=%26", "http://h/?q=a+b"} {
		u, err := ParseTorrentURL(ownURL(want) + "#7")
		if err != nil || u.File != 7 {
			t.Fatalf("%s: %v", want, err)
		}
		src, err := bt.ParseSource(want)
		if err != nil || u.src.URL != src.URL {
			t.Errorf("%s became %s: %v", want, u.src.URL, err)
		}
	}
}

func TestKeySize(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int64{
		"SHA256E-s100000--b663.bin": 100000, "URL--http&c%%x-s3--y": -1, "WORM-s5-m1700000000--name": 5,
		"SHA256E-s2097152-S1048576-C1--x": 2097152, "GPGHMACSHA1--00ff": -1, "x": -1, "": -1, "SHA-s--x": -1,
		"SHA-s99999999999999999999--x": -1, "VURL-s0--a": 0,
	} {
		if got := keySize(key); got != want {
			t.Errorf("%s has %d bytes, want %d", key, got, want)
		}
	}
}

// FuzzParseTorrentURL: what is claimed can be written down with a number, and read again.
func FuzzParseTorrentURL(f *testing.F) {
	f.Add("magnet:?xt=urn:btih:" + hash + "#3")
	f.Add("shoal:?xs=http://h/x.torrent%23y#1")
	f.Add("/x.torrent")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseTorrentURL(s)
		if err != nil {
			return
		}
		again, err := ParseTorrentURL(u.at(5))
		if err != nil || again.File != 5 || again.Base != u.Base || again.id() != u.id() {
			t.Fatalf("%q is file %d of %q: %v", u.at(5), again.File, again.Base, err)
		}
		if g := u.src.Magnet; (g == nil) == (u.src.URL == "" && u.src.Path == "") {
			t.Fatalf("%q names no torrent, or two", s)
		}
	})
}
