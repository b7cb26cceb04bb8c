package wire_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// A mouth takes the place of a Conn: it says what it likes, and hears all that is said to it.
type mouth struct {
	*wire.Secure
	t    *testing.T
	mu   sync.Mutex
	deaf bool
	all  []wire.Message
}

// against lets a Conn run against a mouth, which dialled. A deaf mouth reads nothing.
func against(t *testing.T, cfg wire.Config, deaf bool) (*running, *mouth) {
	stranger, c := open(t, wiretest.Options{Queue: 8}, config(99), cfg)
	m := &mouth{Secure: stranger.Secure(), t: t, deaf: deaf}
	r := run(t, c)
	if !deaf {
		go m.listen()
	}
	return r, m
}

func (m *mouth) listen() {
	for {
		b, err := m.Recv(m.t.Context())
		if err != nil {
			return
		}
		x, err := wire.Decode(b)
		if err != nil {
			m.t.Error(err)
			return
		}
		m.mu.Lock()
		m.all = append(m.all, x)
		m.mu.Unlock()
	}
}

// say says something and lets everything happen that follows. What comes too late is lost.
func (m *mouth) say(messages ...wire.Message) {
	m.t.Helper()
	for _, x := range messages {
		b, err := wire.Encode(x)
		if err != nil {
			m.t.Fatal(err)
		}
		if err := m.Send(m.t.Context(), b); errors.Is(err, wiretest.ErrCut) {
			return
		} else if err != nil {
			m.t.Fatal(err)
		}
	}
	synctest.Wait()
}

// heard are the messages of a type since it was last asked for.
func heard[M wire.Message](m *mouth) (some []M) {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	var rest []wire.Message
	for _, x := range m.all {
		if y, ok := x.(M); ok {
			some = append(some, y)
		} else {
			rest = append(rest, x)
		}
	}
	m.all = rest
	return some
}

func bytesOf(parts []*wire.Blob) (n int64) {
	for _, p := range parts {
		n += int64(len(p.Bytes))
	}
	return n
}

// TestWindow checks what a sender has out at most, that an ACK lets it go on, and that none in 60 s ends it.
func TestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(64, 256<<10)
		cfg := config(1)
		cfg.Serve = have.Serve
		r, m := against(t, cfg, false)
		m.say(&wire.Get{IDs: ids})
		total := bytesOf(heard[*wire.Blob](m))
		if total > wire.Window || total <= wire.Window-wire.MaxPart {
			t.Fatalf("%d bytes are out", total)
		}
		acked := int64(0)
		for range 5 {
			time.Sleep(wire.AckTimeout - time.Second)
			acked = total
			m.say(&wire.Ack{N: acked})
			n := bytesOf(heard[*wire.Blob](m))
			if n > wire.Window || n <= wire.Window-wire.MaxPart {
				t.Fatalf("%d more bytes are out", n)
			}
			total += n
		}
		time.Sleep(wire.AckTimeout - time.Second)
		synctest.Wait()
		m.say(&wire.Ack{N: acked}) // says nothing new
		time.Sleep(2 * time.Second)
		if err := r.wait(t); !errors.Is(err, wire.ErrSilent) {
			t.Error(err)
		}
	})
}

// TestNobodyWaitsForNothing checks that a connection on which everything is acknowledged lives, however idle.
func TestNobodyWaitsForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(10, 1000)
		cfg := config(1)
		cfg.Serve = have.Serve
		_, m := against(t, cfg, false)
		sum := int64(0)
		for range 3 {
			m.say(&wire.Get{IDs: ids})
			n := bytesOf(heard[*wire.Blob](m))
			if n == 0 {
				t.Fatal("it is over")
			}
			sum += n
			m.say(&wire.Ack{N: sum})
			time.Sleep(time.Hour)
		}
	})
}

// TestTooManyAsked checks that ids beyond the queue are refused at once, also while the disk is slow.
func TestTooManyAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(200, 1000)
		gate := make(chan struct{})
		cfg := config(1)
		cfg.Serve = func(ctx context.Context, id blob.ID) ([]byte, error) {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return have.Serve(ctx, id)
		}
		_, m := against(t, cfg, false)
		for i := 0; i < 200; i += 50 {
			m.say(&wire.Get{IDs: ids[i : i+50]})
		}
		refused := 0
		for _, no := range heard[*wire.No](m) {
			refused += len(no.IDs)
		}
		if refused != 200-wire.MaxAsked {
			t.Errorf("%d were refused", refused)
		}
		close(gate)
		if n := len(heard[*wire.Blob](m)); n != wire.MaxAsked {
			t.Errorf("%d came", n)
		}
		m.say(&wire.Get{IDs: ids[:50]})
		if n := len(heard[*wire.Blob](m)); n != 50 {
			t.Errorf("%d came then", n)
		}
	})
}

