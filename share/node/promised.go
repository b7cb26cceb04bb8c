package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/index"
)

// maxPromises is how many promises may be asked for at once.
const maxPromises = 1000

// Promised asks other nodes to promise that they keep a file of the share, whether it is here or not: held when fewer than
// copies of the listed ones do. Each has to show content of it (docs/shares.md §6.6).
func (n *Node) Promised(ctx context.Context, name, p string, copies int) (*api.Promise, error) {
	if copies < 1 || copies > maxPromises {
		return nil, fail(bt.Usage, "%d copies cannot be asked for: want 1 to %d", copies, maxPromises)
	}
	e, t, err := n.reading(name)
	if err != nil {
		return nil, err
	}
	p = cleanPath(p)
	items, err := t.items(ctx, []string{p})
	if err != nil {
		return nil, err
	}
	fresh := !n.isRunning()
	n.Start()
	for i := range items[0].shown {
		s := &items[0].shown[i]
		if s.Path != p || s.Type != index.File {
			continue
		}
		units, err := e.shownUnits(ctx, s)
		if err != nil {
			return nil, err
		}
		got, err := e.secure(ctx, units, copies, true, fresh)
		if err != nil {
			return nil, err
		}
		if len(got.missing) > 0 {
			return nil, e.refused(p, 0, got)
		}
		return &api.Promise{Copies: copies, Until: got.until.UTC()}, nil
	}
	return nil, fail(bt.Usage, "%s is no file", p)
}

// shownUnits are the units of a file of the share, of which nothing need be here.
func (e *engine) shownUnits(ctx context.Context, s *index.Shown) ([]unit, error) {
	row := index.Base{Type: s.Type, Size: s.Size, Caps: s.Caps}
	infos, err := e.larges(ctx)
	if err != nil {
		return nil, ioError("reading the node's state", err)
	}
	if units, ok := rowUnits(&row, infos); ok {
		return units, nil
	}
	if len(s.Caps) == 0 || e.net == nil {
		return nil, fail(codeHeld, "it is not known what %s consists of", s.Path)
	}
	l, err := e.recipe(ctx, s.Caps[0], s.Size, s.Hash)
	if err != nil {
		return nil, err
	}
	return largeUnits(s.Caps[0].ID, l.Info, blob.Padme(s.Size)), nil
}

// secured is what others said to a wish for promises.
type secured struct {
	missing []int // places of units that too few promise
	until   time.Time
	need    int
	counts  func(node [32]byte) bool
}

// secure gets promises for units: of each, need from nodes that count, or as many as the policy says when need is 0. show:
// as of promiser.secure. fresh: this node has just started, and others may come.
func (e *engine) secure(ctx context.Context, units []unit, need int, show, fresh bool) (s secured, err error) {
	if e.net == nil {
		return s, fail(bt.NoPeers, "this node meets nobody, so that nobody can promise anything")
	}
	end := time.Now()
	if fresh {
		end = end.Add(meetTime)
	}
	for {
		_, news := e.look()
		if s.need, s.counts, err = e.counting(); err != nil {
			return s, ioError("reading who the members are", err)
		}
		if need > 0 {
			s.need = need
		}
		if s.missing, s.until, err = e.promise.secure(ctx, units, s.need, show, s.counts); err != nil || len(s.missing) == 0 {
			return s, err
		}
		left := time.Until(end)
		if left <= 0 {
			return s, nil
		}
		wait, cancel := context.WithTimeout(ctx, left)
		select {
		case <-news:
			sleep(wait, lookEvery)
		case <-wait.Done():
		}
		cancel()
	}
}

// refused says that too few promise to keep a file, and so many more.
func (e *engine) refused(path string, more int, s secured) error {
	what := fmt.Sprintf("no other listed node promises to keep %s", path)
	if s.need > 1 {
		what = fmt.Sprintf("fewer than %d listed nodes promise to keep %s", s.need, path)
	}
	if more > 0 {
		what += fmt.Sprintf(", and %d more files", more)
	}
	advice := "let others fetch it first"
	for _, p := range e.net.all() {
		if !s.counts(p.pk) {
			advice += fmt.Sprintf("; %s (%x) is connected, but is no member: admit it", p.conn.Hello().Name, p.pk[:4])
			break
		}
	}
	return &bt.Error{Code: codeHeld, Err: errors.New(what), Advice: advice}
}
