package bt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"shoal/bt/bttest"
)

func testHashes(n int) (all []InfoHash) {
	for i := range n {
		all = append(all, InfoHash{1, byte(i >> 8), byte(i), ' ', '&', 0, 0xff, 0x80})
	}
	return all
}

func scrapeOf(t *testing.T, c *trackerClient, tracker string, hashes ...InfoHash) (map[InfoHash]swarmCount, error) {
	t.Helper()
	u, err := parseTrackerURL(tracker)
	if err != nil {
		t.Fatal(err)
	}
	return c.scrape(t.Context(), u, hashes)
}

// The examples are those of the convention that BEP 48 wrote down.
func TestScrapeURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/announce":               "http://h/scrape",
		"http://h/x/announce":             "http://h/x/scrape",
		"http://h/announce.php":           "http://h/scrape.php",
		"https://h/announce?x2%0644":      "https://h/scrape?x2%0644",
		"http://h/announce/announce.php?": "http://h/announce/scrape.php?",
		"http://h/a%2Fb/announce":         "http://h/a%2Fb/scrape",
		"http://h/announce/key":           "",
		"http://h/a":                      "",
		"http://h/":                       "",
		"http://h":                        "",
		"http://h/x%064announce":          "",
		"http://h/?/announce":             "",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := scrapeURL(u)
		if want == "" {
			wantCode(t, err, BadInput)
		} else if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", in, got, err, want)
		}
	}
}

func TestScrape(t *testing.T) {
	tracker := bttest.NewTracker(t)
	hashes := testHashes(3)
	for i := range 2 {
		tracker.AddPeer(hashes[i], netip.MustParseAddrPort("127.0.0.1:7002"))
	}
	c := testTrackerClient(t)
	req := testRequest()
	req.InfoHash, req.Event = hashes[1], eventCompleted
	if _, err := c.announce(t.Context(), tracker.HTTP, req); err != nil {
		t.Fatal(err)
	}
	want := map[InfoHash]swarmCount{hashes[0]: {1, 0, 0}, hashes[1]: {1, 1, 1}}
	got, err := scrapeOf(t, c, tracker.HTTP+"?pass=key", hashes...)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("over HTTP %v, %v", got, err)
	}
	want[hashes[2]] = swarmCount{}
	if got, err = scrapeOf(t, c, tracker.UDP, hashes...); err != nil || !maps.Equal(got, want) {
		t.Errorf("over UDP %v, %v", got, err)
	}
}

// Many a tracker looks at one infohash of a request only.
func TestScrapeOneAtATime(t *testing.T) {
	hashes, hits := testHashes(40), 0
	known := hashes[30:]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		q := r.URL.Query()["info_hash"]
		for _, h := range known {
			if last := q[len(q)-1]; last == string(h[:]) {
				fmt.Fprintf(w, "d5:filesd20:%sd8:completei1eeee", last)
				return
			}
		}
		fmt.Fprint(w, "d5:filesdee")
	}))
	defer srv.Close()
	c := testTrackerClient(t)
	if got, err := scrapeOf(t, c, srv.URL+"/announce", hashes[28:]...); err != nil || len(got) != len(known) || hits != 12 {
		t.Errorf("%d found with %d requests, %v", len(got), hits, err)
	}
	hits = 0
	if got, err := scrapeOf(t, c, srv.URL+"/announce", hashes[:28]...); err != nil || len(got) != 0 || hits != 1+maxProbes {
		t.Errorf("of what is not known %d found with %d requests, %v", len(got), hits, err)
	}
}

