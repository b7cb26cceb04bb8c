package bttest

import (
	"math"
	"net/http"
	"strings"

	"shoal/bt/bttest/internal/wire"
)

// HTTPTrackers are HTTP trackers that do other than an honest one; Start them without content, and announce to URL.
func HTTPTrackers() []WebBehaviour {
	million := make([]byte, 6_000_000)
	for i := 0; i < len(million); i += 6 { // of TEST-NET-1, where nobody is
		copy(million[i:], []byte{192, 0, 2, byte(i / 6), byte(i >> 16), 1})
	}
	dicts := make(wire.List, 20_000)
	for i := range dicts {
		dicts[i] = wire.Dict{"ip": "192.0.2.1", "port": i, "peer id": strings.Repeat("x", 20)}
	}
	return append([]WebBehaviour{
		reply("no bytes", ""),
		reply("not bencode", "hello"),
		reply("bencode cut short", "d8:intervali1800e5:peers60:"),
		reply("a string longer than the reply", "d5:peers999999999:x"),
		reply("a list", "le"),
		reply("an empty dictionary", "de"),
		reply("trailing bytes", "d8:intervali1800e5:peers0:e and more"),
		reply("unsorted keys", "d5:peers0:8:intervali1800ee"),
		reply("nested lists", strings.Repeat("l", 1_000_000)),
		reply("an integer of a million digits", "d8:intervali"+strings.Repeat("9", 1_000_000)+"ee"),
		tells("1,000,000 peers", wire.Dict{"interval": 1800, "peers": million}),
		tells("20,000 peers as dictionaries", wire.Dict{"interval": 1800, "peers": dicts}),
		tells("interval negative", wire.Dict{"interval": -1, "min interval": -1, "peers": ""}),
		tells("interval 0", wire.Dict{"interval": 0, "peers": ""}),
		tells("interval 2^63-1", wire.Dict{"interval": int64(math.MaxInt64), "min interval": int64(math.MaxInt64), "peers": ""}),
		tells("interval as text", wire.Dict{"interval": "soon", "peers": ""}),
		tells("counts negative", wire.Dict{"interval": 1800, "complete": -1, "incomplete": int64(math.MinInt64), "peers": ""}),
		tells("failure with control characters", wire.Dict{"failure reason": "\x1b]0;title\a\x1b[2J no \r\n\x00 service\u202e"}),
		tells("failure of a megabyte", wire.Dict{"failure reason": strings.Repeat("x", 1<<20)}),
		tells("failure that is a list", wire.Dict{"failure reason": wire.List{1}}),
		tells("warning with control characters", wire.Dict{"warning message": "\x1b[31mred", "interval": 1800, "peers": ""}),
		tells("peers of an odd length", wire.Dict{"interval": 1800, "peers": "1234567", "peers6": "12345"}),
		tells("peers of port 0 and no address", wire.Dict{"interval": 1800, "peers": "\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x50\xff\xff\xff\xff\x00\x50"}),
		tells("peers that are a number", wire.Dict{"interval": 1800, "peers": 7}),
		tells("peers with odd names", wire.Dict{"interval": 1800, "peers": wire.List{
			wire.Dict{"ip": "a b\n\x00c", "port": 1}, wire.Dict{"ip": "127.0.0.1", "port": -1}, wire.Dict{"ip": "::1%lo", "port": 70000},
			wire.Dict{"ip": strings.Repeat("x", 10_000), "port": 1}, wire.Dict{"port": 1}, wire.Dict{}, 7, "x",
		}}),
		tells("tracker id of a megabyte", wire.Dict{"interval": 1800, "peers": "", "tracker id": strings.Repeat("&x=", 350_000)}),
	}, commonWeb()...)
}

func reply(name, body string) WebBehaviour {
	return WebBehaviour{name, func(_ *WebServer, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }}
}

func tells(name string, d wire.Dict) WebBehaviour { return reply(name, string(wire.Bencode(d))) }
