package wire_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// A world is a Fetcher and the nodes it can ask.
type world struct {
	t testing.TB
	*wire.Fetcher
	cfg  wire.Config
	next byte
}

func newWorld(t testing.TB, opts wire.FetcherOptions) *world {
	w := &world{t: t, Fetcher: wire.NewFetcher(opts), cfg: config(1)}
	t.Cleanup(w.Close)
	return w
}

// peer adds a node that serves like that.
func (w *world) peer(opts wiretest.Options, serve func(context.Context, blob.ID) ([]byte, error)) (mine, theirs *running) {
	w.next++
	cfg := config(100 + w.next)
	cfg.Serve = serve
	a, b := open(w.t, opts, w.cfg, cfg)
	mine, theirs = run(w.t, a), run(w.t, b)
	if !w.Add(mine.Conn) {
		w.t.Fatal("it cannot be asked")
	}
	return mine, theirs
}

// tell is a shelf that counts what it is asked for, whose answers take a while.
type till struct {
	shelf
	mu    sync.Mutex
	asked []blob.ID
	each  time.Duration
}

func (s *till) Serve(ctx context.Context, id blob.ID) ([]byte, error) {
	s.mu.Lock()
	s.asked = append(s.asked, id)
	b, ok := s.shelf[id]
	s.mu.Unlock()
	select {
	case <-time.After(s.each):
	case <-ctx.Done():
	}
	if !ok {
		return nil, wire.ErrNotHere
	}
	return b, nil
}

func (s *till) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *till) put(id blob.ID, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shelf[id] = b
}

// TestShared checks that peers share the work by their speed, and that nothing comes twice.
func TestShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(4000, 1000)
		w := newWorld(t, wire.FetcherOptions{})
		slow, fast := &till{shelf: have, each: 3 * time.Millisecond}, &till{shelf: have, each: time.Millisecond}
		w.peer(wiretest.Options{}, slow.Serve)
		w.peer(wiretest.Options{}, fast.Serve)
		got, began := shelf{}, time.Now()
		if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if took := time.Since(began); took > 3300*time.Millisecond {
			t.Errorf("it took %v, and 3 s would do", took)
		}
		if n := slow.count() + fast.count(); n != len(ids) {
			t.Errorf("%d were asked for", n)
		}
	})
}

// TestRefused checks that an id that one peer does not have comes from another, that one that nobody has is reported
// once, and comes when a peer comes that has it.
func TestRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(300, 1000)
		some := func(rest int) *till {
			s := &till{shelf: shelf{}}
			for i, id := range ids {
				if i%3 == rest {
					s.shelf[id] = have[id]
				}
			}
			return s
		}
		w := newWorld(t, wire.FetcherOptions{})
		w.peer(wiretest.Options{}, some(0).Serve)
		w.peer(wiretest.Options{}, some(1).Serve)
		got, missed := shelf{}, make(map[blob.ID]int)
		job := w.NewJob(collect(got), func(id blob.ID) { missed[id]++ })
		job.Want(ids...)
		job.Want(ids...) // nothing new
		done := make(chan error, 1)
		go func() { done <- job.Run(t.Context()) }()
		synctest.Wait()
		if s := job.Status(); s.Left != 100 || s.Missing != 100 || len(missed) != 100 || len(got) != 200 {
			t.Errorf("%+v, %d missed, %d got", s, len(missed), len(got))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(missed) != 100 || slices.Max(values(missed)) != 1 {
			t.Error("something is missed twice", missed)
		}
		w.peer(wiretest.Options{}, some(2).Serve)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
	})
}

func values[K comparable, V any](m map[K]V) (all []V) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// TestAskedAgain checks that a peer which gets a blob later is asked again, by and by or when it says so.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id, b := data(0, 1000)
		later := &till{shelf: shelf{}}
		w := newWorld(t, wire.FetcherOptions{})
		peer, _ := w.peer(wiretest.Options{}, later.Serve)
		done := make(chan error, 1)
		go func() { done <- w.Fetch(t.Context(), []blob.ID{id}, collect(shelf{})) }()
		time.Sleep(time.Hour)
		if n := later.count(); n < 50 || n > 70 {
			t.Errorf("it was asked %d times in an hour", n)
		}
		later.put(id, b)
		began := time.Now()
		w.Retry(peer.Conn)
		if err := <-done; err != nil || time.Since(began) > 0 {
			t.Error(err, time.Since(began))
		}
		other, b := data(1, 1000)
		go func() { done <- w.Fetch(t.Context(), []blob.ID{other}, collect(shelf{})) }()
		synctest.Wait()
		later.put(other, b)
		began = time.Now()
		if err := <-done; err != nil || time.Since(began) > 3*time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

