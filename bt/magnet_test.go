package bt

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const (
	hexV1 = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a"
	b32V1 = "YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK"
	hexV2 = "d66919e15e1d90ead86302c9a1ee9ef73b446be261d65b8d8d78c589ae04cdc0"
)

func TestParseMagnet(t *testing.T) {
	v1, v2 := mustHash(t, hexV1), mustHashV2(t, hexV2)
	tests := []struct {
		in   string
		want Magnet
	}{
		{"magnet:?xt=urn:btih:" + hexV1, Magnet{InfoHash: v1}},
		{"MAGNET:?XT=URN:BTIH:" + strings.ToUpper(hexV1), Magnet{InfoHash: v1}},
		{"magnet:xt=urn:btih:" + b32V1, Magnet{InfoHash: v1}},
		{" magnet:?xt=urn:btih:" + strings.ToLower(b32V1) + "======\n", Magnet{InfoHash: v1}},
		{"magnet:?xt=urn%3Abtih%3A" + hexV1, Magnet{InfoHash: v1}},
		{"magnet:?xt.1=urn:btih:" + hexV1 + "&xt.2=urn:btmh:1220" + hexV2, Magnet{InfoHash: v1, InfoHashV2: v2}},
		{"magnet:?xt=urn:btmh:1220" + strings.ToUpper(hexV2), Magnet{InfoHashV2: v2}},
		{"magnet:?xt=urn:ed2k:31d6&xt=urn:btih:" + hexV1 + "&xt=urn:btih:" + hexV1, Magnet{InfoHash: v1}},
		{"magnet:?dn=a+b%20c%2F&dn=x&xt=urn:btih:" + hexV1 + "&xl=10&xl=x&unknown=1&=&&novalue#frag",
			Magnet{InfoHash: v1, Name: "a b c/", Length: 10}},
		{"magnet:?xt=urn:btih:" + hexV1 + "&amp;dn=x&dn=%ff", Magnet{InfoHash: v1, Name: "x"}},
		{"magnet:?xt=urn:btih:" + hexV1 + "&dn=%ff%zz&dn=%ff", Magnet{InfoHash: v1, Name: "%FF"}},
		{"magnet:?xt=urn:btih:" + hexV1 + "&tr=http%3A%2F%2Fa%2F&tr.1=udp://b:1&tr=&x.pe=[::1]:1&ws=http://w/&xs=http://s/&as=http://t/",
			Magnet{InfoHash: v1, Trackers: []string{"http://a/", "udp://b:1"}, Peers: []string{"[::1]:1"}, Webseeds: []string{"http://w/"},
				Sources: []string{"http://s/", "http://t/"}}},
		{"magnet:?xt=urn:btih:" + hexV1 + "&so=0,2,4-6,", Magnet{InfoHash: v1, Select: []IndexRange{{1, 1}, {3, 3}, {5, 7}}}},
	}
	for _, tt := range tests {
		m, err := ParseMagnet(tt.in)
		if err != nil || !reflect.DeepEqual(*m, tt.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.in, m, err, tt.want)
		}
	}
}

