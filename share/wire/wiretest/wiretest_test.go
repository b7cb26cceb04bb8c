package wiretest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

var _ wire.Link = (*wiretest.Link)(nil)

// TestSchedule checks that a scheduler decides when frames come, and never in which order those of a direction do.
func TestSchedule(t *testing.T) {
	t.Parallel()
	var deliver []func()
	a, b := wiretest.Pair(wiretest.Options{Schedule: func(f func()) { deliver = append(deliver, f) }})
	for i := range 3 {
		if err := a.Send(t.Context(), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(deliver)
	now, cancel := context.WithCancel(t.Context())
	cancel()
	for i, f := range deliver {
		if _, err := b.Recv(now); !errors.Is(err, context.Canceled) {
			t.Errorf("a frame came before its time: %v", err)
		}
		f()
		if frame, err := b.Recv(now); err != nil || frame[0] != byte(i) {
			t.Errorf("%d, %v", frame, err)
		}
	}
}

func TestQueueAndCut(t *testing.T) {
	t.Parallel()
	a, b := wiretest.Pair(wiretest.Options{Queue: 2})
	if !a.Dialled() || b.Dialled() || a.RemoteAddr() == b.RemoteAddr() {
		t.Error("the ends are alike")
	}
	for range 2 {
		if err := a.Send(t.Context(), []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Send(now, []byte{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("the queue has no end: %v", err)
	}
	b.Cut()
	<-a.Done()
	if err := a.Send(t.Context(), []byte{1}); !errors.Is(err, wiretest.ErrCut) {
		t.Error(err)
	}
	for i := range 3 {
		if _, err := b.Recv(t.Context()); (err == nil) != (i < 2) {
			t.Errorf("frame %d: %v", i, err)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	var c wiretest.Clock
	var got []int
	at := func(s int) { c.AfterFunc(time.Duration(s)*time.Second, func() { got = append(got, s) }) }
	at(3)
	at(1)
	stop := c.AfterFunc(2*time.Second, func() { t.Error("it was stopped") })
	c.AfterFunc(time.Second, func() { at(1) })
	stop()
	began := c.Now()
	c.Advance(2 * time.Second)
	if !slices.Equal(got, []int{1, 1}) || c.Now().Sub(began) != 2*time.Second || c.Timers() != 1 {
		t.Errorf("%v at %v, %d timers", got, c.Now(), c.Timers())
	}
}
