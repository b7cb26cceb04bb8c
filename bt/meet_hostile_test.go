package bt

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/torrent/mse"

	"shoal/bt/bttest"
)

// An outsider speaks to a session over MSE, byte by byte.
type outsider struct {
	t  testing.TB
	c  net.Conn
	rw io.ReadWriter
	r  *bufio.Reader

	over bool // a write failed; MSE panics at another
}

// outside connects to a session, in the know of the infohash. from is the address to come from.
func outside(t testing.TB, to net.Addr, h InfoHash, from string) *outsider {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	rw, _, err := mse.InitiateHandshake(c, h[:], nil, mse.CryptoMethodRC4)
	if err != nil {
		t.Fatal(err)
	}
	o := &outsider{t: t, c: c, rw: rw, r: bufio.NewReader(rw)}
	o.write("\x13BitTorrent protocol\x00\x00\x00\x00\x00\x10\x00\x04" + string(h[:]) + "-XX0000-" + fmt.Sprintf("%012d", time.Now().UnixNano()%1e12))
	if _, err := io.ReadFull(o.r, make([]byte, 68)); err != nil {
		t.Fatal(err)
	}
	return o
}

// write writes unless it was hung up on.
func (o *outsider) write(s string) {
	if o.over {
		return
	}
	_, err := io.WriteString(o.rw, s)
	o.over = err != nil
}

// say sends a message.
func (o *outsider) say(id byte, payload string) {
	o.write(string(binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)))) + string(id) + payload)
}

// hello offers extensions, bencoded.
func (o *outsider) hello(m string) { o.say(20, "\x00d1:m"+m+"13:metadata_sizei16000000ee") }

// next reads messages until an extension message, and returns its payload, or "" if the connection ends first.
func (o *outsider) next() string {
	o.c.SetReadDeadline(time.Now().Add(bttest.Patience))
	for {
		var n [4]byte
		if _, err := io.ReadFull(o.r, n[:]); err != nil {
			if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
				o.t.Error("the session does not hang up")
			}
			return ""
		}
		b := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(o.r, b); err != nil {
			return ""
		}
		if len(b) > 1 && b[0] == 20 {
			return string(b[1:])
		}
	}
}

// heard reads messages until the connection ends, and returns the payloads of all extension messages.
func (o *outsider) heard() (extended []string) {
	for {
		said := o.next()
		if said == "" {
			return extended
		}
		extended = append(extended, said)
	}
}

const ourExtension = "d" + "11:ut_metadatai3e" + "6:ut_pexi4e" + "9:x01020304i5e" + "e"

// Who knows the infohash alone is cut off in the end, whatever it offers, and hears no frame before; those who come from
// elsewhere are not disturbed.
func TestMeetOutsiders(t *testing.T) {
	t.Parallel()
	for name, hello := range map[string]string{
		"without extensions": "", "with others": "d6:ut_pexi1ee", "with ours": ourExtension, "with ours, and frames": ourExtension + "!",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := discreet(t)
			m, conns := meeting(t, c, MeetOptions{Patience: 2 * time.Second})
			o := outside(t, c.Addr(), meetHash, "127.0.0.3")
			if hello != "" {
				o.hello(strings.TrimSuffix(hello, "!"))
			}
			if strings.HasSuffix(hello, "!") {
				o.say(20, string(rune(meetID))+"hello")
				o.say(20, string(rune(1))+"d8:msg_typei0e5:piecei0ee") // ut_metadata
			}
			heard := o.heard()
			if len(heard) != 1 || heard[0][0] != 0 {
				t.Errorf("it heard %q", heard)
			}
			for _, bad := range []string{"ut_pex", "ut_holepunch", "shoal", "metadata_size"} {
				if strings.Contains(heard[0], bad) {
					t.Errorf("our handshake names %s: %q", bad, heard[0])
				}
			}
			if offers := strings.HasPrefix(hello, ourExtension); offers {
				got := within(t, "a connection", conns)
				within(t, "its end", got.Done())
				if strings.HasSuffix(hello, "!") {
					if frame, err := got.Recv(patient(t)); err != nil || string(frame) != "hello" {
						t.Errorf("its frame: %q, %v", frame, err)
					}
				}
				if _, err := got.Recv(patient(t)); !errors.Is(err, errLate) && !errors.Is(err, ErrHungUp) {
					t.Error(err)
				}
			} else if len(conns) > 0 {
				t.Error("it is a connection")
			}
			if p := m.Peers(); len(p) != 0 {
				t.Errorf("known are %+v", p)
			}
		})
	}
}

// Outsiders that fill the swarm up do not keep those from elsewhere out, nor cut off who is there.
func TestMeetCrowd(t *testing.T) {
	t.Parallel()
	a, b := discreet(t), discreet(t)
	_, atB := meeting(t, b, MeetOptions{Patience: bttest.Patience})
	for i := range 2 * meetMaxNewPerIP {
		// Each is heard before the next comes: whose handshake ends first has the seat.
		heard := outside(t, b.Addr(), meetHash, "127.0.0.4").next()
		if has := strings.Contains(heard, meetName); has != (i < meetMaxNewPerIP) {
			t.Errorf("number %d hears %q", i, heard)
		}
	}
	_, atA := meeting(t, a, MeetOptions{Peers: []string{b.Addr().String()}})
	within(t, "a connection", atA).Accept()
	within(t, "a connection", atB).Accept()
}

