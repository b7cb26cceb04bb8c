package bt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal/bt/bencode"
)

// testTrackerServer is a tracker for testHash whose clock the test moves.
func testTrackerServer(cfg trackerServerConfig) (t *trackerServer, now *time.Time) {
	now = new(time.Time)
	*now = time.Unix(1_700_000_000, 0)
	cfg.Now = func() time.Time { return *now }
	cfg.Self = func(netip.Addr) []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:7000")} }
	t = newTrackerServer(cfg)
	t.add(&Metainfo{InfoHash: testHash})
	return t, now
}

func query(h InfoHash, id string, port int, more string) map[string][]string {
	return parseTrackerQuery(fmt.Sprintf("info_hash=%s&peer_id=%s&port=%d%s", escapeBytes(string(h[:])), escapeBytes((id + strings.Repeat("-", 20))[:20]), port, more))
}

var somebody = netip.MustParseAddr("192.0.2.1")

func TestTrackerServerHTTP(t *testing.T) {
	var wants, has []string
	tr, now := testTrackerServer(trackerServerConfig{
		OnPeer:     func(_ InfoHash, p netip.AddrPort) { wants = append(wants, p.String()) },
		OnComplete: func(_ InfoHash, id [20]byte, _ netip.AddrPort) { has = append(has, string(id[:1])) },
	})
	ask := func(from string, q map[string][]string) *announceReply {
		t.Helper()
		r, err := parseAnnounceReply(tr.announceHTTP(q, netip.MustParseAddr(from)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	peers := func(r *announceReply) (s string) {
		for _, p := range r.Peers {
			s += p.String() + " "
		}
		return s
	}
	if r := ask("192.0.2.1", query(testHash, "a", 1, "&left=5&event=started&ip=203.0.113.1")); peers(r) != "192.0.2.9:7000 " || r.Seeders != 1 || r.Leechers != 1 || r.Interval != 5*time.Minute {
		t.Errorf("%+v", r)
	}
	if r := ask("2001:db8::1", query(testHash, "b", 2, "&left=5&compact=1")); peers(r) != "192.0.2.9:7000 192.0.2.1:1 " {
		t.Errorf("%+v", r)
	}
	if r := ask("192.0.2.1", query(testHash, "a", 1, "&left=0&event=completed")); peers(r) != "192.0.2.9:7000 [2001:db8::1]:2 " || r.Seeders != 2 || r.Leechers != 1 {
		t.Errorf("a seed gets %+v", r)
	}
	// aria2 has nothing left, it says, of a magnet of which it has nothing: it must find somebody, and be no copy.
	if r := ask("192.0.2.3", query(testHash, "c", 3, "&left=0&event=started")); peers(r) != "192.0.2.9:7000 [2001:db8::1]:2 " {
		t.Errorf("who has a magnet gets %+v", r)
	}
	if r := ask("192.0.2.3", query(testHash, "c", 3, "&left=0&event=stopped")); len(r.Peers) != 0 {
		t.Errorf("%+v", r)
	}
	if b := tr.announceHTTP(query(testHash, "b", 2, "&left=1&compact=0"), netip.MustParseAddr("2001:db8::1")); !bytes.Contains(b, []byte("2:ip9:192.0.2.17:peer id20:a---")) {
		t.Errorf("%q", b)
	}
	if c, _ := tr.scrape(testHash); c != (servedCount{2, 1, 1}) {
		t.Errorf("%+v", c)
	}
	if r := ask("192.0.2.1", query(testHash, "a", 1, "&left=0&event=stopped")); len(r.Peers) != 0 || r.Seeders != 1 {
		t.Errorf("%+v", r)
	}
	*now = now.Add(20 * time.Minute)
	if c, _ := tr.scrape(testHash); c != (servedCount{1, 1, 0}) || tr.total != 0 {
		t.Errorf("who does not come back stays: %+v", c)
	}
	if fmt.Sprint(wants, has) != "[192.0.2.1:1 [2001:db8::1]:2 [2001:db8::1]:2] [a]" {
		t.Error(wants, has)
	}
	for _, bad := range []map[string][]string{
		query(InfoHash{9}, "a", 1, ""), query(testHash, "a", 0, ""), query(testHash, "a", 65536, ""), {},
		parseTrackerQuery("info_hash=%zz&peer_id=1"),
	} {
		if r, err := parseAnnounceReply(tr.announceHTTP(bad, somebody)); err == nil {
			t.Errorf("%v: %+v", bad, r)
		}
	}
	if b := tr.scrapeHTTP(nil); !bytes.Contains(b, []byte("failure reason")) {
		t.Errorf("%q", b)
	}
	want := "d5:filesd20:" + string(testHash[:]) + "d8:completei1e10:downloadedi1e10:incompletei0eeee"
	if b := tr.scrapeHTTP(query(testHash, "", 1, "&info_hash="+strings.Repeat("x", 20))); string(b) != want {
		t.Errorf("%q", b)
	}
	tr.remove(&Metainfo{InfoHash: testHash})
	if _, err := parseAnnounceReply(tr.announceHTTP(query(testHash, "a", 1, ""), somebody)); err == nil {
		t.Error("what is not served any more is known")
	}
}

// However many come, memory stays bounded, and the last to come are the ones who are known.
func TestTrackerServerBounds(t *testing.T) {
	tr, _ := testTrackerServer(trackerServerConfig{MaxPeers: 100, MaxTotal: 150})
	tr.add(&Metainfo{InfoHash: InfoHash{2}})
	tr.add(&Metainfo{InfoHash: InfoHash{3}})
	for i := range 1000 {
		h := []InfoHash{testHash, {2}, {3}}[i%3]
		left := uint64(i % 2)
		r, ok := tr.announce(serverAnnounce{InfoHash: h, Peer: netip.AddrPortFrom(somebody, uint16(i+1)), Left: left, NumWant: 1 << 30})
		if !ok || len(r.Peers) > serverMaxWant {
			t.Fatal(len(r.Peers), ok)
		}
		sum := 0
		for _, s := range tr.swarms {
			seeds := 0
			for _, p := range s.peers {
				if p.seed {
					seeds++
				}
			}
			if sum += len(s.peers); len(s.peers) > 100 || seeds != s.seeds {
				t.Fatalf("%d peers, %d of %d seeds", len(s.peers), s.seeds, seeds)
			}
		}
		if sum != tr.total || sum > 150 {
			t.Fatalf("%d peers, counted %d", sum, tr.total)
		}
	}
}

func udpRequest(id uint64, action uint32, body ...byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, id)
	return append(append(binary.BigEndian.AppendUint32(b, action), "txid"...), body...)
}

func TestTrackerServerUDP(t *testing.T) {
	tr, now := testTrackerServer(trackerServerConfig{})
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	connect := tr.udpReply(udpRequest(udpProtocol, udpConnect), from)
	if len(connect) != 16 || string(connect[4:8]) != "txid" {
		t.Fatalf("%q", connect)
	}
	id := binary.BigEndian.Uint64(connect[8:])
	announce := append(testHash[:], make([]byte, 62)...)
	binary.BigEndian.PutUint64(announce[48:], 7)
	binary.BigEndian.PutUint32(announce[76:], 1<<31)
	announce[81] = 80 // the port
	good := udpRequest(id, udpAnnounce, announce...)
	reply := tr.udpReply(good, from)
	r, err := parseUDPAnnounce(reply[8:], true)
	if err != nil || len(r.Peers) != 1 || r.Peers[0].String() != "192.0.2.9:7000" || r.Seeders != 1 || r.Leechers != 1 {
		t.Errorf("%q: %+v, %v", reply, r, err)
	}
	scrape := tr.udpReply(udpRequest(id, udpScrape, append(testHash[:], make([]byte, 20)...)...), from)
	if want := "\x00\x00\x00\x02txid\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01" + strings.Repeat("\x00", 12); string(scrape) != want {
		t.Errorf("%q", scrape)
	}
	refused := func(b []byte, from netip.AddrPort) bool {
		reply := tr.udpReply(b, from)
		return reply == nil || binary.BigEndian.Uint32(reply) == udpError && len(reply) <= len(b)
	}
	if !refused(good, netip.MustParseAddrPort("192.0.2.2:5000")) {
		t.Error("a connection id is good for another address")
	}
	if tr.udpReply(udpRequest(1, udpConnect), from) != nil {
		t.Error("a connect without the protocol's number is answered")
	}
	*now = now.Add(time.Minute)
	if refused(good, from) {
		t.Error("a connection id is refused after a minute")
	}
	*now = now.Add(4 * time.Minute)
	if !refused(good, from) {
		t.Error("a connection id is good after five minutes")
	}
}

// Who has no connection id gets no more bytes than it sent; nobody gets a packet that could not arrive.
func FuzzTrackerServerUDP(f *testing.F) {
	tr, _ := testTrackerServer(trackerServerConfig{MaxPeers: 50})
	from := netip.MustParseAddrPort("192.0.2.1:5000")
	id := tr.connID(from.Addr(), tr.epoch())
	f.Add(udpRequest(udpProtocol, udpConnect), false)
	f.Add(udpRequest(id, udpAnnounce, append(testHash[:], make([]byte, 62)...)...), true)
	f.Add(udpRequest(id, udpScrape, bytes.Repeat(testHash[:], 80)...), true)
	f.Add([]byte("short"), true)
	f.Fuzz(func(t *testing.T, b []byte, connected bool) {
		if connected && len(b) >= 8 {
			binary.BigEndian.PutUint64(b, id)
		}
		reply := tr.udpReply(b, from)
		if known := len(b) >= 8 && binary.BigEndian.Uint64(b) == id; len(reply) > 1400 || !known && len(reply) > len(b) {
			t.Fatalf("%d bytes for %d", len(reply), len(b))
		}
		if reply != nil && !bytes.Equal(reply[4:8], b[12:16]) {
			t.Fatal("the answer is to something else")
		}
	})
}

// What a tracker of ours says, a client of ours understands.
func FuzzTrackerServerHTTP(f *testing.F) {
	tr, _ := testTrackerServer(trackerServerConfig{MaxPeers: 50})
	hash := escapeBytes(string(testHash[:]))
	f.Add("info_hash=" + hash + "&peer_id=12345678901234567890&port=1&left=0&event=completed&compact=0")
	f.Add("info_hash=" + hash + "&peer_id=12345678901234567890&port=99&numwant=-1&left=x&no_peer_id=1")
	f.Add("info_hash=%&&&==&port=")
	f.Fuzz(func(t *testing.T, raw string) {
		q := parseTrackerQuery(raw)
		b := tr.announceHTTP(q, somebody)
		r, err := parseAnnounceReply(b)
		if err != nil && !strings.Contains(err.Error(), "tracker says") {
			t.Fatalf("%q: %v", b, err)
		}
		if err == nil && (r.Interval <= 0 || r.Seeders < 1) {
			t.Fatalf("%+v", r)
		}
		if err := bencode.Check(tr.scrapeHTTP(q), scanLimits); err != nil {
			t.Fatal(err)
		}
	})
}