// TestScrapeLossyUDP loses the first packet of each kind, and answers with numbers that cannot be.
func TestScrapeLossyUDP(t *testing.T) {
	lost := map[uint32]bool{}
	server := bttest.UDPBehaviour{Name: "lossy", Reply: func(request, honest []byte) [][]byte {
		action, n := binary.BigEndian.Uint32(request[8:]), (len(request)-16)/20
		switch {
		case !lost[action]:
			lost[action] = true
			return nil
		case action != udpScrape:
			return [][]byte{honest}
		}
		answer := append(honest[:8:8], strings.Repeat("\x00\x00\x00\x07\xff\xff\xff\xff\x7f\xff\xff\xff", n)...)
		if n == 3 {
			answer = answer[:len(answer)-1]
		}
		return [][]byte{[]byte("junk"), answer, append(answer, "more"...)}
	}}.Start(t)
	c := testTrackerClient(t)
	c.udpWaits = []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, 5 * time.Second}
	h := testHashes(3)
	got, err := scrapeOf(t, c, server.URL, h[:2]...)
	if want := (swarmCount{7, -1, 1<<31 - 1}); err != nil || got[h[0]] != want || got[h[1]] != want {
		t.Error(got, err)
	}
	if _, err := scrapeOf(t, c, server.URL, h...); err == nil || !strings.Contains(err.Error(), "for 2 of 3 torrents") {
		t.Error(err)
	}
}

