package node

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// simClock is the clock of one machine: that of the bubble, with the wall at another hour. As on a real machine, a jump of
// the wall does not move the time that runs, which Go keeps beside it in a time.Time.
type simClock struct{ skew atomic.Int64 } // seconds

// simEpoch is when time begins in a bubble.
var simEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *simClock) now() time.Time {
	return withWall(c.wall(), time.Since(simEpoch)+time.Second)
}

// wall is the hour alone, as a file system stamps it.
func (c *simClock) wall() time.Time {
	return time.Now().Add(time.Duration(c.skew.Load()) * time.Second)
}

// withWall is a time of two clocks, which time.Now makes outside of bubbles only: the first word is a bit that says so, 33
// bits of seconds since 1885 and 30 of nanoseconds; the second is the time that runs.
func withWall(wall time.Time, running time.Duration) (t time.Time) {
	words := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	since1885 := wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	words.wall, words.ext, words.loc = 1<<63|uint64(since1885)<<30|uint64(wall.Nanosecond()), int64(running), time.Local
	return t
}

func TestSimClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c simClock
		before := c.now()
		for _, years := range []int64{10, -10} {
			c.skew.Store(years * 365 * 86400)
			time.Sleep(time.Second)
			after := c.now()
			if wall := after.Unix() - time.Now().Unix(); wall != years*365*86400 {
				t.Errorf("the wall is off by %d s", wall)
			}
			if d := after.Sub(before).Round(time.Second); d > 2*time.Second {
				t.Errorf("%v passed", d)
			}
		}
	})
}
