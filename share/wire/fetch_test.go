package wire_test

import (
	"context"
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

// TestPace checks that who takes blobs slowly asks nobody twice for them, and that what came for nothing is waited for, too.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(400, 1000)
		paid := 0
		w := newWorld(t, wire.FetcherOptions{Pace: func(ctx context.Context, n int) error {
			paid += n
			select {
			case <-time.After(time.Duration(n) * 100 * time.Microsecond): // a blob is 0.1 s
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}})
		one, two := &till{shelf: have, each: time.Millisecond}, &till{shelf: have, each: 50 * time.Millisecond}
		w.peer(wiretest.Options{}, one.Serve)
		w.peer(wiretest.Options{}, two.Serve)
		got := shelf{}
		if err := w.Fetch(t.Context(), ids, collect(got)); err != nil {
			t.Fatal(err)
		}
		equal(t, got, have)
		if n := one.count() + two.count(); n != len(ids) || paid != len(ids)*len(have[ids[0]]) {
			t.Errorf("%d were asked for, and %d bytes waited for", n, paid)
		}
		// Somebody wants 100 blobs, and then no more; they have come by then.
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := w.Fetch(ctx, ids[:100], collect(shelf{})); err == nil {
			t.Error("100 blobs have come in 0.5 s")
		}
		time.Sleep(time.Minute)
		paid = 0
		if err := w.Fetch(t.Context(), ids[100:101], collect(shelf{})); err != nil {
			t.Fatal(err)
		}
		if paid < 50*1000 {
			t.Errorf("only %d bytes were waited for", paid)
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
