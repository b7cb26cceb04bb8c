package bt

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
)

const testBlocklist = "\ufeff# a comment\n" +
	"; another\n// and another\n\n" +
	"Some: name - with 1.1.1.1-ish things:1.2.3.0-1.2.3.255\r\n" +
	"overlaps:1.2.3.200-1.2.4.10\n" +
	"v6:2001:db8::1-2001:db8::ff\n" +
	"002.000.000.000 - 002.000.000.255 , 000 , A DAT line, with a comma\n" +
	"003.000.000.000 - 003.000.000.255 , 200 , permitted\n" +
	"004.000.000.000-004.000.000.009,100,no spaces\n" +
	"10.0.0.0/8\n" +
	"fd00::/8\n" +
	"192.168.1.77\n" +
	"::ffff:9.9.9.9\n" +
	"backwards:5.0.0.9-5.0.0.1\nmixed:5.0.0.1-::1\nwhat is this\n999.1.1.1\n"

func TestReadBlocklist(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(testBlocklist))
	z.Close()
	for name, text := range map[string]string{"plain": testBlocklist, "gzip": zipped.String()} {
		b, err := ReadBlocklist(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.Skipped() != 4 || b.Len() != 8 {
			t.Errorf("%s: %d ranges, %d lines skipped", name, b.Len(), b.Skipped())
		}
		for a, want := range map[string]bool{
			"1.2.2.255": false, "1.2.3.0": true, "1.2.3.201": true, "1.2.4.10": true, "1.2.4.11": false, "1.1.1.1": false,
			"2001:db8::": false, "2001:db8::80": true, "2.0.0.9": true, "3.0.0.9": false, "4.0.0.9": true, "4.0.0.10": false,
			"10.255.255.255": true, "11.0.0.0": false, "fdff::1": true, "fe00::": false, "192.168.1.77": true,
			"::ffff:10.1.1.1": true, "9.9.9.9": true, "5.0.0.5": false, "::1": false, "255.255.255.255": false,
		} {
			if got := b.Contains(netip.MustParseAddr(a)); got != want {
				t.Errorf("%s: %s blocked: %v", name, a, got)
			}
		}
	}
	for _, bad := range []string{"<html>no such list</html>", "\x1f\x8bnot gzip", strings.Repeat("x", 10000)} {
		_, err := ReadBlocklist(strings.NewReader(bad))
		wantCode(t, err, BadInput)
	}
	if b, err := ReadBlocklist(strings.NewReader("# nothing yet\n")); err != nil || b.Len() != 0 || b.Contains(netip.IPv6Loopback()) {
		t.Errorf("an empty list: %v, %v", b, err)
	}
	if b, err := ReadBlocklist(strings.NewReader(strings.Repeat("y", 3*maxBlocklistLine) + "\n1.1.1.1")); err != nil || b.Len() != 1 {
		t.Errorf("a line that is too long: %v, %v", b, err)
	}
}

// TestBlocklistSearch compares the search with looking at each range.
func TestBlocklistSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr { return netip.AddrFrom4([4]byte{1, 0, byte(r.IntN(2)), byte(r.IntN(256))}) }
	for range 100 {
		var text strings.Builder
		var ranges []addrRange
		for range 1 + r.IntN(20) {
			a, b := addr(), addr()
			if b.Less(a) {
				a, b = b, a
			}
			ranges = append(ranges, addrRange{a, b})
			fmt.Fprintf(&text, "x:%s-%s\n", a, b)
		}
		list, err := ReadBlocklist(strings.NewReader(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			a, want := addr(), false
			for _, r := range ranges {
				want = want || r.contains(a)
			}
			if list.Contains(a) != want {
				t.Fatalf("%s blocked: %v\n%s", a, !want, text.String())
			}
		}
	}
}

func FuzzReadBlocklist(f *testing.F) {
	f.Add([]byte(testBlocklist))
	f.Add([]byte("::ffff:1.2.3.4/100\n::/0\n0.0.0.0/0\n-:-\n:::-::"))
	f.Add([]byte("::ffff:0.0.0.00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ReadBlocklist(bytes.NewReader(b))
		if err != nil {
			return
		}
		for i, r := range list.ranges {
			if !list.Contains(r.first) || !list.Contains(r.last) || r.last.Less(r.first) || r.first.BitLen() != r.last.BitLen() {
				t.Fatalf("range %v", r)
			}
			if i > 0 && !list.ranges[i-1].last.Less(r.first) {
				t.Fatalf("%v overlaps %v", list.ranges[i-1], r)
			}
		}
	})
}

func TestPolicy(t *testing.T) {
	list, err := ReadBlocklist(strings.NewReader("10.1.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	p := newPolicy(Config{Blocklist: list, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("8.0.0.0/8")}})
	check := func(ip string, peer, node bool) {
		t.Helper()
		_, refused := p.Lookup(net.ParseIP(ip))
		_, nodeRefused := p.nodes().Lookup(net.ParseIP(ip))
		if refused == peer || nodeRefused == node {
			t.Errorf("%s: as peer %v, as node %v", ip, !refused, !nodeRefused)
		}
	}
	check("10.0.0.1", true, true)
	check("10.1.0.1", false, false)
	check("8.8.8.8", true, true)
	check("9.9.9.9", false, true)
	check("::1", false, true)
	p.set(nil, nil, true)
	check("10.1.0.1", true, true)
	check("8.8.8.8", false, false)
	check("127.0.0.1", true, true)
	check("fe80::1", true, true)
	check("169.254.1.1", true, true)
	check("2001:db8::1", false, false)
	if _, refused := p.Lookup(nil); !refused {
		t.Error("no address at all is let through")
	}
}