// TestSilence checks that what a silent peer was asked for comes from another, and that it is asked again once it speaks.
func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(200, 1000)
		gate := make(chan struct{})
		w := newWorld(t, wire.FetcherOptions{})
		mute := &till{shelf: have}
		w.peer(wiretest.Options{}, func(ctx context.Context, id blob.ID) ([]byte, error) {
			select {
			case <-gate:
			case <-ctx.Done():
			}
			return mute.Serve(ctx, id)
		})
		got := shelf{}
		done, began := make(chan error, 1), time.Now()
		var missed atomic.Int64
		job := w.NewJob(collect(got), func(blob.ID) { missed.Add(1) })
		job.Want(ids...)
		go func() { done <- job.Run(t.Context()) }()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if missed.Load() > 0 {
			t.Error("a peer that is asked does not count as one that has nothing")
		}
		time.Sleep(2 * wire.SilentTimeout)
		synctest.Wait()
		if n := missed.Load(); n != int64(len(ids)) {
			t.Errorf("%d are missed while the only peer is silent", n)
		}
		honest := &till{shelf: have}
		w.peer(wiretest.Options{}, honest.Serve)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if honest.count() != len(ids) || time.Since(began) > 3*wire.SilentTimeout {
			t.Errorf("%d from the other, after %v", honest.count(), time.Since(began))
		}
		close(gate)
		synctest.Wait()
		more, ids := fill(300, 900)
		mute.shelf, honest.shelf = more, shelf{}
		got = shelf{}
		if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, more)
	})
}

// TestSteal checks that the last ids do not wait for the slowest peer.
func TestSteal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(100, 1000)
		w := newWorld(t, wire.FetcherOptions{})
		w.peer(wiretest.Options{}, (&till{shelf: have, each: 5 * time.Second}).Serve)
		w.peer(wiretest.Options{}, (&till{shelf: have, each: time.Millisecond}).Serve)
		got, began := shelf{}, time.Now()
		if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestRank checks that who ranks first is asked, and others only when he is gone, silent, or has it not.
func TestRank(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(200, 1000)
		var first *wire.Conn
		w := newWorld(t, wire.FetcherOptions{Rank: func(_ blob.ID, c *wire.Conn) int { return b2i(c != first) }})
		best, other := &till{shelf: shelf{}, each: time.Millisecond}, &till{shelf: have, each: time.Millisecond}
		for _, id := range ids[:150] {
			best.shelf[id] = have[id]
		}
		w.peer(wiretest.Options{}, other.Serve)
		mine, _ := w.peer(wiretest.Options{}, best.Serve)
		first = mine.Conn
		got := shelf{}
		if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if best.count() != 200 || other.count() != 50 {
			t.Errorf("%d and %d were asked for", best.count(), other.count())
		}
		done := make(chan error, 1)
		best.each = 4 * time.Second
		got = shelf{}
		go func() { done <- w.Fetch(t.Context(), ids, collect(got)) }()
		time.Sleep(time.Second)
		mine.Close()
		began := time.Now()
		if err := <-done; err != nil || time.Since(began) > time.Second {
			t.Error(err, time.Since(began))
		}
		equal(t, got, have)
	})
}

// TestTree walks a tree whose blobs say what to fetch next.
func TestTree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have := shelf{}
		var level []blob.ID
		for i := range 64 {
			id, b := data(i, 100)
			have[id] = b
			level = append(level, id)
		}
		for len(level) > 1 {
			var up []blob.ID
			for refs := range slices.Chunk(level, 4) {
				c, b := blob.Seal([32]byte{}, blob.Node, refs, []byte("a node"))
				have[c.ID] = b
				up = append(up, c.ID)
			}
			level = up
		}
		w := newWorld(t, wire.FetcherOptions{})
		w.peer(wiretest.Options{}, have.Serve)
		w.peer(wiretest.Options{}, have.Serve)
		got := shelf{}
		sink := collect(got)
		var job *wire.Job
		job = w.NewJob(func(id blob.ID, b []byte) error {
			h, err := blob.Parse(b)
			if err != nil {
				return err
			}
			job.Want(h.Refs...)
			return sink(id, b)
		}, nil)
		job.Want(level...)
		if err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
	})
}

