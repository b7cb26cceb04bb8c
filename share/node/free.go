package node

import (
	"context"
	"errors"
	"time"

	"shoal/bt"
	"shoal/share/index"
)

// freeTime is how long may be spent on giving up a file.
const freeTime = time.Minute

// Free gives up the copies of files here, and keeps nothing of them in the archive: of each so many other nodes must have
// shown that they have it (docs/shares.md §6.6). It goes on when ctx is done.
func (n *Node) Free(ctx context.Context, name string, paths []string, copies int) error {
	if copies < 1 || copies > maxPromises {
		return fail(bt.Usage, "%d copies cannot be asked for: want 1 to %d", copies, maxPromises)
	}
	e, t, err := n.reading(name)
	if err != nil {
		return err
	}
	for i, p := range paths {
		paths[i] = cleanPath(p)
		items, err := t.items(ctx, paths[i:i+1])
		if err != nil {
			return err
		}
		if len(items) != 1 || len(items[0].shown) != 1 || items[0].shown[0].Type != index.File {
			return fail(bt.Usage, "%s is no file, or there are several versions of it", p)
		}
	}
	if e.net == nil || !n.isRunning() {
		return fail(bt.NoPeers, "this node meets nobody, so that nobody can promise anything")
	}
	done := make(chan error, 1)
	e.net.spawn(func() {
		var errs []error
		for _, p := range paths {
			ctx, cancel := context.WithTimeout(e.ctx, freeTime)
			errs = append(errs, n.drop(ctx, name, []string{p}, &dropping{free: true, copies: copies}))
			cancel()
		}
		done <- errors.Join(errs...)
	})
	select {
	case err := <-done:
		return err
	case <-e.ctx.Done():
		return errStopping
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
