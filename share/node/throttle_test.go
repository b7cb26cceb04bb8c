package node

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A throttle lets through what its rate says, whoever asks, and no more than a moment's worth besides.
func TestThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate, each, all = 1 << 20, 16 << 10, 10 << 20
		var l throttle
		l.set(true, rate)
		begun := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range all / each / 4 {
					if err := l.wait(t.Context(), each); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if took := time.Since(begun); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("10 MiB at 1 MiB a second took %v", took)
		}
		time.Sleep(time.Hour) // nothing is saved up
		begun = time.Now()
		for range 64 {
			_ = l.wait(t.Context(), each)
		}
		if took := time.Since(begun); took < 800*time.Millisecond {
			t.Errorf("1 MiB after an hour took %v", took)
		}
	})
}

// A throttle that is shut lets nothing through; who waits goes on when it opens, and when the rate changes, and ends with its context.
func TestThrottleChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l throttle
		through := func() (done chan error) {
			done = make(chan error, 1)
			go func() { done <- l.wait(t.Context(), 1<<20) }()
			synctest.Wait()
			return done
		}
		first := through()
		time.Sleep(3 * time.Hour)
		select {
		case <-first:
			t.Fatal("it was shut")
		default:
		}
		l.set(true, 1)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		second := through() // the first is paid for in 12 days
		select {
		case <-second:
			t.Fatal("it was too fast")
		default:
		}
		l.set(true, 0)
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		l.set(false, 0)
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if err := l.wait(ctx, 1); !errors.Is(err, why) {
			t.Fatal(err)
		}
	})
}