// TestNotHere checks that what is not here is refused, many in one message.
func TestNotHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(64, 1000)
		delete(have, ids[7])
		delete(have, ids[8])
		have[ids[9]] = nil                           // an error of the caller
		have[ids[10]] = make([]byte, blob.MaxBlob+1) // and another
		cfg := config(1)
		cfg.Serve = have.Serve
		_, m := against(t, cfg, false)
		m.say(&wire.Get{IDs: ids})
		no := heard[*wire.No](m)
		if len(no) != 1 || len(no[0].IDs) != 4 || no[0].IDs[0] != ids[7] || no[0].IDs[3] != ids[10] {
			t.Errorf("%+v", no)
		}
		if n := len(heard[*wire.Blob](m)); n != 60 {
			t.Errorf("%d came", n)
		}
	})
}

// TestUrgent checks that messages overtake blobs.
func TestUrgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(64, 16<<10)
		cfg := config(1)
		cfg.Serve = have.Serve
		r, m := against(t, cfg, true)
		m.say(&wire.Get{IDs: ids}) // the link is full now, and so is the queue
		if err := r.Send(&wire.Peers{}); err != nil {
			t.Fatal(err)
		}
		go m.listen()
		synctest.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		for i, x := range m.all {
			if x.Type() == wire.TypePeers {
				if i > 10 { // the link holds 8, and one is at its door
					t.Errorf("it came after %d messages", i)
				}
				return
			}
		}
		t.Error("it did not come")
	})
}

// TestMessages checks that the Handler gets what is for it, in order, and nothing else.
func TestMessagesReachTheHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ear := newEar()
		cfg := config(1)
		cfg.Handler = ear
		r, m := against(t, cfg, false)
		var want []wire.Type
		for _, x := range samples() {
			switch x.Type() {
			case wire.TypeHello, wire.TypeBlob, wire.TypeAck:
				continue
			case wire.TypeGet:
			case wire.TypeNo:
				if x.(*wire.No).Want {
					want = append(want, x.Type())
				}
			default:
				want = append(want, x.Type())
			}
			m.say(x, &wire.Unknown{})
		}
		got := ear.wait(t, len(want))
		synctest.Wait()
		for i, x := range got {
			if len(got) != len(want) || x.Type() != want[i] {
				t.Fatalf("message %d of %d is %s, want %s of %d", i, len(got), x.Type(), want[i], len(want))
			}
		}
		if n := r.Counters().In()[wire.TypeHeads]; n.Frames != 1 || n.Bytes < 64 {
			t.Errorf("%+v", n)
		}
	})
}

// TestCounters checks that both sides count the same, and that a sum is kept.
func TestCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(100, 1000)
		var sum wire.Counters
		a, b := config(1), config(2)
		a.Counters, b.Serve = &sum, have.Serve
		x, y := open(t, wiretest.Options{}, a, b)
		run(t, y)
		f := wire.NewFetcher(wire.FetcherOptions{})
		defer f.Close()
		f.Add(run(t, x).Conn)
		if err := f.Fetch(t.Context(), ids, collect(shelf{})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, typ := range []wire.Type{wire.TypeHello, wire.TypeBlob, wire.TypeGet, wire.TypeAck} {
			if out, in := y.Counters().Out()[typ], x.Counters().In()[typ]; out != in || sum.In()[typ] != in {
				t.Errorf("%s: %+v, %+v and %+v", typ, out, in, sum.In()[typ])
			}
		}
		if n := sum.In()[wire.TypeBlob]; n.Frames != 100 || n.Bytes < 100_000 {
			t.Errorf("%+v", n)
		}
	})
}

// TestClose checks that whatever ends a connection ends all of it, on both sides.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(x, y *running){
		"closed": func(x, _ *running) { x.Close(); x.Close() },
		"cut":    func(x, _ *running) { x.Conn.Secure().Close() },
		"failed": func(x, _ *running) { x.Fail(errors.New("a reason")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			block := config(2)
			block.Serve = func(ctx context.Context, _ blob.ID) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			a, b := open(t, wiretest.Options{}, config(1), block)
			x, y := run(t, a), run(t, b)
			f := wire.NewFetcher(wire.FetcherOptions{})
			f.Add(x.Conn)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- f.Fetch(ctx, []blob.ID{{1}}, collect(shelf{})) }()
			synctest.Wait()
			end(x, y)
			if err := x.wait(t); err == nil {
				t.Error(name, "without a reason")
			}
			if err := y.wait(t); err == nil {
				t.Error(name, "without a reason at the other side")
			}
			if err := x.Send(&wire.Ack{}); err == nil {
				t.Error(name, "and it still sends")
			}
			if f.Add(x.Conn) {
				t.Error(name, "and can be asked")
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(name, err)
			}
			f.Close()
		})
	}
}
