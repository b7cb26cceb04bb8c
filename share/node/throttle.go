package node

import (
	"context"
	"sync"
	"time"
)

// A throttle lets a number of bytes a second through. The zero value is shut.
type throttle struct {
	mu      sync.Mutex // guards what follows
	open    bool
	rate    int64         // bytes a second; 0 = any
	free    time.Time     // when what was let through is paid for
	changed chan struct{} // closed when open or rate change; nil: nobody waits
}

// throttleBurst is for how long at most an idle throttle has saved.
const throttleBurst = 100 * time.Millisecond

// set opens it at a rate, or shuts it. Who waits goes on at the new rate at once.
func (t *throttle) set(open bool, rate int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == open && t.rate == rate {
		return
	}
	t.open, t.rate, t.free = open, rate, time.Time{}
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *throttle) isOpen() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open
}

// wait waits until n bytes may go. The error is the cause of ctx.
func (t *throttle) wait(ctx context.Context, n int) error {
	for {
		left, changed := t.take(n)
		if changed == nil {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// take lets n bytes through, if it can now: then changed is nil. Else left is how long to wait at most.
func (t *throttle) take(n int) (left time.Duration, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open && t.rate <= 0 {
		return 0, nil
	}
	now := time.Now()
	if left = t.free.Sub(now); t.open && left <= 0 {
		if saved := now.Add(-throttleBurst); t.free.Before(saved) {
			t.free = saved
		}
		t.free = t.free.Add(time.Duration(float64(n) / float64(t.rate) * float64(time.Second)))
		return 0, nil
	}
	if !t.open {
		left = time.Hour
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return left, t.changed
}
