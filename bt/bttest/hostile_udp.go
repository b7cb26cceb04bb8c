package bttest

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
)

// A UDPBehaviour is how a UDP tracker (BEP 15) of ours answers. Reply is given a request of at least 16 bytes, and
// what an honest tracker without peers would send; it returns the packets to send.
type UDPBehaviour struct {
	Name  string
	Reply func(request, honest []byte) [][]byte
}

// A UDPServer is a UDP tracker that runs.
type UDPServer struct {
	URL    string // udp://127.0.0.1:PORT/announce
	once   sync.Once
	struck chan struct{}
}

// Struck is closed once something was sent, or withheld.
func (s *UDPServer) Struck() <-chan struct{} { return s.struck }

// Start serves until the test ends.
func (b UDPBehaviour) Start(t T) *UDPServer {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("starting a UDP tracker: %v", err)
	}
	s := &UDPServer{URL: fmt.Sprintf("udp://%s/announce", c.LocalAddr()), struck: make(chan struct{})}
	var wait sync.WaitGroup
	wait.Go(func() { s.serve(c, b) })
	t.Cleanup(func() { c.Close(); wait.Wait() })
	return s
}

func (s *UDPServer) serve(c net.PacketConn, b UDPBehaviour) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		if n < 16 {
			continue
		}
		for _, p := range b.Reply(buf[:n], honestUDP(buf[:n])) {
			_, _ = c.WriteTo(p, from)
		}
		s.once.Do(func() { close(s.struck) })
	}
}

// The actions of BEP 15.
const (
	udpConnect = 0
	udpError   = 3
)

// honestUDP is the answer to a connect, else that to an announce, without peers.
func honestUDP(request []byte) []byte {
	action, transaction := binary.BigEndian.Uint32(request[8:]), request[12:16]
	reply := binary.BigEndian.AppendUint32(nil, action)
	reply = append(reply, transaction...)
	if action == udpConnect {
		return append(reply, "connid--"...)
	}
	reply = binary.BigEndian.AppendUint32(reply, 1800)
	return append(reply, make([]byte, 8)...)
}

// HonestUDP answers as a tracker that knows the given peers.
func HonestUDP(t T, peers ...string) UDPBehaviour {
	t.Helper()
	compact := compactList(t, peers...)
	return UDPBehaviour{"honest", onAnnounce(func(honest []byte) []byte { return append(honest, compact...) })}
}

// UDPTrackers are UDP trackers that do other than an honest one.
func UDPTrackers() []UDPBehaviour {
	always := func(name string, change func(honest []byte) []byte) UDPBehaviour {
		return UDPBehaviour{name, func(_, honest []byte) [][]byte { return [][]byte{change(honest)} }}
	}
	announce := func(name string, change func(honest []byte) []byte) UDPBehaviour {
		return UDPBehaviour{name, onAnnounce(change)}
	}
	put := func(at int, v uint32) func([]byte) []byte {
		return func(honest []byte) []byte { binary.BigEndian.PutUint32(honest[at:], v); return honest }
	}
	failure := func(text string) func([]byte) []byte {
		return func(honest []byte) []byte { return append(put(0, udpError)(honest)[:8], text...) }
	}
	return []UDPBehaviour{
		{"never answers", func(_, _ []byte) [][]byte { return nil }},
		{"never answers an announce", func(request, honest []byte) [][]byte {
			if binary.BigEndian.Uint32(request[8:]) != udpConnect {
				return nil
			}
			return [][]byte{honest}
		}},
		always("packets of no bytes", func([]byte) []byte { return nil }),
		always("packets of 3 bytes", func([]byte) []byte { return []byte{0, 0, 0} }),
		always("packets of 8 bytes", func(honest []byte) []byte { return honest[:8] }),
		always("packets of 15 bytes", func(honest []byte) []byte { return honest[:15] }),
		always("wrong transaction", put(4, 0xdeadbeef)),
		always("wrong action", func(honest []byte) []byte { honest[3] ^= 1; return honest }),
		always("action 2^32-1", put(0, 0xffffffff)),
		always("failure with control characters", failure("\x1b]0;title\a\x1b[2J no \r\n\x00")),
		always("failure of 60 KB", failure(string(make([]byte, 60_000)))),
		always("failure of no text", failure("")),
		always("repeats the request", func(honest []byte) []byte { return append([]byte("\x00\x00\x04\x17\x27\x10\x19\x80"), honest[:8]...) }),
		{"a hundred answers", func(_, honest []byte) [][]byte {
			many := make([][]byte, 100)
			for i := range many {
				many[i] = honest
			}
			return many
		}},
		announce("interval negative", put(8, 0xffffffff)),
		announce("interval 0", put(8, 0)),
		announce("counts negative", func(honest []byte) []byte { return put(12, 0x80000000)(put(16, 0xffffffff)(honest)) }),
		announce("half a peer", func(honest []byte) []byte { return append(honest, 192, 0, 2) }),
		announce("peers of port 0 and no address", func(honest []byte) []byte {
			return append(honest, "\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x50\xff\xff\xff\xff\x00\x50"...)
		}),
		announce("10,000 peers", func(honest []byte) []byte {
			for i := range 10_000 {
				honest = append(honest, 192, 0, 2, byte(i), byte(i>>8), 1)
			}
			return honest
		}),
	}
}

// onAnnounce is honest to a connect, and changes the answer to an announce.
func onAnnounce(change func(honest []byte) []byte) func(request, honest []byte) [][]byte {
	return func(request, honest []byte) [][]byte {
		if binary.BigEndian.Uint32(request[8:]) != udpConnect {
			honest = change(honest)
		}
		return [][]byte{honest}
	}
}
