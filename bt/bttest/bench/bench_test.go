package main

import (
	"bufio"
	"crypto/sha1"
	"net"
	"os"
	"path/filepath"
	"testing"

	"shoal/bt/bttest/internal/wire"
)

const testSize = 20<<20 + 12345 // more than two periods, and a last piece that is short

func TestTorrentMatchesData(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "payload")
	if err := writePattern(path, testSize); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.ParseTorrent(makeTorrent("payload", testSize, 256<<10))
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := wire.Bdecode(m.Info)
	if err != nil {
		t.Fatal(err)
	}
	pieces, _ := v.(wire.Dict)["pieces"].(string)
	for i := range m.NumPieces() {
		off := int64(i) * m.PieceLength
		sum := sha1.Sum(data[off : off+m.PieceLen(i)])
		if pieces[20*i:20*i+20] != string(sum[:]) {
			t.Fatalf("piece %d does not match", i)
		}
	}
	if err := checkPattern(path, testSize); err != nil {
		t.Error(err)
	}
	data[testSize-1] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := checkPattern(path, testSize); err == nil {
		t.Error("a wrong byte is not noticed")
	}
}

func TestFastseedToDiscard(t *testing.T) {
	m, err := wire.ParseTorrent(makeTorrent("payload", testSize, 256<<10))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := l.Accept()
		if err != nil {
			return
		}
		s := &fastSeeder{t: m, pattern: newPattern()}
		s.serve(t.Context(), c)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d := &discarder{t: m, c: c, r: bufio.NewReader(c), depth: 100}
	if err := d.run("-DI0001-test"); err != nil || d.left != 0 {
		t.Errorf("%d bytes left: %v", d.left, err)
	}
	c.Close()
	<-served
}

func TestMedian(t *testing.T) {
	got := median([]usage{{seconds: 3, rss: 1}, {seconds: 1, rss: 3}, {seconds: 2, rss: 2}})
	if got.seconds != 2 || got.rss != 2 {
		t.Errorf("got %+v", got)
	}
}
