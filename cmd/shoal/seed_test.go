package main

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"shoal/bt"
	"shoal/bt/bttest"
)

const scriptPiece = 16 << 10

// torrentCmd is "torrent PATH FILE.torrent": it writes the torrent of a file or folder.
func torrentCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: torrent PATH FILE.torrent")
	}
	data, err := makeTorrent(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// seedCmd is "seed PATH": it seeds a file or folder on 127.0.0.1 until the script ends, and sets TORRENT, MAGNET, HASH
// and PEER.
func seedCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: seed PATH")
	}
	path := ts.MkAbs(args[0])
	data, err := makeTorrent(path)
	ts.Check(err)
	torrent := filepath.Join(ts.Getenv("TMPDIR"), filepath.Base(path)+".torrent")
	ts.Check(os.MkdirAll(filepath.Dir(torrent), 0o755))
	ts.Check(os.WriteFile(torrent, data, 0o644))
	m, err := bt.ReadMetainfo(strings.NewReader(string(data)))
	ts.Check(err)
	peer := startPeer(ts, torrent, 0, "seeding", bt.DownloadOptions{Dir: filepath.Dir(path), Seed: true})
	ts.Setenv("TORRENT", torrent)
	ts.Setenv("HASH", m.InfoHash.String())
	ts.Setenv("PEER", peer)
	ts.Setenv("MAGNET", bt.MagnetOf(m, bt.MagnetOptions{Peers: []string{peer}}).String())
}

// idleCmd is "idle {FILE.torrent | INFOHASH}": until the script ends a peer on 127.0.0.1 talks about the torrent, of
// which it has nothing: with an INFOHASH not even the info dictionary. It sets PEER.
func idleCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: idle {FILE.torrent | INFOHASH}")
	}
	source, state := args[0], "metadata"
	if strings.HasSuffix(source, ".torrent") {
		source, state = ts.MkAbs(source), "downloading"
	}
	port := bttest.FreePort(scriptT{ts}) // without one it would give up: nobody could come
	ts.Setenv("PEER", startPeer(ts, source, port, state, bt.DownloadOptions{Dir: ts.MkAbs("idle-data")}))
}

// startPeer runs a download until the script ends, and returns where it listens once its progress is at state.
func startPeer(ts *testscript.TestScript, source string, port int, state string, opts bt.DownloadOptions) (addr string) {
	ctx, cancel := context.WithCancel(context.Background())
	client, err := bt.NewClient(ctx, bt.Config{Listen: "127.0.0.1", Port: port, NoDHT: true, NoTrackers: true})
	if err != nil {
		cancel()
		ts.Check(err)
	}
	src, err := bt.ParseSource(source)
	ended := make(chan struct{})
	ts.Defer(func() {
		cancel()
		<-ended
		ts.Check(client.Close())
	})
	ready := make(chan struct{})
	once := sync.OnceFunc(func() { close(ready) })
	opts.Progress = func(p bt.Progress) {
		if p.State == state {
			once()
		}
	}
	go func() {
		defer close(ended)
		if err == nil {
			_, err = client.Download(ctx, src, opts)
		}
	}()
	select {
	case <-ready:
		return client.Addr().String()
	case <-ended:
		ts.Fatalf("joining with %s: %v", source, err)
		return ""
	}
}

// portCmd is "port": it sets PORT to one that nobody listens on.
func portCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: port")
	}
	ts.Setenv("PORT", strconv.Itoa(bttest.FreePort(scriptT{ts})))
}

// makeTorrent is the v1 torrent of a file or folder, without anything that a run could change.
func makeTorrent(path string) ([]byte, error) {
	var content []byte
	var files strings.Builder
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		content = append(content, data...)
		rel, _ := filepath.Rel(path, name)
		fmt.Fprintf(&files, "d6:lengthi%de4:pathl", len(data))
		for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
			fmt.Fprintf(&files, "%d:%s", len(part), part)
		}
		files.WriteString("ee")
		return err
	})
	var pieces []byte
	for rest := content; len(rest) > 0; rest = rest[min(scriptPiece, len(rest)):] {
		sum := sha1.Sum(rest[:min(scriptPiece, len(rest))])
		pieces = append(pieces, sum[:]...)
	}
	what := fmt.Sprintf("5:filesl%se", &files)
	if !info.IsDir() {
		what = fmt.Sprintf("6:lengthi%de", len(content))
	}
	name := filepath.Base(path)
	return fmt.Appendf(nil, "d4:infod%s4:name%d:%s12:piece lengthi%de6:pieces%d:%see",
		what, len(name), name, scriptPiece, len(pieces), pieces), err
}
