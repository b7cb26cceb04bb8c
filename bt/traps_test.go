package bt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"shoal/bt/bttest"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// Each test that docs/traps.md names exists.
func TestTrapsAreTested(t *testing.T) {
	doc, err := os.ReadFile("../docs/traps.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	files, _ := filepath.Glob("*_test.go")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(doc), -1)
	if len(named) < 20 {
		t.Errorf("%d tests are named", len(named))
	}
	for _, m := range named {
		if !strings.Contains(all.String(), "func "+m[1]+"(") {
			t.Errorf("docs/traps.md names %s, which is not there", m[1])
		}
	}
}

// Functions of the library that panic on bad input, or that a stranger can make panic, are not called.
func TestNothingPanickyIsUsed(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{
			"exts/getput", "NewHashFromHex(", "SetListenAddr(", "TorrentSpecFromMetaInfo(", ".AddMagnet(", ".AddTrackers(",
			"NewAnacrolixDhtServer", "LocalServiceDiscovery", "AddTorrentSpec", "NewMMap", "storage.NewFile",
		} {
			if bytes.Contains(b, []byte(bad)) {
				t.Errorf("%s uses %s", name, bad)
			}
		}
	}
}

func TestZeroInfohash(t *testing.T) {
	_, err := local(t).join(t.Context(), joinOptions{Magnet: &Magnet{}})
	wantCode(t, err, BadInput)
}

// failingStorage takes some blocks, and then the disk is full.
type failingStorage struct {
	Storage
	left atomic.Int64
}

func (s *failingStorage) WriteAt(b []byte, off int64) (int, error) {
	if s.left.Add(-int64(len(b))) < 0 {
		return 0, &os.PathError{Op: "write", Path: "part", Err: syscall.ENOSPC}
	}
	return s.Storage.WriteAt(b, off)
}

// unreadableStorage takes everything, and gives nothing back.
type unreadableStorage struct{ Storage }

func (unreadableStorage) ReadAt([]byte, int64) (int, error) {
	return 0, &os.PathError{Op: "read", Path: "part", Err: syscall.EIO}
}

// A disk that cannot be read ends a download, rather than have all of it fetched again for ever (issue 2).
func TestReadErrorEndsDownload(t *testing.T) {
	for _, format := range []Format{FormatV1, FormatV2} {
		m, _, peer := seedAlbum(t, format)
		w, err := local(t).join(t.Context(), joinOptions{Metainfo: m, Storage: unreadableStorage{newStreamStorage(m)}, Peers: []string{peer}})
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		w.want([]int{0, 1, 2})
		ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
		defer cancel()
		wantCode(t, w.waitAll(ctx, func(time.Time) error { return nil }), IO)
	}
}

func TestStorageErrorEndsDownload(t *testing.T) {
	m, _, peer := seedAlbum(t, FormatV1)
	st := &failingStorage{Storage: newStreamStorage(m)}
	st.left.Store(1 << 20)
	w, err := local(t).join(t.Context(), joinOptions{Metainfo: m, Storage: st, Peers: []string{peer}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	all := make([]int, m.NumPieces)
	for i := range all {
		all[i] = i
	}
	w.want(all)
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	wantCode(t, w.waitAll(ctx, func(time.Time) error { return nil }), NoSpace)
}

// The limits of a session change while it runs.
func TestLimitsWhileRunning(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatV1)
	c, got := local(t), t.TempDir()
	c.SetLimits(20_000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	slow := make(chan struct{})
	go func() {
		<-slow
		c.SetLimits(0, 0)
	}()
	ticks := 0
	_, err := c.Download(ctx, sourceOf(t, m), DownloadOptions{Dir: got, Peers: []string{peer}, Progress: func(p Progress) {
		if ticks++; ticks == 4 {
			if p.Done == p.Total {
				t.Error("the limit was not kept")
			}
			close(slow)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	sameTree(t, dir, got)
}

// Nothing is logged by the library through its package variables, or to standard error.
func TestNoLogLines(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old, oldLog := os.Stderr, slog.Default()
	os.Stderr = w
	slog.SetDefault(slog.New(slog.NewTextHandler(w, nil)))
	defer func() { os.Stderr = old; slog.SetDefault(oldLog) }()
	said := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		said <- b
	}()
	m, _, peer := seedAlbum(t, FormatV1)
	_, err = local(t).Download(t.Context(), sourceOf(t, m), DownloadOptions{Dir: t.TempDir(), Peers: []string{peer, "127.0.0.1:1"}})
	w.Close()
	if b := <-said; err != nil || len(b) > 0 {
		t.Errorf("%v; said %q", err, b)
	}
}

// After Close no goroutine of a session is left.
func TestNothingIsLeftRunning(t *testing.T) {
	m, _, peer := seedAlbum(t, FormatV1)
	c, err := NewClient(t.Context(), Config{Listen: "127.0.0.1", DHTNodes: []string{"127.0.0.1:1"}, LPD: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), magnetOf(t, m, peer), DownloadOptions{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if _, err := c.Download(t.Context(), magnetOf(t, m, peer), DownloadOptions{Dir: t.TempDir()}); !errors.Is(err, errClosed) {
		t.Errorf("a closed session downloads: %v", err)
	}
}

// Of several extended handshakes only the first reaches the library.
func TestOneExtendedHandshake(t *testing.T) {
	pc := &torrent.PeerConn{}
	hello := func() *pp.Message { return &pp.Message{Type: pp.Extended, ExtendedID: pp.HandshakeExtendedID} }
	first, second, other := hello(), hello(), &pp.Message{Type: pp.Extended, ExtendedID: 1}
	guardMessage(pc, first)
	pc.PeerExtensionIDs = map[pp.ExtensionName]pp.ExtensionNumber{}
	guardMessage(pc, second)
	guardMessage(pc, other)
	if first.Keepalive || !second.Keepalive || other.Keepalive {
		t.Errorf("first %v, second %v, other %v dropped", first.Keepalive, second.Keepalive, other.Keepalive)
	}
}

// One handshake for a torrent that is not here shuts nobody out.
func TestStrangeHandshakeShutsNobodyOut(t *testing.T) {
	m, dir, peer := seedAlbum(t, FormatV1)
	other, _, _ := seedAlbum(t, FormatV2)
	conn, err := net.Dial("tcp", peer)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := append([]byte("\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x05"), other.InfoHashV2[:20]...)
	if _, err := conn.Write(append(hello, "-XX0001-000000000000"...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) { // until it is hung up on
		t.Fatal(err)
	}
	got := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	defer cancel()
	if _, err := local(t).Download(ctx, sourceOf(t, m), DownloadOptions{Dir: got, Peers: []string{peer}}); err != nil {
		t.Fatal(err)
	}
	sameTree(t, dir, got)
}
