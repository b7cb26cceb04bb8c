package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// PollTime is how often everything is scanned where not everything can be watched.
const PollTime = time.Minute

// WatchOptions is what a Watcher may be told; the zero value is right.
type WatchOptions struct {
	Now   func() time.Time                       // time.Now when nil
	After func(d time.Duration) <-chan time.Time // time.After when nil
	// Polling is called, once, when not everything can be watched (too many directories for the system, or it has no
	// events): from then on everything is scanned each PollTime, too. It must not block.
	Polling func(reason error)
	// NoEvents polls from the start.
	NoEvents bool
}

// A Watcher says which paths to scan, soon after something happened there. It watches the directories that it is told of:
// Enter is for ScanOptions, so that the first scan and every later one set up what they list, and nothing falls in between.
type Watcher struct {
	dir    string
	opts   WatchOptions
	source source
	settle Settler // of Run alone

	mu      sync.Mutex // guards what follows
	watched map[string]bool
	polls   error         // why, or nil
	wake    chan struct{} // it polls now
}

// A source gives events; fsnotify does.
type source interface {
	Add(name string) error
	Remove(name string) error
	Close() error
	events() <-chan fsnotify.Event
	errors() <-chan error
}

type notifySource struct{ *fsnotify.Watcher }

func (s notifySource) events() <-chan fsnotify.Event { return s.Watcher.Events }
func (s notifySource) errors() <-chan error          { return s.Watcher.Errors }

// NewWatcher watches the folder dir, for which Run must be called. Without events from the system it polls.
func NewWatcher(dir string, opts WatchOptions) *Watcher {
	var src source
	reason := errors.New("watching is off")
	if !opts.NoEvents {
		n, err := fsnotify.NewWatcher()
		if err == nil {
			src = notifySource{n}
		}
		reason = err
	}
	return newWatcher(dir, opts, src, reason)
}

func newWatcher(dir string, opts WatchOptions, src source, reason error) *Watcher {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.After == nil {
		opts.After = time.After
	}
	w := &Watcher{dir: filepath.Clean(dir), opts: opts, source: src, watched: map[string]bool{}, wake: make(chan struct{}, 1)}
	w.settle.Size = w.size
	if src == nil {
		w.poll(reason)
	}
	return w
}

// Enter begins to watch one directory, as the disk spells it relative to the folder; "" is the folder.
func (w *Watcher) Enter(disk string) {
	w.mu.Lock()
	known := w.watched[disk]
	w.watched[disk] = w.source != nil
	w.mu.Unlock()
	if known || w.source == nil {
		return
	}
	err := w.source.Add(w.onDisk(disk))
	if err == nil {
		return
	}
	w.forget(disk)
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) && !errors.Is(err, fsnotify.ErrClosed) {
		w.poll(fmt.Errorf("watching %s: %w", w.onDisk(disk), err))
	}
}

// Polls is why everything is scanned each PollTime, or nil.
func (w *Watcher) Polls() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.polls
}

// poll begins to poll.
func (w *Watcher) poll(reason error) {
	w.mu.Lock()
	first := w.polls == nil
	if first {
		w.polls = reason
	}
	w.mu.Unlock()
	if !first {
		return
	}
	w.wake <- struct{}{}
	if w.opts.Polling != nil {
		w.opts.Polling(reason)
	}
}

// Run calls scan with the paths to scan, until ctx is done or scan fails, and returns that error. Events come together
// while scan works. Run may be called once.
func (w *Watcher) Run(ctx context.Context, scan func(Paths) error) error {
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.source != nil {
		defer w.source.Close()
		events = w.source.events()
	}
	batches := make(chan Paths)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if w.source != nil {
		failures = relay(ctx, w.source.errors())
	}
	go func() {
		for what := range batches {
			if err := scan(what); err != nil {
				cancel(err)
				break
			}
		}
		done <- nil
	}()
	w.loop(ctx, events, failures, batches)
	close(batches)
	<-done
	return context.Cause(ctx)
}

// relay takes errors at once. The source may hold its lock until one is taken, and Add and Remove wait for that. When many
// come, those that do not fit are dropped: any one is a scan of everything.
func relay(ctx context.Context, from <-chan error) <-chan error {
	to := make(chan error, 64)
	go func() {
		for {
			select {
			case err, ok := <-from:
				if !ok {
					close(to)
					return
				}
				select {
				case to <- err:
				default:
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return to
}

func (w *Watcher) loop(ctx context.Context, events <-chan fsnotify.Event, failures <-chan error, batches chan<- Paths) {
	var timer, polling <-chan time.Time
	var timed time.Time // what timer waits for
	var batch Paths
	for {
		out := batches
		if batch == nil {
			out = nil
			var next time.Time
			if batch, next = w.settle.Ready(w.opts.Now()); batch != nil {
				continue
			}
			if next != timed {
				timer, timed = nil, next
				if !next.IsZero() {
					timer = w.opts.After(next.Sub(w.opts.Now()))
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case out <- batch:
			batch = nil
		case <-timer:
			timer, timed = nil, time.Time{}
		case <-w.wake:
			polling = w.opts.After(PollTime)
		case <-polling:
			w.settle.Event("", LookDeep, w.opts.Now())
			polling = w.opts.After(PollTime)
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			w.event(e)
		case err, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			w.failure(err)
		}
	}
}

// event takes an event of the system.
func (w *Watcher) event(e fsnotify.Event) {
	disk, ok := w.relative(e.Name)
	if !ok || disk == Dir || strings.HasPrefix(disk, Dir+"/") {
		return
	}
	if e.Has(fsnotify.Rename) || e.Has(fsnotify.Remove) {
		w.forget(disk)
	}
	look := LookSelf
	if disk == "" && e.Op != fsnotify.Chmod {
		look = LookDeep // the folder itself goes: the marker will tell
	}
	w.settle.Event(disk, look, w.opts.Now())
}

// failure takes an error of the system: events may be lost.
func (w *Watcher) failure(err error) {
	w.settle.Event("", LookDeep, w.opts.Now())
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		w.poll(fmt.Errorf("watching %s: %w", w.dir, err))
	}
}

// forget ends the watches of a directory that has gone, and of all below it: they follow it to its new place, and would
// name the old one. The scan of the new place sets up new ones.
func (w *Watcher) forget(disk string) {
	w.mu.Lock()
	if !w.watched[disk] {
		w.mu.Unlock()
		return
	}
	var gone []string
	for d := range w.watched {
		if d == disk || strings.HasPrefix(d, disk+"/") {
			gone = append(gone, d)
			delete(w.watched, d)
		}
	}
	w.mu.Unlock()
	for _, d := range gone {
		w.source.Remove(w.onDisk(d)) // an error says that it is gone already
	}
}

func (w *Watcher) onDisk(disk string) string { return filepath.Join(w.dir, filepath.FromSlash(disk)) }

// relative is a path below the folder.
func (w *Watcher) relative(name string) (string, bool) {
	rel, err := filepath.Rel(w.dir, name)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) || name == "" {
		return "", false
	}
	if rel == "." {
		rel = ""
	}
	return filepath.ToSlash(rel), true
}

func (w *Watcher) size(disk string) int64 {
	info, err := os.Lstat(w.onDisk(disk))
	if err != nil || !info.Mode().IsRegular() {
		return -1
	}
	return info.Size()
}
