package node

import (
	"context"
	"sync"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/index"
)

const (
	tellEvery = 500 * time.Millisecond
	maxTold   = 1000 // files of which it is told how far they are
)

// tellGetting tells who waits for items how many of their bytes have come, until the function that it returns is called.
func (e *engine) tellGetting(ctx context.Context, items []item) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var files []*index.Shown
	p := api.Progress{Share: e.row.Name, State: api.StateSyncing}
	for i := range items {
		for j := range items[i].shown {
			if s := &items[i].shown[j]; s.Type == index.File {
				files = append(files, s)
				p.Total += s.Size
			}
		}
	}
	if len(files) == 0 || len(files) > maxTold {
		return cancel
	}
	if len(files) == 1 {
		p.Path = files[0].Path
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for sleep(ctx, tellEvery) {
			done, err := e.gotten(ctx, files)
			if err != nil {
				continue // it is told later, or not at all
			}
			p.Done = max(p.Done, min(done, p.Total)) // a piece that is fetched twice counts twice
			if e.net != nil {
				p.Peers = len(e.net.all())
			}
			api.Tell(ctx, p)
		}
	})
	return func() { cancel(); wg.Wait() }
}

// gotten is how many bytes of files have come.
func (e *engine) gotten(ctx context.Context, files []*index.Shown) (done int64, err error) {
	infos, err := e.larges(ctx)
	if err != nil {
		return 0, err
	}
	read := map[blob.ID]int64{}
	t := e.node.transfers
	t.mu.Lock()
	for info, x := range t.open {
		if x.own && x.data != nil {
			read[info] = x.data.Stats().Read
		}
	}
	t.mu.Unlock()
	for _, s := range files {
		here, err := e.arrived(ctx, s)
		switch {
		case err != nil:
			return 0, err
		case here:
			done += s.Size
		case len(s.Caps) > 0:
			done += min(s.Size, read[infos[s.Caps[0].ID]])
		}
	}
	return done, nil
}
