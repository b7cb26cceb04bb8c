package wire_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/share/blob"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

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

// TestForget checks that what is taken back is not waited for, nor asked of who comes later, and can be wanted again.
func TestForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		have, ids := fill(20, 1000)
		w := newWorld(t, wire.FetcherOptions{})
		w.peer(wiretest.Options{}, shelf{}.Serve)
		idle := make(chan struct{}, 9)
		got := shelf{}
		j := w.NewLasting(collect(got), nil, func() { idle <- struct{}{} })
		go func() { _ = j.Run(t.Context()) }()
		<-idle
		j.Want(ids...)
		synctest.Wait()
		if st := j.Status(); st.Left != 20 || st.Missing != 20 {
			t.Errorf("%+v", st)
		}
		j.Forget(ids[:15]...)
		j.Forget(ids[10:15]...)
		if st := j.Status(); st.Left != 5 || st.Missing != 5 {
			t.Errorf("%+v", st)
		}
		s := &till{shelf: have}
		w.peer(wiretest.Options{}, s.Serve)
		<-idle
		if len(got) != 5 || j.Status() != (wire.JobStatus{}) {
			t.Errorf("%d came, %+v", len(got), j.Status())
		}
		j.Want(ids[0])
		<-idle
		if len(got) != 6 {
			t.Errorf("%d came", len(got))
		}
	})
}
