package bttest

import (
	"bytes"
	"context"
	"fmt"
	"net"

	"shoal/bt/bttest/internal/wire"
)

// honest is the behaviour of a peer that breaks no rule.
func honest(c *Conn) error {
	if err := c.greet(); err != nil {
		return err
	}
	return c.serve()
}

// serve answers until the connection ends.
func (c *Conn) serve() error {
	for {
		if err := c.step(); err != nil {
			return err
		}
	}
}

// step takes one message and does what it asks.
func (c *Conn) step() error {
	id, payload, err := wire.ReadMessage(c.r, &c.buf)
	if err != nil {
		return err
	}
	if c.other != nil {
		if err := c.other(id, payload); err != nil {
			return err
		}
	}
	switch id {
	case wire.Interested:
		if c.unchoked != nil {
			return c.unchoked()
		}
		if c.peer.NoBlocks {
			return nil
		}
		return c.send(wire.AppendMessage(nil, wire.Unchoke))
	case wire.Request:
		b, ok := wire.ParseBlock(payload)
		if !ok || !c.content.torrent.Has(b) {
			return fmt.Errorf("asked for %v", b)
		}
		if c.answer != nil {
			return c.answer(b)
		}
		if c.peer.NoBlocks {
			return nil
		}
		return c.sendBlock(b, nil)
	case wire.Extended:
		return c.extended(payload)
	}
	return nil
}

// sendBlock sends a block, changed by spoil when that is not nil.
func (c *Conn) sendBlock(b Block, spoil func([]byte)) error {
	data, err := c.content.block(b)
	if err != nil {
		return err
	}
	if spoil != nil {
		spoil(data)
	}
	return c.send(pieceMessage(b.Piece, b.Begin, data))
}

func pieceMessage(piece, begin uint32, data []byte) []byte {
	m := wire.AppendInts(nil, wire.Piece, piece, begin)
	m = append(m, data...)
	return setLength(m)
}

// setLength writes the true length into the prefix of the one message that m is.
func setLength(m []byte) []byte {
	n := len(m) - 4
	m[0], m[1], m[2], m[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return m
}

func (c *Conn) extended(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	v, _, err := wire.Bdecode(payload[1:])
	if err != nil {
		return fmt.Errorf("reading an extension message: %w", err)
	}
	d, _ := v.(wire.Dict)
	switch payload[0] {
	case 0:
		c.ids = map[string]byte{}
		m, _ := d["m"].(wire.Dict)
		for name, id := range m {
			if n, ok := id.(int64); ok {
				c.ids[name] = byte(n)
			}
		}
		if c.extension != nil {
			return c.extension(d)
		}
	case ourMetadataID:
		piece, ok := d["piece"].(int64)
		if d["msg_type"] != int64(metadataRequest) || !ok {
			return nil
		}
		if c.peer.NoMetadata || c.leech {
			return c.sendMetadata(wire.Dict{"msg_type": metadataReject, "piece": piece}, nil)
		}
		if c.metadata != nil {
			return c.metadata(piece)
		}
		return c.sendInfo(piece, c.content.torrent.Info)
	}
	return nil
}

// The message types of BEP 9.
const (
	metadataRequest = 0
	metadataData    = 1
	metadataReject  = 2
)

const metadataPiece = 16 << 10

func (c *Conn) sendMetadata(d wire.Dict, data []byte) error {
	return c.send(wire.AppendExtended(nil, c.id("ut_metadata"), d, data))
}

// sendInfo sends a piece of an info dictionary.
func (c *Conn) sendInfo(piece int64, info []byte) error {
	from := piece * metadataPiece
	if from < 0 || from >= int64(len(info)) {
		return fmt.Errorf("asked for metadata piece %d", piece)
	}
	data := info[from:min(from+metadataPiece, int64(len(info)))]
	return c.sendMetadata(wire.Dict{"msg_type": metadataData, "piece": piece, "total_size": len(info)}, data)
}

// Fetch downloads everything from a seeding engine, as an honest leech with a modest pipeline, and fails the test
// unless the bytes are right.
func (c *Content) Fetch(ctx context.Context, t T, addr string) {
	t.Helper()
	if err := c.fetch(ctx, addr); err != nil {
		t.Fatalf("fetching from %s: %v", addr, err)
	}
}

func (c *Content) fetch(ctx context.Context, addr string) error {
	todo := c.blocks()
	left := len(todo)
	const depth = 16
	run := func(conn *Conn) error {
		asking := false
		ask := func(n int) error {
			var b []byte
			for ; n > 0 && len(todo) > 0; n-- {
				b = wire.AppendInts(b, wire.Request, todo[0].Piece, todo[0].Begin, todo[0].Length)
				todo = todo[1:]
			}
			return conn.send(b)
		}
		conn.other = func(id int, p []byte) error {
			switch {
			case id == wire.Unchoke && !asking:
				asking = true
				return ask(depth)
			case id == wire.Choke && asking:
				return fmt.Errorf("choked with %d blocks to go", left)
			case id == wire.Reject:
				return fmt.Errorf("rejected with %d blocks to go", left)
			case id == wire.Piece && len(p) >= 8:
				b, _ := wire.ParseBlock(append(p[:8:8], 0, 0, 0, 0))
				b.Length = uint32(len(p) - 8)
				want, err := c.block(b)
				if err != nil || !bytes.Equal(want, p[8:]) {
					return fmt.Errorf("got wrong bytes for %v: %v", b, err)
				}
				left--
				return ask(1)
			}
			return nil
		}
		if err := conn.greet(); err != nil {
			return err
		}
		for left > 0 {
			if err := conn.step(); err != nil {
				return err
			}
		}
		return nil
	}
	var nc net.Conn
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: nextLoopback()}}).DialContext(ctx, "tcp4", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	p := &HostilePeer{Content: c, Behaviour: Behaviour{Name: "fetch", Run: run}}
	return p.run(nc, false, true)
}
