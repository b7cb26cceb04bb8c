package bt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func readerOf(t *testing.T, src *Source, opts ReaderOptions) *Reader {
	t.Helper()
	r, err := local(t).OpenReader(t.Context(), src, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestReader reads all files of a torrent at the same time, twice, with hardly any memory: what was let go is fetched
// again.
func TestReader(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		for _, memory := range []int64{1, 0} {
			t.Run(string(format), func(t *testing.T) {
				t.Parallel()
				m, dir, peer := seedAlbum(t, format)
				g := MagnetOf(m, MagnetOptions{})
				r := readerOf(t, &Source{Magnet: g}, ReaderOptions{Peers: []string{peer}, Memory: memory, MetadataTimeout: time.Minute})
				for range 2 {
					readAll(t, r, filepath.Join(dir, "album"))
				}
			})
		}
	}
}

func readAll(t *testing.T, r *Reader, dir string) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, f := range r.Metainfo().Files {
		wg.Go(func() {
			var got bytes.Buffer
			if err := r.Copy(t.Context(), i, &got, CopyOptions{StallTimeout: time.Minute}); err != nil {
				t.Errorf("reading %s: %v", f.Path, err)
				return
			}
			want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
			if err != nil || !bytes.Equal(want, got.Bytes()) {
				t.Errorf("%s is not what it should be (%d bytes, want %d): %v", f.Path, got.Len(), len(want), err)
			}
		})
	}
}

// TestReaderParts reads a part of a file, and reports how far it is in the file.
func TestReaderParts(t *testing.T) {
	t.Parallel()
	m, dir, peer := seedAlbum(t, FormatV1)
	r := readerOf(t, sourceOf(t, m), ReaderOptions{Peers: []string{peer}})
	i := fileIndex(t, m, "one.bin")
	want, err := os.ReadFile(filepath.Join(dir, "album", "one.bin"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	opts := CopyOptions{From: 100_001, To: 2_000_003, StallTimeout: time.Minute, Progress: func(p Progress) {
		if p.Done < 100_001 || p.Done > 2_000_003 || p.Total != int64(len(want)) {
			t.Errorf("progress is %d of %d", p.Done, p.Total)
		}
	}}
	if err := r.Copy(t.Context(), i, &got, opts); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want[100_001:2_000_003]) {
		t.Error("the part is not what it should be")
	}
}

func fileIndex(t *testing.T, m *Metainfo, path string) int {
	t.Helper()
	for i, f := range m.Files {
		if f.Path == path {
			return i
		}
	}
	t.Fatalf("there is no %s", path)
	return 0
}

// TestReaderGivesUp: a reader without peers ends by itself, and one that is told to at once.
func TestReaderGivesUp(t *testing.T) {
	t.Parallel()
	m, _ := makeAlbum(t, FormatV1)
	r := readerOf(t, sourceOf(t, m), ReaderOptions{Peers: []string{"127.0.0.1:1"}})
	err := r.Copy(t.Context(), 0, io.Discard, CopyOptions{StallTimeout: time.Millisecond})
	if CodeOf(err) != NoPeers {
		t.Errorf("without peers: %v", err)
	}
	errEnough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if err := r.Copy(ctx, 0, io.Discard, CopyOptions{}); !errors.Is(err, errEnough) {
		t.Errorf("told to end: %v", err)
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := r.Copy(t.Context(), 0, io.Discard, CopyOptions{}); err == nil {
			t.Error("a closed reader read")
		}
	})
	r.Close()
	ended.Wait()
	if err := r.Copy(t.Context(), 0, io.Discard, CopyOptions{}); err == nil {
		t.Error("a closed reader read")
	}
}

// TestFileNumbers: a file's number counts what is not listed.
func TestFileNumbers(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatV1, FormatV2, FormatHybrid} {
		m, _ := makeAlbum(t, format)
		last := 0
		for _, f := range m.Files {
			if f.Number <= last {
				t.Errorf("%s: %s is number %d, after %d", format, f.Path, f.Number, last)
			}
			last = f.Number
		}
		if more := last > len(m.Files); more != (format == FormatHybrid) {
			t.Errorf("%s: the last of %d files is number %d", format, len(m.Files), last)
		}
	}
}

// TestNoLocal: with NoLocal nothing on this machine is asked.
func TestNoLocal(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://127.0.0.1:9/x", "http://localhost:9/x", "http://10.1.2.3:9/x", "http://[::1]:9/x", "http://0.0.0.0:9/"} {
		c, err := NewClient(t.Context(), Config{NoLocal: true, NoDHT: true, Listen: ""})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if resp, err := c.HTTP().Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("%s was asked", url)
		} else if !strings.Contains(err.Error(), "local addresses are not allowed") {
			t.Errorf("%s: %v", url, err)
		}
	}
	tr := testTransport(t, Config{NoLocal: true})
	if _, err := tr.dialPeer(t.Context(), "tcp", "127.0.0.1:9"); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("dialling a peer here: %v", err)
	}
	c := newTrackerClient(tr)
	u, _ := parseTrackerURL("udp://127.0.0.1:9")
	if a, err := c.udpAddrs(t.Context(), u); err == nil {
		t.Errorf("a tracker here is asked at %v", a)
	}
	if tr.checkServer(netip.MustParseAddr("192.0.2.1")) != nil {
		t.Error("others are refused too")
	}
	if _, err := NewClient(t.Context(), Config{NoLocal: true, LANOnly: true}); CodeOf(err) != Usage {
		t.Errorf("only and none of them: %v", err)
	}
}
