package bt

import (
	"crypto/sha1"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// insert adds an address as BEP 33 says.
func (b *bloomFilter) insert(ip []byte) {
	sum := sha1.Sum(ip)
	for _, bit := range []int{int(sum[0]) | int(sum[1])<<8, int(sum[2]) | int(sum[3])<<8} {
		bit %= 8 * len(b)
		b[bit/8] |= 1 << (bit % 8)
	}
}

// The example is that of BEP 33: 256 IPv4 addresses and 1000 IPv6 addresses.
func TestBloomFilter(t *testing.T) {
	var b, full bloomFilter
	if n := b.estimate(); n != 0 {
		t.Errorf("an empty one holds %d", n)
	}
	for i := range 256 {
		b.insert(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).AsSlice())
	}
	for i := range 0x3e8 {
		b.insert(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)).AsSlice())
	}
	if n := b.estimate(); n != 1225 {
		t.Errorf("the example holds %d, want 1225", n)
	}
	for i := range full {
		full[i] = 0xff
	}
	if n := full.estimate(); n != 7806 {
		t.Errorf("a full one holds %d", n)
	}
}

func FuzzBloomFilter(f *testing.F) {
	f.Add([]byte{1, 2}, []byte{255})
	f.Fuzz(func(t *testing.T, x, y []byte) {
		var a, b [256]byte
		copy(a[:], x)
		copy(b[:], y)
		var one, both bloomFilter
		one.add(&a)
		both.add(&a)
		both.add(&b)
		if one.estimate() < 0 || both.estimate() < one.estimate() || both.estimate() > 7806 {
			t.Fatal(one.estimate(), both.estimate())
		}
	})
}

// scrapeNode is a DHT node that answers every query with r, to which it adds its id; nil is silence.
func scrapeNode(t *testing.T, r map[string]any) string {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	reply := map[string]any{"id": strings.Repeat("n", 20), "token": "t"}
	for k, v := range r {
		reply[k] = v
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var q krpc.Msg
			if r == nil || bencode.Unmarshal(buf[:n], &q) != nil {
				continue
			}
			if q.Q == "get_peers" && (q.A.Scrape != 1 || !q.ReadOnly) {
				t.Errorf("asked %q", buf[:n])
			}
			b := bencode.MustMarshal(map[string]any{"t": q.T, "y": "r", "r": reply})
			pc.WriteTo(b, from)
		}
	}()
	return pc.LocalAddr().String()
}

func TestScrapeDHT(t *testing.T) {
	var seeds, leeches bloomFilter
	seeds.insert([]byte{192, 0, 2, 1})
	seeds.insert([]byte{192, 0, 2, 2})
	leeches.insert([]byte{192, 0, 2, 3})
	filters := map[string]any{"BFsd": string(seeds[:]), "BFpe": string(leeches[:])}
	full := strings.Repeat("\xff", 256)
	values := []string{"\xc0\x00\x02\x01\x1a\xe1", "\xc0\x00\x02\x01\x1a\xe1", "\x00\x00\x00\x00\x00\x00"}
	for name, c := range map[string]struct {
		nodes []map[string]any
		want  string
	}{
		"filters":        {[]map[string]any{filters}, "2 -1 1 0 ok"},
		"silent as well": {[]map[string]any{filters, nil}, "2 -1 1 0 ok"},
		"values alone":   {[]map[string]any{{"values": values}}, "-1 -1 -1 1 ok"},
		"nobody":         {[]map[string]any{{}}, "-1 -1 -1 0 unknown-hash"},
		"empty filters":  {[]map[string]any{{"BFsd": string(make([]byte, 256)), "BFpe": string(make([]byte, 256))}}, "0 -1 0 0 unknown-hash"},
		"full filters":   {[]map[string]any{{"BFsd": full, "BFpe": full}}, "7806 -1 7806 0 ok"},
		"no answer":      {[]map[string]any{nil}, "-1 -1 -1 -1 network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cfg Config
			for _, r := range c.nodes {
				cfg.DHTNodes = append(cfg.DHTNodes, scrapeNode(t, r))
			}
			rows := scrapeClient(t, cfg).Scrape(t.Context(), []ScrapeTarget{{InfoHash: testHash}, {InfoHash: InfoHash{9}, Private: true}},
				ScrapeOptions{DHT: true, Timeout: 10 * time.Second})
			if len(rows) != 2 || CodeOf(rows[1].Err) != Usage {
				t.Fatalf("%+v", rows)
			}
			r := rows[0]
			if got := fmt.Sprint(r.Seeders, r.Completed, r.Leechers, r.Peers, " ", CodeOf(r.Err)); got != c.want {
				t.Errorf("got %s (%v), want %s", got, r.Err, c.want)
			}
		})
	}
}
