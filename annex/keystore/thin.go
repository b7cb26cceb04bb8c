package keystore

import (
	"context"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// With Options.Thin the content of a key is in the share's folder as a second name of the annex's own file, for as long as
// the annex has it: no byte is on the disk twice, and none stays that git-annex dropped. As that is no copy of its own, only
// what others have counts.

// Times of a thin store, and how many keys are given up at its end.
const (
	maxTouched = 1000
	askEvery   = time.Second            // others, whether they have what was stored
	lookAfter  = 5 * time.Second        // a node that has not seen the file by itself is made to walk its folder
	walkFor    = 30 * time.Second       // it may do so
	partTime   = 500 * time.Millisecond // git-annex waits at its end
)

// need is how many others must have a key before it counts as present; 0 = it is enough that it is here.
func (s *Store) need() int {
	if s.opts.Thin {
		return max(1, s.opts.Copies)
	}
	return s.opts.Copies
}

// putThin stores a key by another name of its file, and returns when others have it.
func (s *Store) putThin(ctx context.Context, p *place, key Key, from string, progress func(done int64)) error {
	if !p.info.Config.OnDemand {
		return errNotOnDemand(p.info.Name)
	}
	if err := p.folder.Link(key, from); err != nil {
		return s.absent(p, err)
	}
	s.touched(key)
	s.mu.Lock()
	s.stored = true
	s.mu.Unlock()
	return s.net.with(ctx, func(n api.Shares) error { return s.spread(ctx, n, p, key, newMeter(progress)) })
}

func errNotOnDemand(name string) error {
	return api.Errorf(bt.Usage, "thin=yes wants a share that is kept on demand, and %s keeps everything here: join it with \"shoal share add --on-demand\"", name)
}

// spread waits until enough others have a key, as long as anything is sent to them.
func (s *Store) spread(ctx context.Context, n api.Shares, p *place, key Key, m *meter) error {
	name := p.folder.Name(key)
	size, _ := key.Size()
	begun, moved := time.Now(), time.Now()
	first, last := int64(-1), int64(-1)
	for {
		_, err := n.Promised(ctx, p.info.Name, name, s.need())
		if err == nil {
			return nil
		}
		code := bt.CodeOf(err)
		if code != api.Held && code != bt.NoPeers && code != bt.NotFound {
			return err
		}
		if code == bt.NotFound && time.Since(begun) > lookAfter {
			_, _ = n.Sync(ctx, api.SyncOptions{Names: []string{p.info.Name}, For: walkFor})
		}
		if st, statusErr := n.Status(ctx, p.info.Name); statusErr == nil && st.Sent != last {
			if first < 0 {
				first = st.Sent
			}
			last, moved = st.Sent, time.Now()
			m.at(min(size, last-first))
		}
		if time.Since(moved) > stallWait {
			return api.Errorf(code, "it is not yet where it should be, and nothing is sent any more: %w", err)
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// touched notes that git-annex may be about to drop a key, as it asks for it.
func (s *Store) touched(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[Key]bool{}
	}
	if len(s.keys) < maxTouched {
		s.keys[key] = true
	}
}

// giveUp tells a node that runs what git-annex has dropped: of what it asked for here, and after it stored something also
// what was left before. It does not wait for more than a moment, as git-annex waits for us; the node goes on.
func (s *Store) giveUp() {
	s.mu.Lock()
	p, keys, stored := s.place, s.keys, s.stored
	s.mu.Unlock()
	if p == nil || len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), partTime)
	defer cancel()
	var names []string
	add := func(name string) bool {
		names = append(names, name)
		return len(names) < maxTouched
	}
	if stored {
		_ = p.folder.Orphans(ctx, add) // what was found in the time that there is
	} else {
		for key := range keys {
			if p.folder.isOrphan(key) {
				add(p.folder.Name(key))
			}
		}
	}
	if len(names) > 0 {
		_ = s.look.ask(ctx, func(n api.Shares) error { return n.Free(ctx, p.info.Name, names, s.need()) })
	}
}
