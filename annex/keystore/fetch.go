package keystore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

const (
	newsWait  = time.Minute     // to hear of a key that the share is not known to have
	stallWait = 2 * time.Minute // without a byte
)

// fetch gets a key that is not in the folder from others.
func (s *Store) fetch(ctx context.Context, n api.Shares, p *place, key Key, to string, progress func(done int64)) error {
	name := p.folder.Name(key)
	if known, err := knows(ctx, n, p.info.Name, name); err != nil {
		return err
	} else if !known {
		if err := s.hear(ctx, n, p, name); err != nil {
			return err
		}
		if here, err := p.folder.Has(key); err != nil || here {
			return errors.Join(err, p.folder.Get(ctx, key, to, progress))
		}
	}
	out := ""
	if !keepsAll(&p.info.Config) {
		// What is fetched for the annex is not kept in the folder as well. Beside the file: the node may be another process.
		abs, err := filepath.Abs(to)
		if err != nil {
			return err
		}
		out = abs + ".shoal"
		if err := os.Remove(out); err != nil && !missing(err) {
			return err
		}
	}
	if err := patiently(ctx, n, p.info.Name, name, out, newMeter(progress)); err != nil {
		return err
	}
	if out != "" {
		return os.Rename(out, to)
	}
	return p.folder.Get(ctx, key, to, progress)
}

// knows reports whether the share is known to have a file.
func knows(ctx context.Context, n api.Shares, share, name string) (bool, error) {
	_, err := n.Ls(ctx, share, name)
	if bt.CodeOf(err) == bt.NotFound {
		return false, nil
	}
	return err == nil, err
}

// hear meets others, to learn of a file.
func (s *Store) hear(ctx context.Context, n api.Shares, p *place, name string) error {
	results, err := n.Sync(ctx, api.SyncOptions{Names: []string{p.info.Name}, For: newsWait})
	if err != nil {
		return err
	}
	known, err := knows(ctx, n, p.info.Name, name)
	if err != nil || known {
		return err
	}
	for _, r := range results {
		if r.Code != string(bt.OK) {
			return api.Errorf(bt.Code(r.Code), "the share %s is not known to have it: %s", p.info.Name, r.Message)
		}
	}
	return api.Errorf(bt.NotFound, "the share %s does not have it", p.info.Name)
}

// keepsAll reports whether a share keeps all its files here.
func keepsAll(c *api.ShareConfig) bool {
	return !c.OnDemand && len(c.Select) == 0 && len(c.Exclude) == 0 && len(c.Dropped) == 0
}

// patiently gets a file, until nothing has come for a while.
func patiently(ctx context.Context, n api.Shares, share, name, out string, m *meter) error {
	stalled := fmt.Errorf("nothing came for %v", stallWait)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(stallWait, func() { cancel(stalled) })
	defer alarm.Stop()
	last := int64(0)
	told := api.WithProgress(ctx, func(p api.Progress) {
		if p.Done > last {
			last = p.Done
			alarm.Reset(stallWait)
			m.at(p.Done)
		}
	})
	_, err := n.Get(told, share, []string{name}, out)
	if err != nil && context.Cause(ctx) == stalled {
		return api.Errorf(bt.Stalled, "fetching from the share %s: %w", share, stalled)
	}
	return err
}