func TestParseMagnetRefuses(t *testing.T) {
	good := "magnet:?xt=urn:btih:" + hexV1
	for _, tt := range []struct{ in, want, hint string }{
		{"", "does not begin with", quoteHint},
		{"http://x/", "does not begin with", quoteHint},
		{"magnet:", "it has no infohash", quoteHint},
		{"magnet:?xt", "want urn:btih:", quoteHint},
		{"magnet:?dn=x", "it has no infohash", quoteHint},
		{"magnet:?dn=x&tr=y", "it has no infohash", ""},
		{"magnet:?xt=urn:btih:" + hexV1[1:], "want 40 hexadecimal or 32 base32 digits", quoteHint},
		{"magnet:?xt=urn:btih:" + strings.Replace(hexV1, "c", "g", 1), "not hexadecimal", quoteHint},
		{"magnet:?xt=urn:btih:" + strings.Replace(b32V1, "Y", "1", 1) + "&dn=x", "not base32", ""},
		{"magnet:?xt=urn:btih:" + strings.Repeat("0", 40), "all zero", quoteHint},
		{"magnet:?xt=urn:btmh:1220" + strings.Repeat("0", 64), "all zero", quoteHint},
		{"magnet:?xt=urn:btmh:1120" + hexV2, "want 1220", quoteHint},
		{"magnet:?xt=urn:btmh:1220" + hexV2 + "00", "want 1220", quoteHint},
		{"magnet:?xt=urn:btih:%zz", "xt: invalid URL escape", quoteHint},
		{good + "&xt=urn:btih:" + strings.ReplaceAll(hexV1, "c", "d"), "two infohashes", ""},
		{good + "&so=2-1", `"2-1" is no file index or range`, ""},
		{good + "&so=-1", "is no file index", ""},
		{good + "&so=1;2", "is no file index", ""},
		{good + "&so=%zz", "so: invalid URL escape", ""},
		{good + ";dn=x", "want 40 hexadecimal", quoteHint},
		{good + "&dn=" + strings.Repeat("x", maxMagnetSize), "longer than", ""},
	} {
		_, err := ParseMagnet(tt.in)
		var e *Error
		if !errors.As(err, &e) || e.Code != BadInput || !strings.Contains(err.Error(), tt.want) || e.Hint() != tt.hint {
			t.Errorf("%.80s: %v, want %q", tt.in, err, tt.want)
		}
	}
}

func mustHash(t *testing.T, s string) InfoHash {
	t.Helper()
	h, err := ParseInfoHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustHashV2(t *testing.T, s string) InfoHashV2 {
	t.Helper()
	h, err := ParseInfoHashV2(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestMagnetOf(t *testing.T) {
	m := &Metainfo{
		InfoHash: mustHash(t, hexV1), InfoHashV2: mustHashV2(t, hexV2), Name: "a b&c", Length: 9,
		Trackers: [][]string{{"http://a/announce?k=1", "ftp://no/"}, {"http://A/announce?k=1", "udp://b:1"}}, Webseeds: []string{"http://w/ä"},
	}
	got := MagnetOf(m, MagnetOptions{Peers: []string{"[::1]:1"}, Select: []IndexRange{{1, 1}, {3, 5}}}).String()
	want := "magnet:?xt=urn:btih:" + hexV1 + "&xt=urn:btmh:1220" + hexV2 +
		"&dn=a%20b%26c&xl=9&tr=http://a/announce%3Fk%3D1&tr=udp://b:1&x.pe=%5B::1%5D:1&ws=http://w/%25C3%25A4&so=0,2-4"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	bare := MagnetOf(m, MagnetOptions{NoTrackers: true, NoWebseeds: true})
	if bare.Trackers != nil || bare.Webseeds != nil {
		t.Errorf("got %+v", bare)
	}
}

func FuzzParseMagnet(f *testing.F) {
	f.Add("magnet:?xt=urn:btih:" + hexV1 + "&dn=a+b%20&tr.1=http://a/&so=1-2&x.pe=[::1]:1&ws=w&xl=7&xs=s")
	f.Add("magnet:?xt=urn:btih:" + b32V1 + "=&xt=urn:btmh:1220" + hexV2)
	f.Add("magnet:?dn=%ff%f&tr=+")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMagnet(s)
		if err != nil {
			if CodeOf(err) != BadInput {
				t.Fatalf("%v is %s", err, CodeOf(err))
			}
			return
		}
		if m.InfoHash.IsZero() && m.InfoHashV2.IsZero() {
			t.Fatal("no infohash")
		}
		again, err := ParseMagnet(m.String())
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%s became\n%+v, %v, was\n%+v", m, again, err, m)
		}
		if _, err := url.Parse(m.String()); err != nil {
			t.Fatal(err)
		}
	})
}
