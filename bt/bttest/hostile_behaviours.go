package bttest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"shoal/bt/bttest/internal/wire"
)

// Behaviours are all that a hostile peer can do. Names are unique. Against a leeching engine (Listen) and a seeding one
// (Dial) each makes sense, though some have nothing to withhold from a seed.
func Behaviours() []Behaviour {
	all := []Behaviour{
		{"plain BEP 3", func(c *Conn) error { c.fast = false; c.strike(); return honest(c) }, Always},
		{"spoils every block", spoiling(func(int) bool { return true }), OnRequest},
		{"spoils one block in four", spoiling(func(n int) bool { return n%4 == 0 }), OnRequest},
		{"sends each block twice", doubling, OnRequest},
		{"sends blocks cut short", answering(func(c *Conn, b Block) error { b.Length /= 2; return c.sendBlock(b, nil) }), OnRequest},
		{"sends another block", answering(func(c *Conn, b Block) error {
			return c.send(pieceMessage(b.Piece, b.Begin^16384, make([]byte, b.Length)))
		}), OnRequest},
		{"never answers", answering(func(*Conn, Block) error { return nil }), OnRequest},
		{"rejects every request", answering(reject), OnRequest},
		{"rejects the first request", rejectingOnce, OnRequest},
		{"chokes for ever", chokingForever, Always},
		{"chokes at every request", answering(chokeAndUnchoke), OnRequest},
		{"chokes after three blocks", chokingAfterThree, OnRequest},
		{"drips a byte at a time", answering(drip), OnRequest},
		{"drips the handshake", dripHandshake, Always},
		{"closes in the middle of a block", answering(closeMidBlock), OnRequest},
		{"resets in the middle of a block", answering(resetMidBlock), OnRequest},
		{"closes after the handshake", func(c *Conn) error { defer c.strike(); return c.shake(c.content.InfoHash()) }, Always},
		{"closes at once", func(c *Conn) error { c.strike(); return nil }, Always},
		{"never says a word", func(c *Conn) error { c.strike(); return c.drain() }, Always},
		{"another infohash in the handshake", func(c *Conn) error { return wrongHandshake(c, [20]byte{1, 2, 3}) }, Always},
		{"no infohash in the handshake", func(c *Conn) error { return wrongHandshake(c, [20]byte{}) }, Always},
		{"the engine's own peer id", ownID, Always},
		{"handshake cut short", func(c *Conn) error {
			return c.saying(wire.NewHandshake(c.content.InfoHash(), "", true).Append(nil)[:40])
		}, Always},
		{"random bytes for a handshake", func(c *Conn) error { return c.saying(randomBytes(700)) }, Always},
		{"a web server's answer", func(c *Conn) error { return c.saying([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) }, Always},
		{"handshake twice", func(c *Conn) error {
			return c.instead(wire.NewHandshake(c.content.InfoHash(), "again", true).Append(nil))
		}, Always},
		{"nothing but data for a hello", func(c *Conn) error { return c.instead(pieceMessage(0, 0, make([]byte, 16384))) }, Always},
		{"bitfield too short", func(c *Conn) error { return c.bitfield([]byte{}) }, Always},
		{"bitfield too long", func(c *Conn) error { return c.bitfield(bytes.Repeat([]byte{255}, 10_000)) }, Always},
		{"bitfield with spare bits", func(c *Conn) error {
			return c.bitfield(bytes.Repeat([]byte{255}, (c.content.torrent.NumPieces()+7)/8+1))
		}, Always},
		{"has nothing and unchokes", func(c *Conn) error {
			return c.instead(wire.AppendMessage(wire.AppendMessage(nil, wire.HaveNone), wire.Unchoke))
		}, Always},
		{"asks and never reads", floodAndNotRead, Always},
	}
	all = append(all, metadataBehaviours()...)
	for _, m := range oddMessages() {
		all = append(all, messageBehaviour(m))
	}
	return all
}

// answering replaces what is sent for a request.
func answering(answer func(*Conn, Block) error) func(*Conn) error {
	return func(c *Conn) error {
		c.answer = func(b Block) error {
			defer c.strike()
			return answer(c, b)
		}
		return honest(c)
	}
}

func spoiling(which func(n int) bool) func(*Conn) error {
	n := 0
	return answering(func(c *Conn, b Block) error {
		n++
		if !which(n) {
			return c.sendBlock(b, nil)
		}
		return c.sendBlock(b, func(data []byte) { data[len(data)/2] ^= 0x40 })
	})
}

func doubling(c *Conn) error {
	c.answer = func(b Block) error {
		defer c.strike()
		return errors.Join(c.sendBlock(b, nil), c.sendBlock(b, nil))
	}
	return honest(c)
}

func reject(c *Conn, b Block) error {
	return c.send(wire.AppendInts(nil, wire.Reject, b.Piece, b.Begin, b.Length))
}

// rejectingOnce drops one request and serves the rest: an engine that waits for an unchoke then waits for ever.
func rejectingOnce(c *Conn) error {
	done := false
	c.answer = func(b Block) error {
		if !done {
			done = true
			defer c.strike()
			return reject(c, b)
		}
		return c.sendBlock(b, nil)
	}
	return honest(c)
}

func chokingForever(c *Conn) error {
	c.strike()
	c.unchoked = func() error { return nil }
	return honest(c)
}

func chokeAndUnchoke(c *Conn, _ Block) error {
	return c.send(wire.AppendMessage(wire.AppendMessage(nil, wire.Choke), wire.Unchoke))
}

func chokingAfterThree(c *Conn) error {
	n := 0
	c.answer = func(b Block) error {
		if n++; n > 3 {
			defer c.strike()
			return c.send(wire.AppendMessage(nil, wire.Choke))
		}
		return c.sendBlock(b, nil)
	}
	return honest(c)
}

// slowly sends a byte every few milliseconds.
func (c *Conn) slowly(b []byte) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range b {
		<-tick.C
		if err := c.send(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func drip(c *Conn, b Block) error {
	data, err := c.content.block(b)
	if err != nil {
		return err
	}
	c.strike()
	return c.slowly(pieceMessage(b.Piece, b.Begin, data))
}

func dripHandshake(c *Conn) error {
	c.strike()
	if err := c.slowly(wire.NewHandshake(c.content.InfoHash(), "-HP0001-slow", true).Append(nil)); err != nil {
		return err
	}
	return c.drain()
}

func closeMidBlock(c *Conn, b Block) error {
	data, err := c.content.block(b)
	if err != nil {
		return err
	}
	m := pieceMessage(b.Piece, b.Begin, data)
	return errors.Join(c.send(m[:len(m)/2]), c.Close())
}

func resetMidBlock(c *Conn, b Block) error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return closeMidBlock(c, b)
}

func wrongHandshake(c *Conn, infoHash [20]byte) error {
	defer c.strike()
	if err := c.shake(infoHash); err != nil {
		return err
	}
	if err := c.sayHello(); err != nil {
		return err
	}
	return c.drain()
}

// ownID answers with the peer id that the engine sent, as if it had dialled itself.
func ownID(c *Conn) error {
	defer c.strike()
	if !c.accepted { // a dialler speaks first, and does not know it yet
		return c.saying(wire.NewHandshake(c.content.InfoHash(), "", true).Append(nil))
	}
	h, err := wire.ReadHandshake(c.r)
	if err != nil {
		return err
	}
	if err := c.send(h.Append(nil)); err != nil {
		return err
	}
	return c.drain()
}

// saying sends bytes in place of a handshake.
func (c *Conn) saying(b []byte) error {
	c.strike()
	if err := c.send(b); err != nil {
		return err
	}
	return c.drain()
}

// instead sends bytes in place of what follows the handshakes, and is honest then.
func (c *Conn) instead(b []byte) error {
	c.hello = func() error { defer c.strike(); return c.send(b) }
	return honest(c)
}

func (c *Conn) bitfield(bits []byte) error {
	c.fast = false
	return c.instead(wire.AppendMessage(c.extendedHandshake(nil), wire.Bitfield, bits...))
}

// drain reads until the engine has had enough.
func (c *Conn) drain() error {
	_, err := c.r.WriteTo(nowhere{})
	return err
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// floodAndNotRead asks for the first block until nothing more fits, and never reads what it asked for.
func floodAndNotRead(c *Conn) error {
	if err := c.greet(); err != nil {
		return err
	}
	b := bytes.Repeat(wire.AppendInts(nil, wire.Request, 0, 0, 16384), 1000)
	for i := range 100 {
		if i == 10 {
			c.strike()
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if err := c.send(b); err != nil {
			c.strike()
			return fmt.Errorf("flooding: %w", err)
		}
	}
	return c.drain()
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
