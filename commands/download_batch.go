package commands

import (
	"context"
	"errors"
	"io"
	"sync"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// errSkipped is what became of sources that --fail-fast left out.
var errSkipped = errors.New("not tried to the end, as another source failed (--fail-fast)")

// A downloadDoc is the result of download.
type downloadDoc struct {
	Results []downloadItem `json:"results"`
}

// A downloadItem is what became of one source: what is now where, or why not.
type downloadItem struct {
	Source string `json:"source"`
	*bt.DownloadResult
	failure
}

// A batch is the sources of one command. Each is settled once: complete, or failed.
type batch struct {
	g        *globals
	opts     downloadOptions
	requests []request
	sources  []*bt.Source // nil: not even parsed
	display  *ui.Display

	mu     sync.Mutex // guards what follows
	items  []downloadItem
	open   int // requests not yet settled
	status int // highest of those that failed
	err    error
}

func newBatch(g *globals, requests []request, opts downloadOptions) *batch {
	return &batch{
		g: g, opts: opts, requests: requests,
		sources: make([]*bt.Source, len(requests)),
		display: g.output().NewDisplay(),
		items:   make([]downloadItem, len(requests)),
		open:    len(requests),
	}
}

// parse reads what the sources are, and reports whether any of them can be tried.
func (b *batch) parse(ctx context.Context) bool {
	good := false
	for i, r := range b.requests {
		src, err := bt.ParseSource(r.source)
		if err != nil {
			b.settle(ctx, i, nil, err)
			if b.opts.failFast {
				b.skip(ctx)
				return false
			}
			continue
		}
		b.sources[i], good = src, true
	}
	return good
}

// skip settles what was not tried.
func (b *batch) skip(ctx context.Context) {
	for i, item := range b.items {
		if item.Code == "" {
			b.settle(ctx, i, nil, errSkipped)
		}
	}
}

// run downloads all sources, some at a time, and returns when the last one is done, seeding included.
func (b *batch) run(ctx context.Context, client *bt.Client) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer b.display.Close()
	slots := make(chan struct{}, b.opts.jobs)
	var all sync.WaitGroup
	for i, src := range b.sources {
		if src == nil {
			continue
		}
		slots <- struct{}{}
		free := sync.OnceFunc(func() { <-slots })
		all.Go(func() {
			defer free()
			if err := b.one(ctx, client, i, free); err != nil && b.opts.failFast {
				cancel(errSkipped)
			}
		})
	}
	all.Wait()
}

// one downloads a source. It calls free when the data is complete: seeding keeps no other source waiting.
func (b *batch) one(ctx context.Context, client *bt.Client, i int, free func()) error {
	if ctx.Err() != nil {
		err := context.Cause(ctx)
		b.settle(ctx, i, nil, err)
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := b.engine(b.requests[i])
	sum := b.hashStream(&opts)
	complete, failed := false, error(nil)
	var kept *bt.DownloadResult // what is there although the source failed
	opts.Done = func(res *bt.DownloadResult) {
		complete = true
		if failed = b.accept(ctx, b.requests[i], res, sum); failed != nil {
			kept = res
			cancel() // what failed here is not seeded
			return
		}
		b.settle(ctx, i, res, nil)
		free()
	}
	res, err := client.Download(ctx, b.sources[i], opts)
	if err == nil && !complete {
		opts.Done(res)
	}
	switch {
	case failed != nil:
		err = failed
	case complete && b.opts.seed && ctx.Err() != nil:
		return nil // being stopped is how seeding without a goal ends
	case complete && err != nil:
		return b.late(ctx, i, err)
	case err == nil:
		return nil
	}
	if failed == nil {
		err = why(ctx, err)
	}
	b.settle(ctx, i, kept, err)
	return err
}

// late counts an error that came when the result was out already.
func (b *batch) late(ctx context.Context, i int, err error) error {
	err = why(ctx, err)
	_, status := b.g.tell(ctx, b.requests[i].source, len(b.requests) > 1, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = max(b.status, status)
	return err
}

// settle notes what became of a request, and shows it: as text at once, as JSON when all are settled.
func (b *batch) settle(ctx context.Context, i int, res *bt.DownloadResult, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	item := &b.items[i]
	item.Source, item.DownloadResult = b.requests[i].source, res
	if errors.Is(err, errSkipped) || errors.Is(err, ui.ErrClosed) {
		item.failure = failureOf(ctx, err)
		b.status = max(b.status, exitCode(ctx, err))
	} else {
		var status int
		item.failure, status = b.g.tell(ctx, item.Source, len(b.requests) > 1, err)
		b.status = max(b.status, status)
	}
	out := b.g.output()
	b.open--
	switch {
	case out.JSON() && b.open == 0:
		b.err = out.Result(downloadDoc{b.items}, nil)
	case !out.JSON() && err == nil && res != nil && !out.Quiet() && b.requests[i].out != "-":
		b.err = errors.Join(b.err, out.Result(nil, func(w io.Writer) error { return writeDownload(w, res) }))
	}
}

// result is the error of the whole: of writing the result, or of the sources that failed.
func (b *batch) result() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	return shownStatus(b.status)
}
