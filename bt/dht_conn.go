package bt

import (
	"net"
	"sync"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	libbencode "github.com/anacrolix/torrent/bencode"

	"shoal/bt/bencode"
)

// maxDHTPacket is above what any node sends; it bounds how many nodes and peers one answer can name.
const maxDHTPacket = 2048

// A dhtConn is the socket of a DHT server with a door before it, because the server's goroutines are beyond our reach:
// they die of queries without arguments, of addresses of one byte and of errors of the socket, and they remember each
// method name they are ever asked for. What gets through is a message the server can handle.
type dhtConn struct {
	net.PacketConn
	closed    chan struct{}
	closeOnce sync.Once
}

func newDHTConn(pc net.PacketConn) *dhtConn {
	return &dhtConn{PacketConn: pc, closed: make(chan struct{})}
}

// ReadFrom returns the next good packet. An error means that the conn is closed.
func (c *dhtConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err == nil {
			if n <= maxDHTPacket && goodKRPC(b[:n]) {
				return n, from, nil
			}
			continue
		}
		// ICMP answers and interfaces that go down are errors too, and pass.
		select {
		case <-c.closed:
			return 0, nil, net.ErrClosed
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Close closes the socket.
func (c *dhtConn) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	return c.PacketConn.Close()
}

// goodKRPC reports whether b is a message that the server may see: decodable without a panic, its parts there, and if
// it is a query, of a kind that the server answers.
func goodKRPC(b []byte) (good bool) {
	// The decoder panics with what it calls an error of its own, for instance for "ip" of one byte.
	defer func() {
		if recover() != nil {
			good = false
		}
	}()
	if v, _, err := bencode.ParsePrefix(b, scanLimits); err != nil || v.Kind() != bencode.Dict {
		return false
	}
	var m krpc.Msg
	if err := libbencode.Unmarshal(b, &m); err != nil {
		if _, trailing := err.(libbencode.ErrUnusedTrailingBytes); !trailing {
			return false
		}
	}
	if len(m.T) == 0 || len(m.T) > 32 {
		return false
	}
	switch m.Y {
	case krpc.YQuery:
		return m.A != nil && knownQuery(m.Q)
	case krpc.YResponse:
		return m.R != nil
	case krpc.YError:
		return m.E != nil
	}
	return false
}

func knownQuery(q string) bool {
	switch q {
	case "ping", "find_node", "get_peers", "announce_peer", "get", "put":
		return true
	}
	return false
}
