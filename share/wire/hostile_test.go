package wire_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// TestHostileServers plays members that answer GET with what they should not. Each is left, or ignored; the blobs come
// from an honest peer.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	part := func(id blob.ID, b []byte, off, n int) *wire.Blob {
		return &wire.Blob{ID: id, Off: int64(off), Total: int64(len(b)), Bytes: b[off : off+n]}
	}
	type play func(m *mouth, have shelf, ids []blob.ID)
	for name, x := range map[string]struct {
		play play
		want error // nil: it stays
	}{
		"a blob never asked for": {func(m *mouth, _ shelf, _ []blob.ID) {
			id, b := data(1000, 100)
			m.say(part(id, b, 0, len(b)))
		}, wire.ErrProtocol},
		"a blob twice": {func(m *mouth, have shelf, ids []blob.ID) {
			b := have[ids[0]]
			m.say(part(ids[0], b, 0, len(b)), part(ids[0], b, 0, len(b)))
		}, wire.ErrProtocol},
		"a hole": {func(m *mouth, have shelf, ids []blob.ID) {
			b := have[ids[0]]
			m.say(part(ids[0], b, 0, 1000), part(ids[0], b, 1001, 1000))
		}, wire.ErrProtocol},
		"not from the beginning": {func(m *mouth, have shelf, ids []blob.ID) {
			m.say(part(ids[0], have[ids[0]], 1, 1000))
		}, wire.ErrProtocol},
		"the same part twice": {func(m *mouth, have shelf, ids []blob.ID) {
			m.say(part(ids[0], have[ids[0]], 0, 1000), part(ids[0], have[ids[0]], 0, 1000))
		}, wire.ErrProtocol},
		"a total that changes": {func(m *mouth, have shelf, ids []blob.ID) {
			more := part(ids[0], have[ids[0]], 1000, 1000)
			more.Total++
			m.say(part(ids[0], have[ids[0]], 0, 1000), more)
		}, wire.ErrProtocol},
		"two blobs at once": {func(m *mouth, have shelf, ids []blob.ID) {
			m.say(part(ids[0], have[ids[0]], 0, 1000), part(ids[1], have[ids[1]], 0, 1000))
		}, wire.ErrProtocol},
		"half a blob and no more": {func(m *mouth, have shelf, ids []blob.ID) {
			m.say(part(ids[0], have[ids[0]], 0, 1000), &wire.No{IDs: ids[:1]})
		}, wire.ErrProtocol},
		"more than BLOBMAX": {func(m *mouth, _ shelf, ids []blob.ID) {
			_ = m.Send(m.t.Context(), []byte("d5:bytes1:x2:id32:"+string(ids[0][:])+"1:m4:blob5:totali1048577ee"))
			synctest.Wait()
		}, wire.ErrProtocol},
		"five lies": {func(m *mouth, have shelf, ids []blob.ID) {
			for _, id := range ids[:5] {
				m.say(part(id, make([]byte, 100), 0, 100))
			}
		}, wire.ErrLies},
		"four lies": {func(m *mouth, have shelf, ids []blob.ID) {
			for _, id := range ids[:4] {
				m.say(part(id, have[ids[10]][:100], 0, 100))
			}
		}, nil},
		"everything refused, twice": {func(m *mouth, _ shelf, ids []blob.ID) {
			m.say(&wire.No{IDs: ids}, &wire.No{IDs: ids})
		}, nil},
		"an ACK of nothing": {func(m *mouth, _ shelf, _ []blob.ID) { m.say(&wire.Ack{N: 1}) }, wire.ErrProtocol},
		"a second HELLO":    {func(m *mouth, _ shelf, _ []blob.ID) { m.say(&wire.Hello{Ver: wire.Version}) }, wire.ErrProtocol},
		"no bencode":        {func(m *mouth, _ shelf, _ []blob.ID) { _ = m.Send(m.t.Context(), []byte("x")); synctest.Wait() }, wire.ErrProtocol},
		"silence":           {func(*mouth, shelf, []blob.ID) { time.Sleep(2 * wire.SilentTimeout) }, nil},
		"a drop at a time": {func(m *mouth, have shelf, ids []blob.ID) {
			for i := range 100 {
				m.say(part(ids[0], have[ids[0]], i, 1))
				time.Sleep(wire.SilentTimeout / 2)
			}
		}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			have, ids := fill(30, 30<<10)
			ear := newEar()
			cfg := config(1)
			cfg.Handler = ear
			r, m := against(t, cfg, false)
			f := wire.NewFetcher(wire.FetcherOptions{})
			defer f.Close()
			f.Add(r.Conn)
			got := shelf{}
			done := make(chan error, 1)
			go func() { done <- f.Fetch(t.Context(), ids, collect(got)) }()
			if gets := heard[*wire.Get](m); len(gets) != 1 || !slices.Equal(gets[0].IDs, ids) {
				t.Fatalf("%s: it was asked %v", name, gets)
			}
			x.play(m, have, ids)
			if gets := heard[*wire.Get](m); name == "four lies" && len(gets) > 0 {
				t.Errorf("it is asked for the same again: %v", gets)
			}
			addHonest(t, f, have)
			if err := <-done; err != nil {
				t.Errorf("%s: %v", name, err)
			}
			equal(t, got, have)
			synctest.Wait()
			select {
			case err := <-r.over:
				if x.want == nil || !errors.Is(err, x.want) {
					t.Errorf("%s: it ended with %v", name, err)
				}
			default:
				if x.want != nil {
					t.Errorf("%s: the peer stays", name)
				}
			}
			if n := len(ear.lies); name == "five lies" && n != 5 || name == "four lies" && n != 4 {
				t.Errorf("%s: %d were reported", name, n)
			}
		})
	}
}

