package wiretest

import (
	"slices"
	"sync"
	"time"

	"shoal/share/wire"
)

// Delay is an Options.Schedule that delivers each frame d after it was sent.
func Delay(clock wire.Clock, d time.Duration) func(deliver func()) {
	return func(deliver func()) { clock.AfterFunc(d, deliver) }
}

// A Clock is a wire.Clock that stands still until Advance. The zero value stands at the year 2000.
type Clock struct {
	mu     sync.Mutex
	now    time.Duration // since the year 2000
	timers []*timer      // by time, then in the order they were set
}

type timer struct {
	at time.Duration
	f  func()
}

// Now is where the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(c.now)
}

// AfterFunc is that of wire.Clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{c.now + max(d, 0), f}
	i := len(c.timers)
	for i > 0 && c.timers[i-1].at > t.at {
		i--
	}
	c.timers = slices.Insert(c.timers, i, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timers = slices.DeleteFunc(c.timers, func(x *timer) bool { return x == t })
	}
}

// Timers is how many are set.
func (c *Clock) Timers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// Advance moves the clock by d, and calls what is due on the way, in order, from this goroutine.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	end := c.now + d
	for len(c.timers) > 0 && c.timers[0].at <= end {
		t := c.timers[0]
		c.timers, c.now = c.timers[1:], t.at
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
	}
	c.now = end
	c.mu.Unlock()
}
