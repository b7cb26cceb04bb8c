package bt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"shoal/bt/bttest"
)

var meetHash = InfoHash{1, 2, 3, 4}

const meetName = "x01020304"

// discreet is a session as shares have one.
func discreet(t testing.TB, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1", NoDHT: true, NoPEX: true, NoName: true, Encryption: EncryptionRequire}
	for _, f := range change {
		f(&cfg)
	}
	c, err := NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// meeting joins c to the swarm of all tests here, and gives the connections it gets.
func meeting(t testing.TB, c *Client, opts MeetOptions) (*Meeting, <-chan *MeetConn) {
	t.Helper()
	conns := make(chan *MeetConn, 1000)
	opts.InfoHash, opts.Extension = meetHash, meetName
	opts.OnConn = func(mc *MeetConn) { conns <- mc }
	m, err := c.Meet(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, conns
}

// within gets a value in time.
func within[T any](t testing.TB, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(bttest.Patience):
		t.Fatalf("waiting for %s", what)
	}
	return v
}

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), bttest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// pair is two sessions that have met and accepted each other; a dialled.
func pair(t testing.TB, a, b *Client) (ca, cb *MeetConn) {
	t.Helper()
	_, atB := meeting(t, b, MeetOptions{})
	_, atA := meeting(t, a, MeetOptions{Peers: []string{b.Addr().String()}})
	ca, cb = within(t, "a connection", atA), within(t, "a connection", atB)
	ca.Accept()
	cb.Accept()
	return ca, cb
}

// numbered is frame i of a sequence, of a length that varies.
func numbered(i int) []byte {
	b := make([]byte, 8+i*7919%2000)
	binary.BigEndian.PutUint64(b, uint64(i))
	return b
}

