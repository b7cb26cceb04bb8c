package bttest

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"shoal/bt/bttest/internal/wire"
)

// An oddMessage is bytes that an honest peer would not send. The peer that sends them is honest otherwise.
type oddMessage struct {
	name  string
	bytes func(c *Conn) []byte
}

// messageBehaviour sends an odd message once the engine's extended handshake is known, and is honest before and after.
func messageBehaviour(m oddMessage) Behaviour {
	return Behaviour{m.name, func(c *Conn) error {
		sent := false
		fire := func() error {
			if sent {
				return nil
			}
			sent = true
			defer c.strike()
			return c.send(m.bytes(c))
		}
		c.extension = func(wire.Dict) error { return fire() }
		if err := c.greet(); err != nil {
			return err
		}
		if !c.remote.Extended() {
			if err := fire(); err != nil {
				return err
			}
		}
		return c.serve()
	}, Always}
}

func fixed(name string, b []byte) oddMessage {
	return oddMessage{name, func(*Conn) []byte { return b }}
}

func ints(name string, id byte, n ...uint32) oddMessage {
	return fixed(name, wire.AppendInts(nil, id, n...))
}

// prefix is a length prefix with too little behind it.
func prefix(name string, n uint32, rest ...byte) oddMessage {
	return fixed(name, append(binary.BigEndian.AppendUint32(nil, n), rest...))
}

func oddMessages() []oddMessage {
	var all []oddMessage
	for _, group := range [][]oddMessage{
		coreMessages(), fastMessages(), metadataMessages(), pexMessages(), handshakeMessages(), hashMessages(),
	} {
		all = append(all, group...)
	}
	return all
}

const far = math.MaxUint32

func coreMessages() []oddMessage {
	return []oddMessage{
		prefix("length prefix 2^32-1", far, wire.Piece),
		prefix("length prefix 2 GiB", 1<<31, wire.Bitfield),
		prefix("length prefix 64 MiB", 64<<20, wire.Piece, 0, 0, 0, 0, 0, 0, 0, 0),
		fixed("10,000 keepalives", make([]byte, 40_000)),
		fixed("unknown id 10", wire.AppendMessage(nil, 10, 1, 2, 3)),
		fixed("unknown id 99", wire.AppendMessage(nil, 99)),
		fixed("unknown id 255 with 60 KB", wire.AppendMessage(nil, 255, make([]byte, 60_000)...)),
		fixed("have without a piece", wire.AppendMessage(nil, wire.Have)),
		fixed("have of 3 bytes", wire.AppendMessage(nil, wire.Have, 0, 0, 0)),
		ints("have out of range", wire.Have, far),
		fixed("10,000 haves out of range", bytes.Repeat(wire.AppendInts(nil, wire.Have, 1<<30), 10_000)),
		fixed("late bitfield, empty", wire.AppendMessage(nil, wire.Bitfield)),
		fixed("late bitfield, of 60 KB", wire.AppendMessage(nil, wire.Bitfield, bytes.Repeat([]byte{255}, 60_000)...)),
		fixed("choke with a payload", wire.AppendMessage(nil, wire.Choke, make([]byte, 100)...)),
		fixed("5,000 chokes and unchokes", bytes.Repeat(wire.AppendMessage(wire.AppendMessage(nil, wire.Choke), wire.Unchoke), 5000)),
		fixed("5,000 changes of interest", bytes.Repeat(wire.AppendMessage(wire.AppendMessage(nil, wire.Interested), wire.NotInterested), 5000)),
		ints("request of no bytes", wire.Request, 0, 0, 0),
		ints("request of 2 GiB", wire.Request, 0, 0, 1<<31),
		ints("request of 2^32-1", wire.Request, 0, 0, far),
		ints("request of 256 KiB", wire.Request, 0, 0, 256<<10),
		ints("request beyond the piece", wire.Request, 0, far-100, 16384),
		ints("request out of range", wire.Request, far, 0, 16384),
		ints("request with an overflow", wire.Request, 0x7fffffff, 0x7fffffff, 0x7fffffff),
		fixed("request of 5 bytes", wire.AppendMessage(nil, wire.Request, 0, 0, 0, 0, 0)),
		fixed("20,000 requests", bytes.Repeat(wire.AppendInts(nil, wire.Request, 0, 0, 16384), 20_000)),
		ints("cancel of what was not asked", wire.Cancel, 1, 2, 3),
		ints("cancel out of range", wire.Cancel, far, far, far),
		fixed("port 0", wire.AppendMessage(nil, wire.Port, 0, 0)),
		fixed("port of 1 byte", wire.AppendMessage(nil, wire.Port, 1)),
		fixed("piece not asked for", pieceMessage(0, 0, make([]byte, 16384))),
		fixed("piece out of range", pieceMessage(far, 0, make([]byte, 16384))),
		fixed("piece beyond its end", pieceMessage(0, far-1, make([]byte, 16384))),
		fixed("piece of no bytes", pieceMessage(0, 0, nil)),
		fixed("piece of 60 KB", pieceMessage(0, 0, make([]byte, 60_000))),
		fixed("piece of 3 bytes of head", wire.AppendMessage(nil, wire.Piece, 0, 0, 0)),
	}
}

