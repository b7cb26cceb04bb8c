package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"shoal/bt/bttest/internal/wire"
)

func runDiscard(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("discard", flag.ContinueOnError)
	peer := flags.String("peer", "", "HOST:PORT of the seeder")
	file := flags.String("torrent", "payload.torrent", "what to ask for")
	depth := flags.Int("depth", 500, "blocks asked for at once, unless the seeder allows fewer")
	conns := flags.Int("conns", 1, "connections, each of which fetches everything")
	wait := flags.Duration("wait", 10*time.Second, "how long to go on dialling")
	if err := flags.Parse(args); err != nil {
		return err
	}
	t, err := wire.LoadTorrent(*file)
	if err != nil {
		return err
	}
	began := make([]time.Time, *conns)
	g, gctx := errgroup.WithContext(ctx)
	for i := range *conns {
		g.Go(func() error {
			c, err := dialUntil(gctx, *peer, *wait)
			if err != nil {
				return err
			}
			defer c.Close()
			defer context.AfterFunc(gctx, func() { c.Close() })()
			d := &discarder{t: t, c: c, r: bufio.NewReaderSize(c, 256<<10), depth: *depth}
			defer func() { began[i] = d.began }()
			return d.run(fmt.Sprintf("-DI0001-discard%05d", i))
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	seconds := time.Since(slices.MinFunc(began, time.Time.Compare)).Seconds() // since the first was unchoked
	bytes := t.Length * int64(*conns)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"bytes": bytes, "seconds": seconds, "mb_s": float64(bytes) / seconds / 1e6})
}

// dialUntil dials a peer that may not listen yet.
func dialUntil(ctx context.Context, addr string, wait time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A discarder fetches a whole torrent over one connection and keeps nothing of it.
type discarder struct {
	t        *wire.Torrent
	c        net.Conn
	r        *bufio.Reader
	depth    int
	choked   bool
	began    time.Time    // when it was first unchoked
	fast     bool         // the peer has the fast extension (BEP 6)
	todo     []wire.Block // those to ask for (again), last first
	asked    map[uint64]wire.Block
	left     int64
	out, buf []byte
}

func (d *discarder) run(id string) error {
	if _, err := d.c.Write(wire.NewHandshake(d.t.InfoHash, id, true).Append(nil)); err != nil {
		return err
	}
	peer, err := wire.ReadHandshake(d.r)
	if err != nil {
		return err
	}
	d.fast = peer.Fast()
	var hello []byte
	if peer.Extended() {
		hello = wire.AppendExtended(hello, 0, wire.Dict{"m": wire.Dict{}}, nil)
	}
	if peer.Fast() {
		hello = wire.AppendMessage(hello, wire.HaveNone)
	}
	if _, err := d.c.Write(wire.AppendMessage(hello, wire.Interested)); err != nil {
		return err
	}
	d.plan()
	for d.left > 0 {
		if err := d.read(); err != nil {
			return err
		}
		if err := d.ask(); err != nil {
			return err
		}
	}
	return nil
}

// plan fills todo with every block.
func (d *discarder) plan() {
	d.choked, d.left, d.asked = true, d.t.Length, map[uint64]wire.Block{}
	for p := d.t.NumPieces() - 1; p >= 0; p-- {
		n := d.t.PieceLen(p)
		for begin := (n - 1) / wire.BlockSize * wire.BlockSize; begin >= 0; begin -= wire.BlockSize {
			d.todo = append(d.todo, wire.Block{Piece: uint32(p), Begin: uint32(begin), Length: uint32(min(wire.BlockSize, n-begin))})
		}
	}
}

func key(piece, begin uint32) uint64 { return uint64(piece)<<32 | uint64(begin) }

// ask sends requests until depth are on their way; only when many are missing, to spare system calls.
func (d *discarder) ask() error {
	if d.choked || len(d.asked) > d.depth*3/4 && len(d.todo) > 0 {
		return nil
	}
	d.out = d.out[:0]
	for len(d.asked) < d.depth && len(d.todo) > 0 {
		b := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		d.asked[key(b.Piece, b.Begin)] = b
		d.out = wire.AppendInts(d.out, wire.Request, b.Piece, b.Begin, b.Length)
	}
	if len(d.out) == 0 {
		return nil
	}
	_, err := d.c.Write(d.out)
	return err
}

// read takes one message; of a piece only the head.
func (d *discarder) read() error {
	head, err := d.r.Peek(5)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head))
	if n < 9 || head[4] != wire.Piece {
		return d.readOther()
	}
	head, err = d.r.Peek(13)
	if err != nil {
		return err
	}
	k := key(binary.BigEndian.Uint32(head[5:]), binary.BigEndian.Uint32(head[9:]))
	b, ok := d.asked[k]
	if !ok || int(b.Length) != n-9 {
		return errors.New("got a block that was not asked for")
	}
	delete(d.asked, k)
	d.left -= int64(b.Length)
	_, err = d.r.Discard(4 + n)
	return err
}

func (d *discarder) readOther() error {
	id, payload, err := wire.ReadMessage(d.r, &d.buf)
	if err != nil {
		return err
	}
	switch id {
	case wire.Choke:
		d.choked = true
		if !d.fast { // else each request dropped is rejected
			d.todo = slices.AppendSeq(d.todo, maps.Values(d.asked))
			clear(d.asked)
		}
	case wire.Unchoke:
		d.choked = false
		if d.began.IsZero() {
			d.began = time.Now()
		}
	case wire.Reject:
		if b, ok := wire.ParseBlock(payload); ok {
			delete(d.asked, key(b.Piece, b.Begin))
			d.todo = append(d.todo, b)
		}
	case wire.Extended:
		if v, _, err := wire.Bdecode(payload[min(1, len(payload)):]); err == nil && len(payload) > 0 && payload[0] == 0 {
			dict, _ := v.(wire.Dict)
			if q, ok := dict["reqq"].(int64); ok && q > 0 {
				d.depth = min(d.depth, int(q))
			}
		}
	}
	return nil
}
