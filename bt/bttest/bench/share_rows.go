package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

var shareRows = []shareRow{
	{"files", func(a amounts) string { return fmt.Sprint(a.files, " files of 16 KiB") }, false, (*shareBench).filesRow},
	{"large", func(a amounts) string { return fmt.Sprint("one file of ", a.large>>20, " MiB") }, false, (*shareBench).largeRow},
	{"new", func(amounts) string { return "a new small file, where somebody watches" }, false, (*shareBench).newRow},
	{"many", func(a amounts) string { return fmt.Sprint(a.manyFiles, " files of 4 KiB") }, false, (*shareBench).manyRow},
	{"million", func(a amounts) string {
		return fmt.Sprint(a.millionFiles, " files of 64 bytes, of which the second node has the index alone")
	}, true, (*shareBench).millionRow},
}

func shareRowNames() (names []string) {
	for _, r := range shareRows {
		names = append(names, r.name)
	}
	return names
}

// measured measures f until it returns, and the processors until the nodes are quiet again.
func (b *shareBench) measured(ctx context.Context, p pair, what string, f func() error) (figure, error) {
	before := p.cpu()
	sent, err := sentSoFar(ctx, p)
	if err != nil {
		return figure{}, err
	}
	began := time.Now()
	if err := f(); err != nil {
		return figure{}, fmt.Errorf("%s: %w", what, err)
	}
	fig := figure{what: what, seconds: time.Since(began).Seconds()}
	if err := quiet(ctx, p, b.quiet); err != nil {
		return figure{}, fmt.Errorf("%s: %w", what, err)
	}
	after := p.cpu()
	for i := range after {
		fig.cpu[i] = after[i] - before[i]
	}
	fig.rss = p.rss()
	now, err := p.sent(ctx)
	fig.sent = now - sent
	return fig, err
}

// sentSoFar is nothing while there is no share that could tell.
func sentSoFar(ctx context.Context, p pair) (int64, error) {
	if p.cpu() == [2]float64{} {
		return 0, nil
	}
	n, err := p.sent(ctx)
	if err != nil {
		return 0, nil
	}
	return n, ctx.Err()
}

const (
	quietBelow = 0.02 // seconds of processor time
	quietLimit = 2 * time.Minute
)

// quiet waits until both nodes do next to nothing.
func quiet(ctx context.Context, p pair, enough time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, quietLimit, fmt.Errorf("the nodes did not come to rest within %v", quietLimit))
	defer cancel()
	for last := p.cpu(); ; {
		if err := pause(ctx, enough); err != nil {
			return err
		}
		now := p.cpu()
		if now[0]-last[0] < quietBelow && now[1]-last[1] < quietBelow {
			return nil
		}
		last = now
	}
}

// firstSync brings a tree from one folder into the other, which is empty.
func (b *shareBench) firstSync(ctx context.Context, p pair, t tree) (figure, error) {
	from, to := p.places()[0].folder, p.places()[1].folder
	if err := t.write(from); err != nil {
		return figure{}, err
	}
	syscall.Sync() // so that it is not written while something is measured
	if err := p.start(ctx); err != nil {
		return figure{}, err
	}
	f, err := b.measured(ctx, p, "first sync, from both running to equal", func() error {
		if err := p.join(ctx); err != nil {
			return err
		}
		return t.wait(ctx, to)
	})
	if err != nil {
		return figure{}, err
	}
	return f, t.same(from, to)
}

func (b *shareBench) filesRow(ctx context.Context, p pair) ([]figure, error) {
	f, err := b.firstSync(ctx, p, tree{b.files, 16 << 10})
	return []figure{f}, err
}

func (b *shareBench) largeRow(ctx context.Context, p pair) ([]figure, error) {
	from, to := filepath.Join(p.places()[0].folder, "large"), filepath.Join(p.places()[1].folder, "large")
	if err := writeRandom(from, b.large); err != nil {
		return nil, err
	}
	syscall.Sync()
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	first, err := b.measured(ctx, p, "first sync, from both running to equal", func() error {
		if err := p.join(ctx); err != nil {
			return err
		}
		return waitSize(ctx, to, b.large)
	})
	if err != nil {
		return nil, err
	}
	if err := sameFile(from, to); err != nil {
		return nil, err
	}
	off := b.large / 2
	changed, err := b.measured(ctx, p, "one byte changed in place", func() error {
		now, err := turnByte(from, off)
		if err != nil {
			return err
		}
		if err := p.push(ctx); err != nil {
			return err
		}
		return waitFile(ctx, to, b.large, off, now)
	})
	if err != nil {
		return []figure{first}, err
	}
	return []figure{first, changed}, sameFile(from, to)
}