func fastMessages() []oddMessage {
	return []oddMessage{
		fixed("have all, again and again", bytes.Repeat(wire.AppendMessage(nil, wire.HaveAll), 1000)),
		fixed("have none after have all", wire.AppendMessage(nil, wire.HaveNone)),
		fixed("have all with a payload", wire.AppendMessage(nil, wire.HaveAll, 1, 2, 3)),
		ints("suggest out of range", wire.Suggest, far),
		fixed("suggest of no bytes", wire.AppendMessage(nil, wire.Suggest)),
		ints("allowed fast out of range", wire.AllowedFast, far),
		fixed("10,000 allowed fast", bytes.Repeat(wire.AppendInts(nil, wire.AllowedFast, 0), 10_000)),
		ints("reject of what was not asked", wire.Reject, 0, 0, 16384),
		ints("reject out of range", wire.Reject, far, far, far),
		fixed("reject of 4 bytes", wire.AppendMessage(nil, wire.Reject, 0, 0, 0, 0)),
	}
}

func metadataMessage(name string, d wire.Dict, rest ...byte) oddMessage {
	return oddMessage{"metadata: " + name, func(c *Conn) []byte {
		return wire.AppendExtended(nil, c.id("ut_metadata"), d, rest)
	}}
}

func metadataMessages() []oddMessage {
	all := []oddMessage{
		metadataMessage("type missing", wire.Dict{"piece": 0}),
		metadataMessage("type 99", wire.Dict{"msg_type": 99, "piece": 0}),
		metadataMessage("piece is a string", wire.Dict{"msg_type": metadataRequest, "piece": "0"}),
		metadataMessage("piece too large for 64 bits", wire.Dict{"msg_type": metadataRequest, "piece": wire.Raw("i99999999999999999999e")}),
		metadataMessage("data of the wrong length", wire.Dict{"msg_type": metadataData, "piece": 0, "total_size": 5}, make([]byte, 20_000)...),
		metadataMessage("not a dictionary", nil),
	}
	all[len(all)-1].bytes = func(c *Conn) []byte {
		return wire.AppendMessage(nil, wire.Extended, c.id("ut_metadata"), 'i', '1', 'e')
	}
	for _, n := range []struct {
		name  string
		piece int64
	}{{"-1", -1}, {"2^63-1", math.MaxInt64}, {"-2^63", math.MinInt64}, {"2^31", 1 << 31}, {"1024", 1024}} {
		all = append(all,
			metadataMessage("request of piece "+n.name, wire.Dict{"msg_type": metadataRequest, "piece": n.piece}),
			metadataMessage("data of piece "+n.name, wire.Dict{"msg_type": metadataData, "piece": n.piece, "total_size": 1000}, make([]byte, 1000)...),
			metadataMessage("reject of piece "+n.name, wire.Dict{"msg_type": metadataReject, "piece": n.piece}),
		)
	}
	return all
}

func pexMessages() []oddMessage {
	pex := func(name string, d wire.Dict) oddMessage {
		return oddMessage{"pex: " + name, func(c *Conn) []byte { return wire.AppendExtended(nil, c.id("ut_pex"), d, nil) }}
	}
	many := make([]byte, 6*9000)
	for i := range 9000 { // addresses of TEST-NET-1, where nobody is
		copy(many[6*i:], []byte{192, 0, 2, byte(i), byte(i >> 8), 1})
	}
	return []oddMessage{
		pex("length not of addresses", wire.Dict{"added": "12345678", "added.f": "1"}),
		pex("port 0 and no address", wire.Dict{"added": "\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xe0\x00\x00\x01\x00\x50", "added.f": "\x00\x00\x00\x00"}),
		pex("more flags than peers", wire.Dict{"added": "", "added.f": strings.Repeat("\xff", 1000)}),
		pex("odd IPv6", wire.Dict{"added6": "short", "added6.f": ""}),
		pex("IPv6 loopback, port 0", wire.Dict{"added6": strings.Repeat("\x00", 15) + "\x01\x00\x00"}),
		pex("lists", wire.Dict{"added": wire.List{1, 2}, "dropped": wire.Dict{}}),
		pex("9,000 peers", wire.Dict{"added": many}),
		pex("drops whom nobody knows", wire.Dict{"dropped": many}),
	}
}

func hashMessages() []oddMessage {
	hash := func(name string, id byte, rest int, n ...uint32) oddMessage {
		m := wire.AppendMessage(nil, id, bytes.Repeat([]byte{7}, 32)...)
		for _, v := range n {
			m = binary.BigEndian.AppendUint32(m, v)
		}
		return fixed("BEP 52: "+name, setLength(append(m, make([]byte, rest)...)))
	}
	return []oddMessage{
		hash("hash request for an unknown root", wire.HashRequest, 0, 0, 0, 2, 0),
		hash("hash request out of range", wire.HashRequest, 0, far, far, far, far),
		hash("hash request of length 0", wire.HashRequest, 0, 0, 0, 0, 0),
		hash("hash request cut short", wire.HashRequest, 0, 1),
		hash("hashes not asked for", wire.Hashes, 64, 0, 0, 2, 0),
		hash("hashes of an odd length", wire.Hashes, 33, 0, 0, 2, 1),
		hash("hashes out of range", wire.Hashes, 32, far, far, far, far),
		hash("hash reject not asked for", wire.HashReject, 0, 0, 0, 2, 0),
		fixed("BEP 52: hashes of no bytes", wire.AppendMessage(nil, wire.Hashes)),
		fixed("BEP 52: hash request of no bytes", wire.AppendMessage(nil, wire.HashRequest)),
		fixed("BEP 52: hash reject of no bytes", wire.AppendMessage(nil, wire.HashReject)),
	}
}
