package wire_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal/share/internal/golden"
	"shoal/share/secret"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// A tap is a link that remembers what was sent through it.
type tap struct {
	wire.Link
	mu   sync.Mutex
	sent [][]byte
}

func (l *tap) Send(ctx context.Context, frame []byte) error {
	l.mu.Lock()
	l.sent = append(l.sent, append([]byte(nil), frame...))
	l.mu.Unlock()
	return l.Link.Send(ctx, frame)
}

func (l *tap) frames() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// secure does a handshake over a pair.
func secure(t *testing.T, a, b *secret.Keys) (x, y *wire.Secure, errX, errY error) {
	t.Helper()
	la, lb := wiretest.Pair(wiretest.Options{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		y, errY = wire.Handshake(t.Context(), lb, b, nil)
	}()
	x, errX = wire.Handshake(t.Context(), la, a, nil)
	<-done
	return x, y, errX, errY
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	x, y, errX, errY := secure(t, keys(1), keys(1))
	if err := errors.Join(errX, errY); err != nil {
		t.Fatal(err)
	}
	if string(x.Binding()) != string(y.Binding()) || len(x.Binding()) != 32 {
		t.Errorf("bindings %x and %x", x.Binding(), y.Binding())
	}
	for i := range 3 {
		text := fmt.Sprint("message ", i)
		if err := x.Send(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := y.Recv(t.Context()); err != nil || string(b) != text {
			t.Fatalf("%q, %v", b, err)
		}
	}
	other, _, _, _ := secure(t, keys(1), keys(1))
	if string(x.Binding()) == string(other.Binding()) {
		t.Error("two connections have one binding")
	}
}

// TestWrongSecret checks that a secret or a swarm alone is not enough.
func TestWrongSecret(t *testing.T) {
	t.Parallel()
	psk, rz := keys(1), keys(1)
	psk.PSK[31] ^= 1
	rz.Rendezvous[19] ^= 1
	for name, k := range map[string]*secret.Keys{"secret": psk, "swarm": rz} {
		_, _, errX, errY := secure(t, k, keys(1))
		if errX == nil || !errors.Is(errY, wire.ErrWrongSecret) {
			t.Errorf("another %s: %v and %v", name, errX, errY)
		}
	}
}

// TestOutsiderGetsNothing plays who knows the swarm and not the secret, on both sides, with a recorded handshake too: what
// he gets is handshake messages, the same whoever asks but for randomness.
func TestOutsiderGetsNothing(t *testing.T) {
	t.Parallel()
	record := &tap{}
	var listener wire.Link
	record.Link, listener = pairOf()
	errs := make(chan error, 1)
	go func() {
		_, err := wire.Open(t.Context(), listener, config(2))
		errs <- err
	}()
	if _, err := wire.Open(t.Context(), record, config(1)); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	first, hello := record.frames()[0], record.frames()[1]

	for name, frames := range map[string][][]byte{
		"garbage":                   {make([]byte, 48)},
		"an empty frame":            {{}},
		"a long frame":              {make([]byte, wire.MaxFrame)},
		"a replay":                  {first},
		"a replay with its hello":   {first, hello},
		"a replay with other bytes": {first, make([]byte, 100)},
	} {
		dialler, listener := wiretest.Pair(wiretest.Options{})
		member := &tap{Link: listener}
		done := make(chan error, 1)
		go func() {
			_, err := wire.Open(t.Context(), member, config(2))
			done <- err
		}()
		for _, frame := range frames {
			if err := dialler.Send(t.Context(), append([]byte(nil), frame...)); err != nil {
				t.Fatal(err)
			}
		}
		if len(frames) == 1 && name == "a replay" { // it waits for a HELLO: the outsider leaves
			if _, err := dialler.Recv(t.Context()); err != nil {
				t.Fatal(err)
			}
			dialler.Cut()
		}
		if err := <-done; err == nil {
			t.Errorf("%s: the outsider is in", name)
		}
		want := 0
		if strings.HasPrefix(name, "a replay") {
			want = 1
		}
		if sent := member.frames(); len(sent) != want || want == 1 && len(sent[0]) != 48 {
			t.Errorf("%s: the outsider got %d frames: %x", name, len(sent), sent)
		}
	}

	// The member dials the outsider.
	dialler, outsider := wiretest.Pair(wiretest.Options{})
	member := &tap{Link: dialler}
	if err := outsider.Send(t.Context(), make([]byte, 48)); err != nil {
		t.Fatal(err)
	}
	_, err := wire.Open(t.Context(), member, config(2))
	if !errors.Is(err, wire.ErrWrongSecret) || len(member.frames()) != 1 {
		t.Errorf("the outsider got %x, %v", member.frames(), err)
	}
	select {
	case <-dialler.Done():
	default:
		t.Error("the link is open")
	}
}

func pairOf() (a, b wire.Link) {
	x, y := wiretest.Pair(wiretest.Options{})
	return x, y
}

// TestChangedFrames checks that who stands between can end a connection and no more.
func TestChangedFrames(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(frames [][]byte) [][]byte{
		"a bit":    func(f [][]byte) [][]byte { f[0][0] ^= 1; return f },
		"lost":     func(f [][]byte) [][]byte { return f[1:] },
		"swapped":  func(f [][]byte) [][]byte { f[0], f[1] = f[1], f[0]; return f },
		"repeated": func(f [][]byte) [][]byte { return [][]byte{f[0], append([]byte(nil), f[0]...), f[1]} },
		"short":    func(f [][]byte) [][]byte { f[0] = f[0][:15]; return f },
		"empty":    func(f [][]byte) [][]byte { f[0] = nil; return f },
	} {
		// A man in the middle of two pairs.
		a1, a2 := wiretest.Pair(wiretest.Options{})
		b1, b2 := wiretest.Pair(wiretest.Options{})
		var x *wire.Secure
		done := make(chan error, 1)
		go func() {
			var err error
			x, err = wire.Handshake(t.Context(), a1, keys(1), nil)
			done <- err
		}()
		go func() {
			pass(t, a2, b1)
			pass(t, b1, a2)
		}()
		y, err := wire.Handshake(t.Context(), b2, keys(1), nil)
		if err := errors.Join(err, <-done); err != nil {
			t.Fatal(err)
		}
		var frames [][]byte
		for i := range 2 {
			if err := x.Send(t.Context(), []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			frame, err := a2.Recv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			frames = append(frames, frame)
		}
		for _, frame := range change(frames) {
			if err := b1.Send(t.Context(), frame); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; ; i++ {
			b, err := y.Recv(t.Context())
			if err != nil {
				if !errors.Is(err, wire.ErrProtocol) {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
			if len(b) != 1 || b[0] != byte(i) {
				t.Errorf("%s: %x came through", name, b)
			}
		}
		a1.Cut()
	}
}

func pass(t *testing.T, from, to *wiretest.Link) {
	frame, err := from.Recv(t.Context())
	if err == nil {
		err = to.Send(t.Context(), frame)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestTranscript freezes a whole conversation: handshake, HELLO of both sides, GET, BLOB, ACK, NO.
func TestTranscript(t *testing.T) {
	t.Parallel()
	la, lb := wiretest.Pair(wiretest.Options{})
	ta, tb := &tap{Link: la}, &tap{Link: lb}
	have, ids := fill(1, 100)
	a, b := config(1), config(2)
	a.Random, b.Random = chacha(1), chacha(2)
	a.Hello = func() wire.Hello { return wire.Hello{Name: "dialler"} }
	b.Serve = have.Serve
	done := make(chan *wire.Conn, 1)
	go func() {
		c, err := wire.Open(t.Context(), tb, b)
		if err != nil {
			t.Error(err)
		}
		done <- c
	}()
	x, err := wire.Open(t.Context(), ta, a)
	y := <-done
	if err != nil || y == nil {
		t.Fatal(err)
	}
	if x.Hello().Name != "" || y.Hello().Name != "dialler" || x.Hello().PK == y.Hello().PK {
		t.Errorf("%+v and %+v", x.Hello(), y.Hello())
	}
	other, _ := data(1, 100)
	run(t, y)
	s := x.Secure()
	say(t, s, &wire.Get{IDs: ids})
	hear(t, s)
	say(t, s, &wire.Ack{N: int64(len(have[ids[0]]))})
	say(t, s, &wire.Get{IDs: append(ids[:0], other)})
	hear(t, s)

	var all strings.Builder
	fmt.Fprintf(&all, "rz %x\npsk %x\nshare %x\nbinding %x\n", a.Keys.Rendezvous, a.Keys.PSK, a.Keys.Share[:], s.Binding())
	for _, side := range []*tap{ta, tb} {
		for _, frame := range side.frames() {
			fmt.Fprintf(&all, "%c %s\n", "ri"[b2i(side == ta)], hex.EncodeToString(frame))
		}
	}
	golden.Check(t, "transcript.txt", []byte(all.String()))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// say and hear speak in the place of a Conn.
func say(t testing.TB, s *wire.Secure, m wire.Message) {
	t.Helper()
	b, err := wire.Encode(m)
	if err == nil {
		err = s.Send(t.Context(), b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func hear(t testing.TB, s *wire.Secure) wire.Message {
	t.Helper()
	b, err := s.Recv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSlowHandshake checks that who says nothing, or stops half way, is not waited for.
func TestSlowHandshake(t *testing.T) {
	t.Parallel()
	for _, halfway := range []bool{false, true} {
		clock := new(wiretest.Clock)
		dialler, listener := wiretest.Pair(wiretest.Options{})
		cfg := config(2)
		cfg.Clock = clock
		done := make(chan error, 1)
		member := &tap{Link: listener}
		ready := make(chan struct{})
		go func() {
			close(ready)
			_, err := wire.Open(t.Context(), member, cfg)
			done <- err
		}()
		<-ready
		if halfway {
			if _, err := wire.Handshake(t.Context(), dialler, keys(1), nil); err != nil {
				t.Fatal(err)
			}
		}
		for clock.Timers() == 0 { // it is not there yet
			select {
			case err := <-done:
				t.Fatal(err)
			case <-time.After(time.Millisecond):
			}
		}
		clock.Advance(wire.OpenTimeout)
		if err := <-done; !errors.Is(err, wire.ErrTimeout) {
			t.Errorf("halfway %v: %v", halfway, err)
		}
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add(make([]byte, 48), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, frame []byte, dials bool) {
		if len(frame) > wire.MaxFrame {
			return
		}
		member, outsider := wiretest.Pair(wiretest.Options{})
		if !dials {
			member, outsider = outsider, member
		}
		if err := outsider.Send(t.Context(), frame); err != nil {
			t.Fatal(err)
		}
		tapped := &tap{Link: member}
		if _, err := wire.Handshake(t.Context(), tapped, keys(1), nil); !errors.Is(err, wire.ErrWrongSecret) {
			t.Fatalf("%x: %v", frame, err)
		}
		if n := len(tapped.frames()); n != b2i(dials) {
			t.Fatalf("%d frames were sent", n)
		}
	})
}
