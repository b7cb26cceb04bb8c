package bt

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/bt/bttest"
)

func testTrackerClient(t *testing.T) *trackerClient {
	c := newTrackerClient(testTransport(t, Config{Listen: "127.0.0.1"}))
	c.udpWaits = []time.Duration{50 * time.Millisecond, 5 * time.Second}
	t.Cleanup(c.close)
	return c
}

var testHash = InfoHash{1, ' ', '+', '%', 0, 255}

func testRequest() announceRequest {
	return announceRequest{InfoHash: testHash, PeerID: [20]byte{'-', 0, ' '}, Port: 7001, Uploaded: 1, Downloaded: 2,
		Left: 3, Event: eventStarted, NumWant: 50, Key: 7}
}

func TestAnnounce(t *testing.T) {
	tracker := bttest.NewTracker(t)
	other := netip.MustParseAddrPort("127.0.0.1:7002")
	tracker.AddPeer(testHash, other)
	c := testTrackerClient(t)
	for _, u := range []string{tracker.HTTP, tracker.UDP + "?pass=key", tracker.UDP} {
		r, err := c.announce(t.Context(), u, testRequest())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Peers, []netip.AddrPort{other}) || r.Seeders != 1 || r.Interval != 30*time.Minute {
			t.Errorf("%s: %+v", u, r)
		}
	}
	want := bttest.Announce{Proto: "http", InfoHash: testHash, PeerID: testRequest().PeerID, Event: "started",
		Path: "/announce", Uploaded: 1, Downloaded: 2, Left: 3, NumWant: 50, Peer: netip.MustParseAddrPort("127.0.0.1:7001")}
	got := tracker.Wait(t, func(a []bttest.Announce) bool { return len(a) == 3 })
	for i, a := range got {
		if i > 0 {
			want.Proto = "udp"
		}
		if want.Path = "/announce"; i == 1 {
			want.Path = "/announce?pass=key"
		}
		if a != want {
			t.Errorf("tracker got %+v, want %+v", a, want)
		}
	}
	tracker.SetFailure("go away")
	for _, u := range []string{tracker.HTTP, tracker.UDP} {
		_, err := c.announce(t.Context(), u, testRequest())
		var refused *trackerError
		if !errors.As(err, &refused) || refused.Reason != "go away" || CodeOf(err) != Network {
			t.Errorf("%s: %v", u, err)
		}
	}
	_, err := c.announce(t.Context(), "wss://127.0.0.1/announce", testRequest())
	if !errors.Is(err, errNeedsWebRTC) {
		t.Error(err)
	}
}

func TestParseTrackerURL(t *testing.T) {
	for _, bad := range []string{"", "foo", "ftp://h/", "http://", "http:///a", "http://u:p@h/", "udp://h", "udp://h:0/",
		"http://h:99999/", "http://h\x00/", "dht://h:1", "file:///etc/passwd", "http://" + strings.Repeat("a", 3000)} {
		if u, err := parseTrackerURL(bad); err == nil {
			t.Errorf("%q passes as %v", bad, u)
		} else if CodeOf(err) != BadInput {
			t.Error(err)
		}
	}
	for in, want := range map[string]string{"HTTP://h/a": "http://h/a", "udp://h:1": "udp://h:1", " https://h/?a=b#c": "https://h/?a=b"} {
		if u, err := parseTrackerURL(in); err != nil || u.String() != want {
			t.Errorf("%q: %v, %v", in, u, err)
		}
	}
}

func TestParseAnnounceReply(t *testing.T) {
	r, err := parseAnnounceReply([]byte("d8:completei5e11:external ip4:\x01\x02\x03\x0410:incompletei-3e8:intervali99999999999e" +
		"12:min interval3:odd5:peersld2:ip9:127.0.0.14:porti80eed2:ip7:example4:porti80eed2:ip5:0.0.04:porti1eei7ee" +
		"6:peers618:\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x1a\xe1" + "10:tracker id2:id15:warning message2:hoe"))
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("[2001:db8::1]:6881")}
	if !slices.Equal(r.Peers, want) || r.Seeders != 5 || r.Leechers != 0 || r.Interval != 24*time.Hour || r.MinInterval != 0 ||
		r.ExternalIP.String() != "1.2.3.4" || r.TrackerID != "id" || r.Warning != "ho" {
		t.Errorf("%+v", r)
	}
	r, err = parseAnnounceReply([]byte("d5:peers24:\x7f\x00\x00\x01\x00\x00\xe0\x00\x00\x01\x00\x50\x00\x00\x00\x00\x00\x50\x0a\x00\x00\x01\x00\x50e"))
	if err != nil || len(r.Peers) != 1 || r.Peers[0].String() != "10.0.0.1:80" {
		t.Errorf("%+v, %v", r, err)
	}
	for in, want := range map[string]trackerError{
		"d14:failure reason2:no8:retry ini5ee":     {"no", 5 * time.Minute, false},
		"d14:failure reason2:no8:retry in2:10e":    {"no", 10 * time.Minute, false},
		"d14:failure reason2:no8:retry in5:nevere": {"no", 0, true},
	} {
		var got *trackerError
		if _, err := parseAnnounceReply([]byte(in)); !errors.As(err, &got) || *got != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func FuzzParseAnnounceReply(f *testing.F) {
	for _, s := range []string{"d8:intervali1800e5:peers6:\x7f\x00\x00\x01\x1a\xe1e", "d5:peersld2:ip9:127.0.0.14:porti80eeee",
		"d14:failure reason2:no8:retry in5:nevere", "le", "d1:ai1ee", "d1:a", "5:peers", strings.Repeat("l", 100),
		"d6:peers618:aaaaaaaaaaaaaaaaaae", "d5:peersi-0ee", "d99999999999:"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseAnnounceReply(b)
		if err != nil {
			return
		}
		if len(r.Peers) > maxTrackerPeers || r.Interval < 0 || r.Seeders < 0 {
			t.Fatalf("%+v", r)
		}
		for _, p := range r.Peers {
			if !usablePeer(p) {
				t.Fatalf("peer %v", p)
			}
		}
	})
}

