package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/bt/bttest"
	"shoal/commands"
)

// shoal runs a command in this process.
func shoal(t *testing.T, in []byte, args ...string) (out []byte, said string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = commands.Main(t.Context(), append([]string{"shoal"}, args...), bytes.NewReader(in), &stdout, &stderr)
	return stdout.Bytes(), stderr.String(), status
}

// TestBencodeCorpus takes what other programs wrote and sent through decode, jq and encode: it must come back as it was.
func TestBencodeCorpus(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "jq", "libtorrent", "opentracker")
	corpus := torrentsOfLibtorrent(t)
	maps.Copy(corpus, messagesOfDHT(t))
	maps.Copy(corpus, answersOfTracker(t))
	for name, b := range corpus {
		if out, said, status := shoal(t, b, "bencode", "check"); status != 0 {
			t.Errorf("%s: check: status %d: %s%s", name, status, out, said)
		}
		roundTrip(t, name, b)
		for n := 0; n < len(b); n += 1 + len(b)/20 { // no beginning is whole
			out, said, status := shoal(t, b[:n], "bencode")
			if status != 3 || len(out) > 0 || !strings.Contains(said, ": byte ") || !strings.Contains(said, ": want ") {
				t.Fatalf("%s cut to %d bytes: status %d: %s%s", name, n, status, out, said)
			}
		}
		for i := 0; i < len(b); i += 1 + len(b)/8 { // damage is found, or does not matter
			damaged := bytes.Clone(b)
			damaged[i] ^= 4
			if _, said, status := shoal(t, damaged, "bencode"); status == 0 {
				roundTrip(t, fmt.Sprintf("%s, byte %d damaged", name, i), damaged)
			} else if status != 3 || !strings.Contains(said, ": byte ") {
				t.Errorf("%s, byte %d damaged: status %d: %s", name, i, status, said)
			}
		}
	}
}

// roundTrip is decode | jq . | encode | cmp.
func roundTrip(t *testing.T, name string, b []byte) {
	t.Helper()
	json, said, status := shoal(t, b, "bencode", "decode", "-")
	if status != 0 {
		t.Errorf("%s: decode: status %d: %s", name, status, said)
		return
	}
	jq := exec.CommandContext(t.Context(), "jq", ".")
	jq.Stdin = bytes.NewReader(json)
	rewritten, err := jq.Output()
	if err != nil {
		t.Errorf("%s: jq: %v", name, err)
		return
	}
	if back, said, status := shoal(t, rewritten, "bencode", "encode"); status != 0 || !bytes.Equal(back, b) {
		t.Errorf("%s: encode: status %d: %s\nwant %q\n got %q\nfrom %s", name, status, said, b, back, json)
	}
}

// torrentsOfLibtorrent are its torrents of all formats, and what it keeps to remember them.
func torrentsOfLibtorrent(t *testing.T) map[string][]byte {
	corpus := map[string][]byte{}
	for _, format := range []string{bttest.V1, bttest.V1Pads, bttest.V2, bttest.Hybrid} {
		root := bttest.Tree(t, t.TempDir(), "odd", bttest.OddNames())
		bttest.RandomFile(t, root, "large", 300_000) // of several pieces: v2 has layers then
		torrent := bttest.MakeTorrent(t, "libtorrent", root, bttest.MakeOptions{Format: format, Announce: "http://127.0.0.1:1/announce"})
		resume, session := bttest.LibtorrentState(t, torrent)
		for name, path := range map[string]string{"torrent": torrent, "resume": resume, "session": session} {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			corpus[format+" "+name] = b
		}
	}
	if out, _, _ := shoal(t, corpus["v2 torrent"], "bencode"); !strings.Contains(string(out), `"piece layers": {
    "hex:`) {
		t.Errorf("there are no layers: %s", out)
	}
	return corpus
}

// messagesOfDHT are queries that a DHT node of libtorrent sends, and its answers.
func messagesOfDHT(t *testing.T) map[string][]byte {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := bttest.RandomFile(t, t.TempDir(), "file", 50_000)
	torrent := bttest.MakeTorrent(t, "libtorrent", path, bttest.MakeOptions{})
	node := bttest.LibtorrentWith(t, torrent, filepath.Dir(path), "", "enable_dht=1", "dht_bootstrap_nodes="+conn.LocalAddr().String(),
		"dht_restrict_routing_ips=0", "dht_restrict_search_ips=0", "dht_enforce_node_id=0")
	addr, err := net.ResolveUDPAddr("udp4", node.Addr)
	if err != nil {
		t.Fatal(err)
	}
	messages := map[string][]byte{}
	buf := make([]byte, 64<<10)
	// A packet may be lost, and a busy node may not answer: then it is asked again.
	receive := func(name string, ask func() error) {
		n, err := 0, ask()
		for end := time.Now().Add(bttest.Patience); err == nil && n == 0 && time.Now().Before(end); {
			if err = conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
				break
			}
			if n, _, err = conn.ReadFrom(buf); errors.Is(err, os.ErrDeadlineExceeded) {
				err = ask()
			}
		}
		if err != nil || n == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		messages[fmt.Sprintf("DHT %d, after %s", len(messages), name)] = bytes.Clone(buf[:n])
	}
	receive("start", func() error { return nil })
	id, target := strings.Repeat("\x80", 20), strings.Repeat("a", 20)
	for _, query := range []string{
		"d1:ad2:id20:" + id + "e1:q4:ping1:t2:\xff\x001:y1:qe",
		"d1:ad2:id20:" + id + "6:target20:" + target + "e1:q9:find_node1:t2:fn1:y1:qe",
		"d1:ad2:id20:" + id + "9:info_hash20:" + target + "e1:q9:get_peers1:t2:gp1:y1:qe",
		"d1:ad2:id20:" + id + "e1:q5:what?1:t2:no1:y1:qe",
	} {
		receive(query[36:], func() error {
			_, err := conn.WriteTo([]byte(query), addr)
			return err
		})
	}
	return messages
}

// answersOfTracker are what opentracker answers to announces and a scrape.
func answersOfTracker(t *testing.T) map[string][]byte {
	var hash [20]byte
	copy(hash[:], "all of this is text!")
	announce, _ := bttest.OpenTracker(t, hash)
	query := "?info_hash=" + url.PathEscape(string(hash[:])) // not with a plus for a space
	answers := map[string][]byte{}
	for _, ask := range [][2]string{
		{"announce", announce + query + "&peer_id=-XX0001-000000000001&port=1111&uploaded=0&downloaded=0&left=0&compact=1"},
		{"again", announce + query + "&peer_id=-XX0001-000000000002&port=2222&uploaded=0&downloaded=0&left=9&compact=1"},
		{"scrape", strings.TrimSuffix(announce, "announce") + "scrape" + query},
		{"refusal", announce + "?info_hash=short"},
	} {
		resp, err := http.Get(ask[1])
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(b, []byte("d")) { // else it is a page about an error
			answers["tracker: "+ask[0]] = b
		}
	}
	out, _, _ := shoal(t, answers["tracker: scrape"], "bencode")
	if want := `"hex:` + hex.EncodeToString(hash[:]) + `": {`; !strings.Contains(string(out), want) {
		t.Errorf("scrape: %s, want %s", out, want)
	}
	return answers
}