// TestTwoJobs checks that what two want comes once, to both, and that one can end without the other.
func TestTwoJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(500, 20000)
		w := newWorld(t, wire.FetcherOptions{})
		s := &till{shelf: have, each: time.Millisecond}
		mine, _ := w.peer(wiretest.Options{}, s.Serve)
		a, b := shelf{}, shelf{}
		errs := make(chan error, 3)
		enough := errors.New("enough")
		jobs := []*wire.Job{w.NewJob(collect(a), nil), w.NewJob(collect(b), nil), w.NewJob(func(blob.ID, []byte) error { return enough }, nil)}
		for _, j := range jobs {
			j.Want(ids...)
		}
		for _, j := range jobs {
			go func() { errs <- j.Run(t.Context()) }()
		}
		var failed []error
		for range jobs {
			if err := <-errs; err != nil {
				failed = append(failed, err)
			}
		}
		if len(failed) != 1 || failed[0] != enough {
			t.Errorf("%v", failed)
		}
		equal(t, a, have)
		equal(t, b, have)
		if s.count() != len(ids) {
			t.Errorf("%d were asked for", s.count())
		}
		// Everything is acknowledged, or the peer would leave.
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case err := <-mine.over:
			t.Error(err)
		default:
		}
	})
}

// TestCancel checks that what is given up can be wanted again, while it is on its way.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(200, 10000)
		w := newWorld(t, wire.FetcherOptions{})
		s := &till{shelf: have, each: time.Millisecond}
		w.peer(wiretest.Options{}, s.Serve)
		for i := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*2*time.Millisecond)
			err := w.Fetch(ctx, ids, func(blob.ID, []byte) error { return nil })
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		got := shelf{}
		if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if err := w.Fetch(t.Context(), nil, nil); err != nil {
			t.Error(err)
		}
		w.Close()
		if err := w.Fetch(t.Context(), ids, collect(got)); err == nil {
			t.Error("a closed fetcher fetches")
		}
	})
}

// TestMove checks that a Conn can go from one Fetcher to another while blobs are on their way.
func TestMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(100, 10000)
		w, other := newWorld(t, wire.FetcherOptions{}), newWorld(t, wire.FetcherOptions{})
		mine, _ := w.peer(wiretest.Options{}, (&till{shelf: have, each: time.Millisecond}).Serve)
		if other.Add(mine.Conn) {
			t.Error("two fetchers ask one peer")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Fetch(ctx, ids, func(blob.ID, []byte) error { return nil }) }()
		time.Sleep(10 * time.Millisecond)
		w.Remove(mine.Conn)
		if !other.Add(mine.Conn) {
			t.Fatal("it cannot be asked by another")
		}
		got := shelf{}
		if err := other.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		cancel()
		<-done
	})
}

// TestFarAway checks what windows make of a round trip of 20 ms.
func TestFarAway(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		n, size int
		most    time.Duration
	}{{1000, 4 << 10, 400 * time.Millisecond}, {1000, 16 << 10, 500 * time.Millisecond}, {100, 256 << 10, 700 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			have, ids := fill(x.n, x.size)
			w := newWorld(t, wire.FetcherOptions{})
			w.peer(wiretest.Options{Queue: 1000, Schedule: wiretest.Delay(wire.System{}, 10*time.Millisecond)}, have.Serve)
			got, began := shelf{}, time.Now()
			if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
				t.Fatal(err)
			}
			equal(t, got, have)
			took := time.Since(began)
			t.Logf("%d blobs of %d bytes: %v, %.0f MB/s, %.0f blobs/s", x.n, x.size, took,
				float64(x.n*x.size)/1e6/took.Seconds(), float64(x.n)/took.Seconds())
			if took > x.most {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestAcknowledged checks that what was used is acknowledged at once when nothing more is to come, and while something is,
// before the sender loses patience.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(3, 1000)
		r, m := against(t, config(1), false)
		f := wire.NewFetcher(wire.FetcherOptions{})
		defer f.Close()
		f.Add(r.Conn)
		done := make(chan error, 1)
		go func() { done <- f.Fetch(t.Context(), ids, collect(shelf{})) }()
		synctest.Wait()
		total := int64(0)
		for i, id := range ids {
			m.say(&wire.Blob{ID: id, Total: int64(len(have[id])), Bytes: have[id]})
			total += int64(len(have[id]))
			acks := heard[*wire.Ack](m)
			if i < len(ids)-1 {
				if len(acks) > 0 {
					t.Error("each blob is acknowledged")
				}
				time.Sleep(6 * time.Second)
				acks = heard[*wire.Ack](m)
			}
			if len(acks) != 1 || acks[0].N != total {
				t.Errorf("after blob %d: %v, want %d", i, acks, total)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