func FuzzParseUDPAnnounce(f *testing.F) {
	f.Add([]byte("aaaabbbbcccc\x7f\x00\x00\x01\x1a\xe1"), true)
	f.Add([]byte("aaaabbbbcccc"+strings.Repeat("x", 37)), false)
	f.Fuzz(func(t *testing.T, b []byte, is4 bool) {
		r, err := parseUDPAnnounce(b, is4)
		if err == nil && (r.Interval < 0 || r.Leechers < 0 || len(r.Peers) > len(b)/6) {
			t.Fatalf("%+v", r)
		}
	})
}

func TestHostileHTTPTracker(t *testing.T) {
	zeros := make([]byte, 64<<10)
	mux := http.NewServeMux()
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(zeros); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 10000 { // 640 MB
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		z.Close()
	})
	mux.HandleFunc("/zipped", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, "d8:intervali60e5:peers0:e")
		z.Close()
	})
	mux.HandleFunc("/deep", func(w http.ResponseWriter, r *http.Request) { w.Write(bytes.Repeat([]byte("l"), 1<<20)) })
	mux.HandleFunc("/html", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<b>\x1b[31mno</b>") })
	mux.HandleFunc("/many", func(w http.ResponseWriter, r *http.Request) {
		b := bytes.Repeat([]byte{10, 0, 0, 1, 0, 80}, 5000)
		fmt.Fprintf(w, "d5:peers%d:%se", len(b), b)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	c := testTrackerClient(t)
	for path, want := range map[string]string{
		"/endless": "more than 2 MiB", "/bomb": "more than 2 MiB", "/deep": "not bencode",
		"/html": `"<b>\x1b[31mno</b>"`, "/nosuch": "answers 404",
	} {
		_, err := c.announce(t.Context(), srv.URL+path, testRequest())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "info_hash") {
			t.Errorf("%s: %v", path, err)
		}
		wantCode(t, err, Network)
	}
	if r, err := c.announce(t.Context(), srv.URL+"/many", testRequest()); err != nil || len(r.Peers) != maxTrackerPeers {
		t.Error(err)
	}
	if r, err := c.announce(t.Context(), srv.URL+"/zipped", testRequest()); err != nil || r.Interval != time.Minute {
		t.Error(err)
	}
}

// TestUDPTrackerOdds plays a tracker on a bad network: packets are lost, strangers and old answers come in between, and
// connection ids are forgotten.
func TestUDPTrackerOdds(t *testing.T) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	done := make(chan int)
	go func() {
		defer close(done)
		connects, buf := 0, make([]byte, 2048)
		for n := 0; ; n++ {
			size, from, err := pc.ReadFrom(buf)
			if err != nil {
				done <- connects
				return
			}
			b := buf[:size]
			tx, action := b[12:16], binary.BigEndian.Uint32(b[8:])
			reply := func(action uint32, body string) []byte {
				return append(append(binary.BigEndian.AppendUint32(nil, action), tx...), body...)
			}
			switch {
			case n == 0: // lost
			case action == udpConnect:
				connects++
				stranger.WriteTo(reply(udpError, "stranger"), from)
				pc.WriteTo([]byte("junk"), from)
				pc.WriteTo([]byte("\x00\x00\x00\x03????old"), from)
				pc.WriteTo(reply(udpConnect, fmt.Sprintf("conn%04d", connects)), from)
			case string(b[:8]) != fmt.Sprintf("conn%04d", connects):
				pc.WriteTo(reply(udpError, "connection id"), from)
			default:
				pc.WriteTo(reply(udpAnnounce, "\x00\x00\x00\x3c\xff\xff\xff\xff\x00\x00\x00\x02\x7f\x00\x00\x01\x00\x50odd"), from)
			}
		}
	}()
	c := testTrackerClient(t)
	to := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	for i := range 3 {
		r, err := c.announce(t.Context(), "udp://"+to.String(), testRequest())
		if err != nil {
			t.Fatal(err)
		}
		if r.Interval != time.Minute || r.Leechers != 0 || r.Seeders != 2 || len(r.Peers) != 1 {
			t.Errorf("%+v", r)
		}
		if i == 1 { // the tracker was restarted
			c.setConnID(to, &udpConnID{1, time.Now()})
		}
	}
	pc.Close()
	if connects := <-done; connects != 2 {
		t.Errorf("connected %d times, want once and once more", connects)
	}
}