// exchange sends n frames and checks that n come, in order. No more than some are under way: frames have no flow control
// of their own, as their receiver acknowledges what it took.
func exchange(ctx context.Context, c *MeetConn, n int, window, other chan struct{}) error {
	failed := make(chan error, 2)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() {
		for i := range n {
			select {
			case window <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if err := c.Send(ctx, numbered(i)); err != nil {
				failed <- err
				return
			}
		}
	})
	for i := range n {
		frame, err := c.Recv(ctx)
		if err != nil {
			return err
		}
		<-other
		if !bytes.Equal(frame, numbered(i)) {
			return fmt.Errorf("frame %d is of %d bytes, and says %x", i, len(frame), frame[:8])
		}
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// Frames arrive in order, both ways at once.
func TestMeetFrames(t *testing.T) {
	t.Parallel()
	ca, cb := pair(t, discreet(t), discreet(t))
	if !ca.Dialled() || cb.Dialled() {
		t.Error("who dialled is not told")
	}
	ab, ba := make(chan struct{}, 500), make(chan struct{}, 500)
	ended := make(chan error, 2)
	go func() { ended <- exchange(patient(t), ca, 5000, ab, ba) }()
	go func() { ended <- exchange(patient(t), cb, 5000, ba, ab) }()
	for range 2 {
		if err := within(t, "frames", ended); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []int{0, MaxFrame + 1} {
		if ca.Send(t.Context(), make([]byte, n)) == nil {
			t.Errorf("a frame of %d bytes is sent", n)
		}
	}
	if err := ca.Send(t.Context(), make([]byte, MaxFrame)); err != nil {
		t.Error(err)
	}
	if frame, err := cb.Recv(patient(t)); err != nil || len(frame) != MaxFrame {
		t.Errorf("the longest frame: %d bytes, %v", len(frame), err)
	}
}

// Three sessions meet pairwise; addresses that were told are dialled.
func TestMeetThree(t *testing.T) {
	t.Parallel()
	a, b, c := discreet(t), discreet(t), discreet(t)
	_, atA := meeting(t, a, MeetOptions{})
	mb, atB := meeting(t, b, MeetOptions{Peers: []string{a.Addr().String()}})
	mc, atC := meeting(t, c, MeetOptions{Peers: []string{a.Addr().String()}})
	mb.AddPeers([]netip.AddrPort{netip.MustParseAddrPort(c.Addr().String())})
	for _, conns := range []<-chan *MeetConn{atA, atB, atC} {
		for range 2 {
			within(t, "a connection", conns).Accept()
		}
	}
	count := func(m *Meeting) (n int) {
		for _, p := range m.Peers() {
			if p.Accepted {
				n++
			}
		}
		return n
	}
	if count(mb) != 2 || count(mc) != 2 {
		t.Errorf("b knows %+v, c %+v", mb.Peers(), mc.Peers())
	}
}

// What is not read in time is not kept: the sender is cut off. One that is not accepted may queue much less.
func TestMeetFlood(t *testing.T) {
	t.Parallel()
	for accepted, limit := range map[bool]int{false: inboxNew, true: inboxKnown} {
		t.Run(fmt.Sprint("accepted ", accepted), func(t *testing.T) {
			t.Parallel()
			a, b := discreet(t), discreet(t)
			_, atB := meeting(t, b, MeetOptions{Patience: bttest.Patience})
			_, atA := meeting(t, a, MeetOptions{Patience: bttest.Patience, Peers: []string{b.Addr().String()}})
			ca, cb := within(t, "a connection", atA), within(t, "a connection", atB)
			if accepted {
				cb.Accept()
			}
			sent := 0
			var err error
			for frame := make([]byte, 10_000); err == nil && sent < 100*inboxKnown; sent += len(frame) {
				err = ca.Send(patient(t), frame)
			}
			if !errors.Is(err, ErrHungUp) {
				t.Errorf("the flooder gets %v after %d bytes", err, sent)
			}
			if sent < limit-30_000 {
				t.Errorf("it was cut off at %d bytes", sent)
			}
			if _, err := cb.Recv(patient(t)); !errors.Is(err, ErrFlood) {
				t.Errorf("the flooded gets %v", err)
			}
		})
	}
}

// The upload limit holds for frames: what it allows at once goes out, and no more.
func TestMeetLimit(t *testing.T) {
	t.Parallel()
	a := discreet(t)
	ca, _ := pair(t, a, discreet(t))
	a.SetLimits(0, 1)
	n, err := 0, error(nil)
	for ; err == nil && n < 100; n++ {
		err = ca.Send(patient(t), make([]byte, MaxFrame))
	}
	if err == nil || n > limiterBurst/MaxFrame+1 {
		t.Errorf("%d frames went out: %v", n, err)
	}
}

// A session at its download limit dials all the same, and is dialled.
func TestMeetAtLimit(t *testing.T) {
	t.Parallel()
	for debt, name := range map[int]string{100: "dials", 3: "is dialled"} { // kB: a minute's worth, and a second's
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			busy, other := discreet(t), discreet(t)
			online(t, busy)
			busy.SetLimits(2000, 0)
			busy.down.ReserveN(time.Now(), minBurst)
			for range debt {
				busy.down.ReserveN(time.Now(), 1000)
			}
			dialler, dialled := busy, other
			if name == "is dialled" {
				dialler, dialled = other, busy
			}
			_, atDialled := meeting(t, dialled, MeetOptions{})
			_, atDialler := meeting(t, dialler, MeetOptions{Peers: []string{dialled.Addr().String()}})
			within(t, "a connection", atDialler)
			within(t, "a connection", atDialled)
		})
	}
}

// A road that is cut is taken again when it is there again.
func TestMeetRedials(t *testing.T) {
	t.Parallel()
	a, b := discreet(t), discreet(t)
	_, atB := meeting(t, b, MeetOptions{})
	link := bttest.NewLink(t, b.Addr().String())
	m, atA := meeting(t, a, MeetOptions{Peers: []string{link.Addr}})
	for range 3 {
		ca, cb := within(t, "a connection", atA), within(t, "a connection", atB)
		ca.Accept()
		cb.Accept()
		if err := cb.Send(t.Context(), []byte("farewell")); err != nil {
			t.Fatal(err)
		}
		if frame, err := ca.Recv(patient(t)); err != nil || string(frame) != "farewell" {
			t.Fatal(err)
		}
		link.SetDown(true)
		within(t, "its end", ca.Done())
		within(t, "its end", cb.Done())
		if _, err := ca.Recv(patient(t)); !errors.Is(err, ErrHungUp) {
			t.Error(err)
		}
		link.SetDown(false)
	}
	within(t, "a connection", atA)
	if p := m.Peers(); len(p) != 1 || p[0].Source != SourceStatic || !p[0].Connected || p[0].Tries == 0 {
		t.Errorf("known are %+v", p)
	}
}

// Of two roads to one node one is given up, and not taken again while the other lasts.
func TestMeetCloseFor(t *testing.T) {
	t.Parallel()
	a, b := discreet(t), discreet(t)
	_, atB := meeting(t, b, MeetOptions{})
	one, two := bttest.NewLink(t, b.Addr().String()), bttest.NewLink(t, b.Addr().String())
	m, atA := meeting(t, a, MeetOptions{Peers: []string{one.Addr, two.Addr}})
	var kept, other *MeetConn
	for range 2 {
		c := within(t, "a connection", atA)
		c.Accept()
		within(t, "a connection", atB).Accept()
		kept, other = other, c
	}
	other.CloseFor(kept)
	within(t, "its end", other.Done())
	for _, p := range m.Peers() {
		if !p.Connected {
			t.Errorf("%s is to be dialled", p.Addr)
		}
	}
	kept.Close()
	within(t, "its end", kept.Done())
	for range 2 {
		within(t, "a connection", atA)
	}
}

// A banned address is neither let in nor dialled; what was accepted stays.
func TestMeetBan(t *testing.T) {
	t.Parallel()
	a, b, c := discreet(t), discreet(t), discreet(t, func(cfg *Config) { cfg.Listen = "127.0.0.2" })
	mb, atB := meeting(t, b, MeetOptions{Patience: bttest.Patience})
	_, atA := meeting(t, a, MeetOptions{Peers: []string{b.Addr().String()}})
	ca, cb := within(t, "a connection", atA), within(t, "a connection", atB)
	ca.Accept()
	mb.Ban(netip.MustParseAddr("127.0.0.1"), time.Hour)
	within(t, "its end", cb.Done()) // not accepted
	mb.AddPeers([]netip.AddrPort{netip.MustParseAddrPort(a.Addr().String())})
	_, atC := meeting(t, c, MeetOptions{Peers: []string{b.Addr().String()}})
	within(t, "a connection", atC).Accept()
	got := within(t, "a connection", atB)
	if got.RemoteAddr().Addr() != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("%s came", got.RemoteAddr())
	}
	got.Accept()
	mb.Ban(netip.MustParseAddr("127.0.0.2"), time.Hour)
	if err := got.Send(t.Context(), []byte("still here")); err != nil {
		t.Error(err)
	}
}