// addHonest adds a peer that has what it should.
func addHonest(t *testing.T, f *wire.Fetcher, have shelf) (mine, theirs *running) {
	cfg := config(50)
	cfg.Serve = have.Serve
	a, b := open(t, wiretest.Options{}, config(1), cfg)
	mine, theirs = run(t, a), run(t, b)
	if !f.Add(mine.Conn) {
		t.Fatal("it cannot be asked")
	}
	return mine, theirs
}

// TestMoreThanTheWindow plays a member that sends although nothing is acknowledged, for the disk is slow.
func TestMoreThanTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(64, 30<<10)
		r, m := against(t, config(1), false)
		f := wire.NewFetcher(wire.FetcherOptions{})
		defer f.Close()
		f.Add(r.Conn)
		block := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- f.Fetch(t.Context(), ids, func(blob.ID, []byte) error { <-block; return errors.New("enough") })
		}()
		synctest.Wait()
		for _, id := range ids {
			m.say(&wire.Blob{ID: id, Total: int64(len(have[id])), Bytes: have[id]})
		}
		if err := r.wait(t); !errors.Is(err, wire.ErrProtocol) {
			t.Error(err)
		}
		if n := r.Counters().In()[wire.TypeBlob].Bytes; n > wire.Window+100<<10 {
			t.Errorf("it took %d bytes", n)
		}
		close(block)
		<-done
	})
}

// TestSlowSink checks that an honest peer waits for a slow disk, does not count as silent, and is not left.
func TestSlowSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(30, 256<<10)
		f := wire.NewFetcher(wire.FetcherOptions{})
		defer f.Close()
		mine, _ := addHonest(t, f, have)
		got := shelf{}
		sink := collect(got)
		if err := f.Fetch(t.Context(), ids, func(id blob.ID, b []byte) error {
			time.Sleep(20 * time.Second)
			synctest.Wait()
			if n := mine.Counters().In()[wire.TypeBlob].Bytes; n > int64(len(got))*(260<<10)+2*wire.Window+100<<10 {
				t.Errorf("after %d blobs %d bytes came", len(got), n)
			}
			return sink(id, b)
		}); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if n := mine.Counters().In()[wire.TypeBlob].Bytes; n > 31*(260<<10) {
			t.Errorf("something came twice: %d bytes", n)
		}
	})
}

// TestHostileClients plays members that ask in bad ways. The node serves another all the while.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		deaf bool
		play func(m *mouth, ids []blob.ID)
		want error
	}{
		"floods, and reads": {false, func(m *mouth, ids []blob.ID) {
			for range 2000 {
				m.say(&wire.Get{IDs: ids})
			}
		}, nil},
		"floods, and does not read": {true, func(m *mouth, ids []blob.ID) {
			for range 2000 {
				m.say(&wire.Get{IDs: ids})
			}
		}, wire.ErrSilent},
		"asks, and does not read": {true, func(m *mouth, ids []blob.ID) {
			m.say(&wire.Get{IDs: ids})
			time.Sleep(wire.AckTimeout)
		}, wire.ErrSilent},
		"acknowledges nothing": {false, func(m *mouth, ids []blob.ID) {
			m.say(&wire.Get{IDs: ids})
			time.Sleep(wire.AckTimeout)
		}, wire.ErrSilent},
		"acknowledges too much": {false, func(m *mouth, ids []blob.ID) {
			m.say(&wire.Get{IDs: ids})
			m.say(&wire.Ack{N: 1 << 40})
		}, wire.ErrProtocol},
		"takes back": {false, func(m *mouth, ids []blob.ID) {
			m.say(&wire.Get{IDs: ids})
			m.say(&wire.Ack{N: 5}, &wire.Ack{N: 4})
		}, wire.ErrProtocol},
	} {
		synctest.Test(t, func(t *testing.T) {
			have, ids := fill(64, 200<<10)
			cfg := config(50)
			cfg.Serve = have.Serve
			r, m := against(t, cfg, x.deaf)
			f := wire.NewFetcher(wire.FetcherOptions{})
			defer f.Close()
			x.play(m, ids)
			addHonest(t, f, have)
			got := shelf{}
			if err := f.Fetch(t.Context(), ids, collect(got)); err != nil {
				t.Error(err)
			}
			equal(t, got, have)
			synctest.Wait()
			select {
			case err := <-r.over:
				if x.want == nil || !errors.Is(err, x.want) {
					t.Errorf("%s: it ended with %v", name, err)
				}
			default:
				if x.want != nil {
					t.Errorf("%s: the peer stays", name)
				}
			}
			if n := r.Counters().Out()[wire.TypeBlob].Bytes; n > wire.Window+100<<10 {
				t.Errorf("%s: it got %d bytes", name, n)
			}
		})
	}
}
