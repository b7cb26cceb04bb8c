package bttest

import (
	"os"
	"path/filepath"
)

// LibtorrentWith runs libtorrent with settings of its own ("out_enc_policy=0"), named as libtorrent names them. It
// checks what is in dir, fetches the rest and seeds; WaitComplete waits for that.
func LibtorrentWith(t T, source, dir, peer string, settings ...string) *Client {
	t.Helper()
	return startLibtorrent(t, append([]string{"run", source, dir, peer}, settings...)...)
}

// Aria2With runs aria2c with more options, after those that keep it on loopback.
func Aria2With(t T, torrent, dir string, options ...string) *Client {
	t.Helper()
	return startAria2(t, torrent, dir, options...)
}

// Resume starts a program on a folder that holds a part of the data: it finds out which, and takes peers at once.
func (p Program) Resume(t T, torrent, dir string) *Client {
	t.Helper()
	if p.Name == "aria2" {
		return startAria2(t, torrent, dir, "--check-integrity=true")
	}
	return p.Leech(t, torrent, dir, "")
}

// HalfFile writes a copy of a file into dir of which only the bytes from begin to end are right, the others zero.
func HalfFile(t T, path, dir string, begin, end int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	clear(b[:begin])
	clear(b[end:])
	writeFile(t, filepath.Join(dir, filepath.Base(path)), b)
}