// Meetings need an encrypted session, a name and a hash, and one is enough.
func TestMeetRefuses(t *testing.T) {
	t.Parallel()
	c := discreet(t)
	meeting(t, c, MeetOptions{})
	nobody := func(*MeetConn) {}
	for want, opts := range map[Code]MeetOptions{
		Busy:  {InfoHash: meetHash, Extension: meetName, OnConn: nobody},
		Usage: {InfoHash: InfoHash{9}, Extension: "ut_pex", OnConn: nobody},
	} {
		_, err := c.Meet(t.Context(), opts)
		wantCode(t, err, want)
	}
	_, err := c.Meet(t.Context(), MeetOptions{Extension: meetName, OnConn: nobody})
	wantCode(t, err, Usage)
	_, err = local(t).Meet(t.Context(), MeetOptions{InfoHash: meetHash, Extension: meetName, OnConn: nobody})
	wantCode(t, err, Usage)
}

// Members find each other by local discovery, with nothing but local addresses allowed.
func TestMeetLANOnly(t *testing.T) {
	t.Parallel()
	lan := func(cfg *Config) { cfg.LANOnly, cfg.NoDHT = true, false }
	opts := MeetOptions{Peers: []string{"192.0.2.1:6881", "198.51.100.7:6881"}, Trackers: []string{"http://192.0.2.2/announce"}}
	_, atA := meeting(t, discreet(t, lan), opts)
	_, atB := meeting(t, discreet(t, lan), opts)
	within(t, "a connection", atA).Accept()
	within(t, "a connection", atB).Accept()
}

// Members find each other by a tracker.
func TestMeetTracker(t *testing.T) {
	t.Parallel()
	a := discreet(t)
	_, atA := meeting(t, a, MeetOptions{})
	m, atB := meeting(t, discreet(t), MeetOptions{Trackers: []string{bttest.PeerList(t, a.Addr().String())}})
	within(t, "a connection", atA).Accept()
	within(t, "a connection", atB).Accept()
	if p := m.Peers(); len(p) != 1 || p[0].Source != SourceTracker {
		t.Errorf("known are %+v", p)
	}
}