// A wsTracker answers each message over WebSocket with what reply says, in turn.
func wsTracker(t *testing.T, reply func(request string) []string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		conn.SetReadLimit(1 << 20)
		for {
			_, b, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			for _, message := range reply(string(b)) {
				if conn.Write(r.Context(), websocket.MessageText, []byte(message)) != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func TestScrapeWS(t *testing.T) {
	h := testHashes(2)
	asked := ""
	tracker := wsTracker(t, func(request string) []string {
		asked = request
		return []string{`{"action":"announce","interval":120}`,
			`{"action":"scrape","files":{"\u0001\u0000\u0000 &\u0000ÿ` + "\u0080" + strings.Repeat(`\u0000`, 12) + `":{"complete":3,"incomplete":1e99,"downloaded":null}}}`}
	})
	got, err := scrapeOf(t, testTrackerClient(t), tracker, h...)
	if err != nil || !maps.Equal(got, map[InfoHash]swarmCount{h[0]: {3, -1, 1<<31 - 1}}) {
		t.Error(got, err)
	}
	if !strings.Contains(asked, `"action":"scrape"`) || !strings.Contains(asked, "ÿ\u0080") {
		t.Errorf("asked %s", asked)
	}
}

// Over TLS a server would speak HTTP/2, over which there is no WebSocket to be had.
func TestScrapeTLS(t *testing.T) {
	h := testHashes(1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/scrape" {
			fmt.Fprintf(w, "d5:filesd20:%sd8:completei%deeee", h[0][:], r.ProtoMajor)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		if _, _, err := conn.Read(r.Context()); err == nil {
			conn.Write(r.Context(), websocket.MessageText, []byte(`{"action":"scrape","files":{}}`))
		}
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	c := testTrackerClient(t)
	if _, err := scrapeOf(t, c, srv.URL+"/announce", h...); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody's: %v", err)
	}
	c.http.Transport.(*guardedTransport).plain.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
	if got, err := scrapeOf(t, c, srv.URL+"/announce", h...); err != nil || got[h[0]].Seeders < 1 {
		t.Error(got, err)
	}
	if got, err := scrapeOf(t, c, "wss"+strings.TrimPrefix(srv.URL, "https"), h...); err != nil || got == nil {
		t.Error(got, err)
	}
}

func TestHostileWSTracker(t *testing.T) {
	many := make([]string, 2*maxWSMessages)
	for i := range many {
		many[i] = `{"action":"announce"}`
	}
	for name, c := range map[string]struct {
		says []string
		want string
	}{
		"no JSON":         {[]string{"hello"}, "not its JSON"},
		"a list":          {[]string{"[]"}, "not its JSON"},
		"deep":            {[]string{strings.Repeat("[", 100_000)}, "not its JSON"},
		"much":            {many, "does not answer"},
		"too big":         {[]string{`{"action":"` + strings.Repeat("x", maxTrackerReply) + `"}`}, "more than 2 MiB"},
		"refuses":         {[]string{`{"failure reason":"no\u001b[2J"}`}, `tracker says "no\x1b[2J"`},
		"refuses oddly":   {[]string{`{"failure reason":[1]}`}, `tracker says ""`},
		"no files":        {[]string{`{"action":"scrape"}`}, "something else than a scrape"},
		"files of no use": {[]string{`{"action":"scrape","files":{"x":7,"":[]}}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scrapeOf(t, testTrackerClient(t), wsTracker(t, func(string) []string { return c.says }), testHashes(1)...)
			if c.want == "" && (err != nil || len(got) > 0) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	_, err := scrapeOf(t, testTrackerClient(t), "ws"+strings.TrimPrefix(srv.URL, "http")+"/secret", testHashes(1)...)
	if err == nil || !strings.Contains(err.Error(), "answers 404") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	u, _ := url.Parse(wsTracker(t, func(string) []string { return nil }))
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, late)
	defer cancel()
	if _, err := testTrackerClient(t).scrape(ctx, u, testHashes(1)); !errors.Is(err, late) {
		t.Errorf("one that says nothing: %v", err)
	}
}

// An outer proxy, interface or rule counts for WebSocket too.
func TestScrapeKeepsToTransport(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, scheme := range []string{"http", "ws", "udp"} {
		c := newTrackerClient(testTransport(t, Config{Proxy: "socks5://127.0.0.1:1"}))
		_, err := scrapeOf(t, c, scheme+"://"+l.Addr().String()+"/announce", testHashes(1)...)
		wantCode(t, err, Network)
		lan := newTrackerClient(testTransport(t, Config{LANOnly: true}))
		if _, err := scrapeOf(t, lan, scheme+"://192.0.2.1:80/announce", testHashes(1)...); err == nil || !strings.Contains(err.Error(), "only local") {
			t.Errorf("%s goes out: %v", scheme, err)
		}
	}
}

func checkCounts(t *testing.T, found map[InfoHash]swarmCount, asked []InfoHash) {
	t.Helper()
	for h, n := range found {
		if !slices.Contains(asked, h) {
			t.Fatalf("%v was not asked for", h)
		}
		if least := min(n.Seeders, n.Completed, n.Leechers); least < -1 || max(n.Seeders, n.Completed, n.Leechers) > 1<<31-1 {
			t.Fatalf("%+v", n)
		}
	}
}

func FuzzParseScrapeReply(f *testing.F) {
	h := testHashes(2)
	for _, s := range []string{"d5:filesdee", "d5:filesd20:" + string(h[0][:]) + "d8:completei5e10:downloadedi50e10:incompletei-10eeee",
		"d5:filesd24:" + binaryString(h[0][:]) + "d8:completei5eeee", "d14:failure reason2:noe", "d5:filesle", "d5:filesd20:" + string(h[1][:]) + "leee", "le", "d5:filesd1:xdeee", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if found, err := parseScrapeReply(b, h); err == nil {
			checkCounts(t, found, h)
		}
	})
}

func FuzzParseWSScrape(f *testing.F) {
	h := testHashes(1)
	for _, s := range []string{`{"action":"scrape","files":{"\u0001\u0000\u0000 &\u0000ÿ` + "\u0080" + strings.Repeat(`\u0000`, 12) + `":{"complete":-3,"incomplete":1e99}}}`,
		`{"action":"scrape","files":[]}`, `{"failure reason":"x"}`, `{"action":"announce"}`, `null`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if found, err := parseWSScrape(b, h); err == nil {
			checkCounts(t, found, h)
		}
	})
}

func FuzzParseUDPScrape(f *testing.F) {
	f.Add([]byte("aaaabbbbccccdddd"), uint8(1))
	f.Add([]byte(strings.Repeat("\xff", 24)), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		counts, err := parseUDPScrape(b, int(n))
		if (err == nil) != (len(b) >= 12*int(n)) || err == nil && len(counts) != int(n) {
			t.Fatal(counts, err)
		}
		for _, c := range counts {
			checkCounts(t, map[InfoHash]swarmCount{{}: c}, []InfoHash{{}})
		}
	})
}