// waitSize waits until a file is there and whole: no program gives a name to a part.
func waitSize(ctx context.Context, path string, size int64) error {
	for {
		if info, err := os.Stat(path); err == nil && info.Size() == size {
			return nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("waiting for %s: %w", path, err)
		}
	}
}

func (b *shareBench) newRow(ctx context.Context, p pair) ([]figure, error) {
	if !p.watches() {
		return nil, errNotIts
	}
	if _, err := b.firstSync(ctx, p, tree{10, 1 << 10}); err != nil {
		return nil, err
	}
	var took []float64
	var last figure
	for i := range b.news {
		name := fmt.Sprint("new", i)
		f, err := b.measured(ctx, p, "from one folder to the other, median", func() error {
			if err := os.WriteFile(filepath.Join(p.places()[0].folder, name), []byte("news"), 0o644); err != nil {
				return err
			}
			return waitSize(ctx, filepath.Join(p.places()[1].folder, name), 4)
		})
		if err != nil {
			return nil, err
		}
		took, last = append(took, f.seconds), f
	}
	slices.Sort(took)
	last.seconds = took[len(took)/2]
	last.note = fmt.Sprintf("of %d: %.2f to %.2f s", len(took), took[0], took[len(took)-1])
	return []figure{last}, nil
}

func (b *shareBench) manyRow(ctx context.Context, p pair) (all []figure, err error) {
	first, err := b.firstSync(ctx, p, tree{b.manyFiles, 4 << 10})
	if err != nil || !p.watches() {
		return []figure{first}, err
	}
	all = append(all, first)
	if _, _, err := p.settled(ctx, b.manyFiles); err != nil {
		return all, err
	}
	p.stop()
	began := time.Now()
	var at time.Time
	var hashed int64
	again, err := b.measured(ctx, p, "restart of both without a change", func() (err error) {
		if err := p.start(ctx); err != nil {
			return err
		}
		at, hashed, err = p.settled(ctx, b.manyFiles)
		return err
	})
	if err != nil {
		return all, err
	}
	again.seconds = at.Sub(began).Seconds()
	if hashed >= 0 {
		again.note = fmt.Sprintf("%d bytes hashed", hashed)
	}
	idle, err := b.idleFor(ctx, p)
	return append(all, again, idle), err
}

// idleFor measures nodes that have nothing to do.
func (b *shareBench) idleFor(ctx context.Context, p pair) (figure, error) {
	before := p.cpu()
	if err := pause(ctx, b.idle); err != nil {
		return figure{}, err
	}
	after := p.cpu()
	f := figure{what: "idle; resident now", seconds: b.idle.Seconds(), rss: p.resident()}
	for i := range after {
		f.cpu[i] = after[i] - before[i]
	}
	f.note = fmt.Sprintf("%.2f %% and %.2f %% of a core", 100*f.cpu[0]/f.seconds, 100*f.cpu[1]/f.seconds)
	return f, nil
}

// millionRow is for shoal alone: others have no node with an index and without files.
func (b *shareBench) millionRow(ctx context.Context, p pair) ([]figure, error) {
	s, ok := p.(*shoalPair)
	if !ok {
		return nil, errNotIts
	}
	s.onDemand = true
	t := tree{b.millionFiles, 64}
	if err := t.write(s.at[0].folder); err != nil {
		return nil, err
	}
	syscall.Sync()
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	f, err := b.measured(ctx, p, "both have the index", func() error {
		if err := s.join(ctx); err != nil {
			return err
		}
		_, _, err := s.settled(ctx, b.millionFiles)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.note = fmt.Sprintf("databases %d and %d MB", databaseSize(s.at[0])/1e6, databaseSize(s.at[1])/1e6)
	idle, err := b.idleFor(ctx, p)
	return []figure{f, idle}, err
}

func databaseSize(at place) (n int64) {
	all, _ := filepath.Glob(filepath.Join(at.home, "node.db*"))
	for _, path := range all {
		if info, err := os.Stat(path); err == nil {
			n += info.Size()
		}
	}
	return n
}
