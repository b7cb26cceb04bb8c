package bttest

import (
	"bytes"
	"math"
	"strings"

	"shoal/bt/bttest/internal/wire"
)

// handshakeMessages are extended handshakes (BEP 10) and messages of the extension protocol that no honest peer sends.
// They come after a good one, which a peer may replace at any time.
func handshakeMessages() []oddMessage {
	again := func(name string, change wire.Dict) oddMessage {
		return oddMessage{"handshake: " + name, func(c *Conn) []byte { return c.extendedHandshake(change) }}
	}
	body := func(name string, b string) oddMessage {
		return fixed("handshake: "+name, wire.AppendMessage(nil, wire.Extended, append([]byte{0}, b...)...))
	}
	return []oddMessage{
		body("30,000 nested lists", strings.Repeat("l", 30_000)+strings.Repeat("e", 30_000)),
		body("100,000 lists begun", strings.Repeat("l", 100_000)),
		body("30,000 dictionaries begun", strings.Repeat("d1:a", 15_000)),
		body("a list", "le"),
		body("nothing", ""),
		body("not bencode", "hello"),
		body("a string longer than the message", "d1:a134217727:x"),
		body("a string of length -1", "d1:v-1:e"),
		body("an integer of 60,000 digits", "d1:vi"+strings.Repeat("9", 60_000)+"ee"),
		body("duplicate keys", "d1:md11:ut_metadatai1ee1:md11:ut_metadatai2eee"),
		body("trailing bytes", "de and more"),
		again("metadata_size 2 GB", wire.Dict{"metadata_size": 2_000_000_000}),
		again("metadata_size 0", wire.Dict{"metadata_size": 0}),
		again("metadata_size -1", wire.Dict{"metadata_size": -1}),
		again("metadata_size 2^63-1", wire.Dict{"metadata_size": int64(math.MaxInt64)}),
		again("metadata_size 2^64", wire.Dict{"metadata_size": wire.Raw("i18446744073709551616e")}),
		again("ids out of range", wire.Dict{"m": wire.Dict{"ut_metadata": -1, "ut_pex": 256, "ut_holepunch": int64(math.MaxInt64)}}),
		again("ids that are equal", wire.Dict{"m": wire.Dict{"ut_metadata": 1, "ut_pex": 1}}),
		again("ids that are text", wire.Dict{"m": wire.Dict{"ut_metadata": "x", "ut_pex": wire.List{}}}),
		again("m is a list", wire.Dict{"m": wire.List{1}}),
		again("3,000 extensions", wire.Dict{"m": manyExtensions(3000)}),
		again("reqq 0", wire.Dict{"reqq": 0}),
		again("reqq -1", wire.Dict{"reqq": -1}),
		again("reqq 2^63-1", wire.Dict{"reqq": int64(math.MaxInt64)}),
		again("port 0", wire.Dict{"p": 0}),
		again("port 70000", wire.Dict{"p": 70000}),
		again("port -1", wire.Dict{"p": -1}),
		again("addresses of odd lengths", wire.Dict{"yourip": "123", "ipv4": "12345", "ipv6": "x"}),
		again("a client name with control characters", wire.Dict{"v": "\x1b]0;title\a\x1b[2J" + strings.Repeat("\n", 50_000)}),
		again("upload_only and more as text", wire.Dict{"upload_only": "yes", "complete_ago": "no", "e": "maybe"}),
		{"handshake: 500 times", func(c *Conn) []byte { return bytes.Repeat(c.extendedHandshake(nil), 500) }},
		fixed("extension message of no bytes", wire.AppendMessage(nil, wire.Extended)),
		fixed("extension message of an unknown id", wire.AppendMessage(nil, wire.Extended, 200, 'd', 'e')),
		fixed("extension message of a deep list", wire.AppendMessage(nil, wire.Extended, append([]byte{1}, strings.Repeat("l", 60_000)...)...)),
		{"holepunch: nonsense", func(c *Conn) []byte {
			return wire.AppendMessage(nil, wire.Extended, append([]byte{c.id("ut_holepunch")}, 9, 9, 9)...)
		}},
		{"pex: a deep list", func(c *Conn) []byte {
			return wire.AppendMessage(nil, wire.Extended, append([]byte{c.id("ut_pex")}, strings.Repeat("l", 60_000)...)...)
		}},
	}
}

func manyExtensions(n int) wire.Dict {
	m := wire.Dict{}
	for i := range n {
		m["x_"+strings.Repeat("y", i%7)+string(rune('a'+i%26))+strings.Repeat("z", i/182)] = i % 256
	}
	return m
}
