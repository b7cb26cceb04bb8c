package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

// A fakeSource is what the system says.
type fakeSource struct {
	ev   chan fsnotify.Event
	errs chan error
	fail error // of Add

	mu      sync.Mutex
	watches []string // guarded by mu
}

func newFakeSource() *fakeSource {
	return &fakeSource{ev: make(chan fsnotify.Event), errs: make(chan error)}
}

func (s *fakeSource) Add(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.watches = append(s.watches, name)
	return nil
}

func (s *fakeSource) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watches = slices.DeleteFunc(s.watches, func(w string) bool { return w == name })
	return nil
}

func (s *fakeSource) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.watches)
}

func (s *fakeSource) Close() error                  { return nil }
func (s *fakeSource) events() <-chan fsnotify.Event { return s.ev }
func (s *fakeSource) errors() <-chan error          { return s.errs }

// A stopwatch is a clock that stands still until somebody waits for it, and jumps then.
type stopwatch struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (s *stopwatch) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stopwatch) After(d time.Duration) <-chan time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
	c := make(chan time.Time, 1)
	c <- s.now
	return c
}

var errEnough = errors.New("enough")

// watch runs a Watcher on a fake source for a script, which takes batches with next.
func watch(t *testing.T, w *Watcher, script func(next func() Paths)) {
	t.Helper()
	done, batches := make(chan error, 1), make(chan Paths)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		done <- w.Run(ctx, func(p Paths) error {
			select {
			case batches <- p:
				return nil
			case <-ctx.Done():
				return errEnough
			}
		})
	}()
	script(func() Paths { return <-batches })
	cancel(errEnough)
	if err := <-done; !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}

func TestWatchEvents(t *testing.T) {
	t.Parallel()
	src, clock := newFakeSource(), &stopwatch{now: time.Unix(1000, 0)}
	w := newWatcher("/share", WatchOptions{Now: clock.Now, After: clock.After}, src, nil)
	for _, d := range []string{"", "d", "d/e", "dd"} {
		w.Enter(d)
		w.Enter(d)
	}
	if got := src.list(); !slices.Equal(got, []string{"/share", "/share/d", "/share/d/e", "/share/dd"}) {
		t.Fatalf("watched: %q", got)
	}
	watch(t, w, func(next func() Paths) {
		src.ev <- fsnotify.Event{Name: "/share/.shoal/tmp/x", Op: fsnotify.Write}
		src.ev <- fsnotify.Event{}
		src.ev <- fsnotify.Event{Name: "/other/a", Op: fsnotify.Write}
		src.ev <- fsnotify.Event{Name: "/share/d", Op: fsnotify.Rename}
		if got := next(); len(got) != 1 || got["d"] != LookSelf {
			t.Errorf("%v", got)
		}
		src.errs <- fsnotify.ErrEventOverflow
		if got := next(); got[""] != LookDeep {
			t.Errorf("%v", got)
		}
	})
	if got := src.list(); !slices.Equal(got, []string{"/share", "/share/dd"}) {
		t.Fatalf("watched after a rename: %q", got)
	}
	if w.Polls() != nil {
		t.Fatal("lost events are no reason to poll")
	}
	w.Enter("d")
	if len(src.list()) != 3 {
		t.Fatal("the directory is not watched again")
	}
}

// Without room for watches everything is scanned now and then, and the user is told once.
func TestWatchLimit(t *testing.T) {
	t.Parallel()
	src, clock := newFakeSource(), &stopwatch{now: time.Unix(1000, 0)}
	var said []error
	w := newWatcher("/share", WatchOptions{Now: clock.Now, After: clock.After, Polling: func(err error) { said = append(said, err) }}, src, nil)
	w.Enter("")
	src.fail = fmt.Errorf("add: %w", os.ErrNotExist)
	w.Enter("gone")
	if w.Polls() != nil {
		t.Fatal("a directory that has gone is no reason to poll")
	}
	src.fail = syscall.ENOSPC
	for i := range 10 {
		w.Enter(fmt.Sprint(i))
	}
	if len(said) != 1 || !errors.Is(said[0], syscall.ENOSPC) || !errors.Is(w.Polls(), syscall.ENOSPC) {
		t.Fatalf("said: %v", said)
	}
	start := clock.Now()
	watch(t, w, func(next func() Paths) {
		for range 3 {
			if got := next(); got[""] != LookDeep {
				t.Errorf("%v", got)
			}
		}
	})
	if d := clock.Now().Sub(start); d < 3*PollTime {
		t.Fatalf("three polls in %v", d)
	}
}

func TestWatchNoEvents(t *testing.T) {
	t.Parallel()
	clock := &stopwatch{now: time.Unix(1000, 0)}
	w := NewWatcher(t.TempDir(), WatchOptions{Now: clock.Now, After: clock.After, NoEvents: true})
	w.Enter("")
	if w.Polls() == nil {
		t.Fatal("it does not say that it polls")
	}
	watch(t, w, func(next func() Paths) {
		if got := next(); got[""] != LookDeep {
			t.Errorf("%v", got)
		}
	})
}

func TestWatchEndsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w := NewWatcher(t.TempDir(), WatchOptions{})
	w.Enter("")
	cancel()
	if err := w.Run(ctx, func(Paths) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// A real folder: whatever is made in new directories and renamed ones is named, or is below a directory that is.
func TestWatchReal(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	w := NewWatcher(dir, WatchOptions{})
	if w.Polls() != nil {
		t.Skip(w.Polls())
	}
	w.Enter("")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dirty := make(chan string, 100)
	done := make(chan error, 1)
	go func() {
		done <- w.Run(ctx, func(what Paths) error {
			for p := range what {
				if info, err := os.Lstat(filepath.Join(dir, p)); err == nil && info.IsDir() {
					w.Enter(p) // as a scan does
				}
				dirty <- p
			}
			return nil
		})
	}()
	wait := func(p string) {
		t.Helper()
		for got := range dirty {
			if got == p {
				return
			}
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(p string) string { return filepath.Join(dir, p) }
	do(os.Mkdir(at("d"), 0o700))
	wait("d")
	do(os.WriteFile(at("d/x"), []byte("x"), 0o600))
	wait("d/x")
	do(os.Rename(at("d"), at("n")))
	wait("n")
	do(os.WriteFile(at("n/y"), []byte("y"), 0o600))
	wait("n/y")
	do(os.Mkdir(at("d"), 0o700))
	wait("d")
	do(os.WriteFile(at("d/z"), []byte("z"), 0o600))
	wait("d/z")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// lockedSource holds its lock until an error is taken, as fsnotify does.
type lockedSource struct {
	*fakeSource
	lock sync.Mutex
}

func (s *lockedSource) Remove(name string) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.fakeSource.Remove(name)
}

func TestWatchErrorUnderLock(t *testing.T) {
	defer goleak.VerifyNone(t)
	src := &lockedSource{fakeSource: newFakeSource()}
	w := newWatcher("/folder", WatchOptions{}, src, nil)
	w.Enter("dir")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, func(Paths) error { return nil }) }()
	src.lock.Lock()
	src.ev <- fsnotify.Event{Name: "/folder/dir", Op: fsnotify.Remove} // Run removes a watch
	src.errs <- errors.New("out of watches")
	src.lock.Unlock()
	cancel()
	<-done
}
