package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"shoal/bt/bttest/internal/wire"
)

func runFastseed(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fastseed", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "accept peers here")
	dial := flags.String("dial", "", "dial these peers too, separated by commas, again and again until they answer")
	from := flags.String("from", "127.0.0.1", "address to dial from")
	file := flags.String("torrent", "payload.torrent", "a .torrent that bench make wrote")
	if err := flags.Parse(args); err != nil {
		return err
	}
	t, err := wire.LoadTorrent(*file)
	if err != nil {
		return err
	}
	s := &fastSeeder{t: t, pattern: newPattern(), from: net.ParseIP(*from)}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "listening", l.Addr())
	context.AfterFunc(ctx, func() { l.Close() })
	var dialled sync.WaitGroup
	for addr := range strings.SplitSeq(*dial, ",") {
		if addr != "" {
			dialled.Go(func() { s.dial(ctx, addr) })
		}
	}
	for {
		c, err := l.Accept()
		if err != nil {
			dialled.Wait()
			return nil // interrupted
		}
		go s.serve(ctx, c)
	}
}

// A fastSeeder sends patterned data without looking at it.
type fastSeeder struct {
	t       *wire.Torrent
	pattern []byte
	from    net.IP
}

// dial connects to a peer that may not be there yet, and serves it.
func (s *fastSeeder) dial(ctx context.Context, addr string) {
	for ctx.Err() == nil {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: s.from}}).DialContext(ctx, "tcp", addr)
		if err == nil {
			s.serve(ctx, c)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *fastSeeder) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	err := s.talk(c)
	if !errors.Is(err, io.EOF) && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "bench: fastseed:", c.RemoteAddr(), err)
	}
}

// talk serves a peer until the connection ends, and says how it did.
func (s *fastSeeder) talk(c net.Conn) error {
	if _, err := c.Write(wire.NewHandshake(s.t.InfoHash, "-FS0001-fastseed0001", true).Append(nil)); err != nil {
		return err
	}
	peer, err := wire.ReadHandshake(c)
	if err != nil {
		return err
	}
	if peer.InfoHash != s.t.InfoHash {
		return errors.New("asks for another torrent")
	}
	var hello []byte
	if peer.Extended() {
		hello = wire.AppendExtended(hello, 0, wire.Dict{"m": wire.Dict{}, "reqq": 4096}, nil)
	}
	if peer.Fast() {
		hello = wire.AppendMessage(hello, wire.HaveAll)
	} else {
		hello = wire.AppendMessage(hello, wire.Bitfield, wire.FullBitfield(s.t.NumPieces())...)
	}
	if _, err := c.Write(wire.AppendMessage(hello, wire.Unchoke)); err != nil {
		return err
	}
	return s.answer(c)
}

const requestLen = 4 + 1 + 12

// answer sends what is asked for, all requests that one read brings with one write.
func (s *fastSeeder) answer(c net.Conn) error {
	in := make([]byte, 64<<10)
	heads := make([]byte, 0, 13*len(in)/requestLen)
	out := make(net.Buffers, 0, 2*len(in)/requestLen)
	have := 0 // bytes in in
	for {
		n, err := c.Read(in[have:])
		if err != nil {
			return err
		}
		have += n
		heads, out = heads[:0], out[:0]
		rest := in[:have]
		for len(rest) >= 4 {
			n := int(binary.BigEndian.Uint32(rest))
			if n > len(in)-4 {
				return fmt.Errorf("message of %d bytes", n)
			}
			if len(rest) < 4+n {
				break
			}
			m := rest[4 : 4+n]
			rest = rest[4+n:]
			if n < 13 || m[0] != wire.Request {
				continue
			}
			b, _ := wire.ParseBlock(m[1:])
			if !s.t.Has(b) {
				return fmt.Errorf("asked for %v", b)
			}
			start := len(heads)
			heads = binary.BigEndian.AppendUint32(heads, 9+b.Length)
			heads = append(heads, wire.Piece)
			heads = append(heads, m[1:9]...)
			at := s.t.Offset(b) % period
			out = append(out, heads[start:], s.pattern[at:at+int64(b.Length)])
		}
		have = copy(in, rest)
		if len(out) > 0 {
			bufs := out // WriteTo consumes its receiver
			if _, err := bufs.WriteTo(c); err != nil {
				return err
			}
		}
	}
}