// A peer that reads nothing holds up its sender, and makes it keep little.
func TestMeetSlowReader(t *testing.T) {
	t.Parallel()
	c := discreet(t)
	_, conns := meeting(t, c, MeetOptions{})
	outside(t, c.Addr(), meetHash, "127.0.0.5").hello(ourExtension)
	to := within(t, "a connection", conns)
	to.Accept()
	ctx, cancel := context.WithCancel(t.Context())
	sent, held := int64(0), make(chan error, 1)
	steps := make(chan int64, 10_000)
	go func() {
		for {
			if err := to.Send(ctx, make([]byte, MaxFrame)); err != nil {
				held <- err
				return
			}
			sent += MaxFrame
			steps <- sent
		}
	}()
	// It is held up once the library has what it may have, and the sockets have theirs: then no step comes.
	for quiet := false; !quiet; {
		select {
		case <-steps:
		case <-time.After(500 * time.Millisecond):
			quiet = true
		}
	}
	cancel()
	if err := within(t, "the sender", held); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if more := sent - to.written(); more > 3*outboxBytes {
		t.Errorf("%d bytes wait in memory", more)
	}
}

// mseRoad lets peers that speak plainly through to a session that requires encryption.
func mseRoad(t *testing.T, to net.Addr, h InfoHash) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				// An address of its own, since the session counts those from one.
				from := &net.TCPAddr{IP: near.RemoteAddr().(*net.TCPAddr).IP}
				far, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", to.String())
				if err != nil {
					return
				}
				defer far.Close()
				rw, _, err := mse.InitiateHandshake(far, h[:], nil, mse.CryptoMethodRC4)
				if err != nil {
					return
				}
				go func() {
					io.Copy(near, rw)
					near.Close()
				}()
				io.Copy(rw, near)
			}()
		}
	}()
	return l.Addr().String()
}

// A meeting bears all that peers can do, and members go on as if nothing were.
func TestMeetHostilePeers(t *testing.T) {
	t.Parallel()
	content, _ := bttest.MakeContent(t, "song.bin", 200_000)
	h := InfoHash(content.InfoHash())
	a, b := discreet(t), discreet(t)
	at := make(chan *MeetConn, 1000)
	meet := func(c *Client, peers ...string) *Meeting {
		m, err := c.Meet(t.Context(), MeetOptions{InfoHash: h, Extension: meetName, Peers: peers, Patience: 300 * time.Millisecond,
			OnConn: func(mc *MeetConn) { mc.Accept(); at <- mc }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	mb := meet(b)
	ma := meet(a, b.Addr().String())
	c1, c2 := within(t, "a connection", at), within(t, "a connection", at)
	road := mseRoad(t, b.Addr(), h)
	var wg sync.WaitGroup
	some := make(chan struct{}, meetMaxNew/2) // they wait, and so need no processors
	for _, behaviour := range bttest.Behaviours() {
		if behaviour.When != bttest.Always {
			continue
		}
		some <- struct{}{}
		wg.Go(func() {
			defer func() { <-some }()
			p := &bttest.HostilePeer{Content: content, Behaviour: behaviour}
			ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
			defer cancel()
			if err := p.DialLeech(ctx, road); err != nil { // until it is cut off
				t.Errorf("%s: %v", behaviour.Name, err)
			}
			if ctx.Err() != nil {
				t.Errorf("%s: it was not cut off", behaviour.Name)
			}
		})
	}
	wg.Wait()
	go c1.Send(t.Context(), []byte("well?"))
	if frame, err := c2.Recv(patient(t)); err != nil || string(frame) != "well?" {
		t.Errorf("%q, %v", frame, err)
	}
	for _, m := range []*Meeting{ma, mb} {
		if n := m.accepted(); n != 1 {
			t.Errorf("%d accepted", n)
		}
	}
}

// A member of a meeting who sends frames that are too long is cut off, and others go on.
func TestMeetOversize(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{"too long": strings.Repeat("x", MaxFrame+1), "much too long": strings.Repeat("x", 1<<20)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := discreet(t), discreet(t)
			_, at := meeting(t, b, MeetOptions{})
			o := outside(t, b.Addr(), meetHash, "127.0.0.6")
			o.hello(ourExtension)
			bad := within(t, "a connection", at)
			bad.Accept()
			o.say(20, string(rune(meetID))+frame)
			within(t, "its end", bad.Done())
			if got, err := bad.Recv(patient(t)); err == nil {
				t.Errorf("a frame of %d bytes is taken", len(got))
			}
			_, atA := meeting(t, a, MeetOptions{Peers: []string{b.Addr().String()}})
			good, other := within(t, "a connection", atA), within(t, "a connection", at)
			good.Accept()
			other.Accept()
			if err := good.Send(patient(t), []byte("well?")); err != nil {
				t.Fatal(err)
			}
			if got, err := other.Recv(patient(t)); err != nil || string(got) != "well?" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
