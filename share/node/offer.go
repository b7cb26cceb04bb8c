package node

import (
	"context"
	"errors"
	"time"

	"shoal/bt"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/wire"
)

// wanted opens a torrent that a peer wants, if anything of it is here.
func (e *engine) wanted(p *peer, info blob.ID) {
	t := e.node.transfers
	t.mu.Lock()
	x := t.open[info]
	if x != nil && x.data != nil && x.e == e {
		x.data.AddPeers(p.addrs())
	}
	t.mu.Unlock()
	if x != nil {
		if x.e != e {
			e.joinIn(x, p, info)
		}
		return
	}
	if err := e.offer(p, info); err != nil {
		if e.ctx.Err() == nil {
			e.log.Debug("a torrent is not served", "info", info, "why", err)
		}
		_ = p.conn.Send(&wire.No{IDs: []blob.ID{info}, Want: true})
	}
}

// offer serves a torrent until nobody has asked for anything in a while.
func (e *engine) offer(p *peer, info blob.ID) error {
	t := e.node.transfers
	st, dict, end, err := e.sourceOf(info)
	if err != nil {
		return err
	}
	x := &transfer{e: e, info: info, gone: make(chan struct{})}
	if ok, err := t.enterFor(e.ctx, x); !ok {
		end()
		return err
	}
	data, err := e.node.net.OpenData(e.ctx, bt.DataOptions{Info: dict, Storage: st, Peers: p.addrs(), Admit: x.admits, Up: e.sending, ServeOnly: true})
	if err != nil {
		t.leave(x)
		end()
		return err
	}
	ctx, finish := context.WithCancel(e.ctx)
	t.mu.Lock()
	x.data, x.finish = data, finish
	t.mu.Unlock()
	e.wg.Go(func() {
		defer finish()
		defer end()
		defer t.leave(x)
		defer data.Close()
		defer t.closing(x)
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case err := <-data.Failed():
				e.log.Warn("a file is no longer what it was", "why", err)
				return
			case <-tick.C:
				now := data.Stats()
				if quiet := time.Since(now.Active); quiet > idleClose || now.Peers == 0 && quiet > leftClose {
					return
				}
			}
		}
	})
	return nil
}

var errBusyTorrents = errors.New("too many torrents are open")

// sourceOf is the storage that serves a torrent, its info dictionary, and what ends it.
func (e *engine) sourceOf(info blob.ID) (st bt.Storage, dict []byte, end func(), err error) {
	if e.store != nil {
		return e.store.source(info)
	}
	recipe, rows, archived, err := e.largeRows(info)
	if errors.Is(err, wire.ErrNotHere) {
		return e.borrowData(info)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	fs := e.fsNow()
	for _, c := range append(rows, archived...) {
		if fs == nil || !c.Present || c.Local || len(c.Caps) == 0 || c.Caps[0].ID != recipe {
			continue
		}
		l, err := e.recipe(e.ctx, c.Caps[0], c.Size, c.Hash)
		if err != nil {
			continue
		}
		f, err := fs.Open(c.Path)
		if err != nil {
			continue
		}
		path := c.Path
		src := newPlainSource(l, f, e.node.pieces)
		return src, l.Dict, func() {
			src.Close()
			f.Close()
			if src.failed() {
				e.suspect(path)
			}
		}, nil
	}
	return e.borrowData(info)
}

// largeRows are the files that may be what an info describes: on disk, and in the archive.
func (e *engine) largeRows(info blob.ID) (recipe blob.ID, rows, archived []index.Base, err error) {
	err = e.node.db.View(e.ctx, func(t *db.Tx) error {
		var ok bool
		if recipe, ok, err = t.Large(e.n, info); err != nil || !ok {
			return errors.Join(err, wire.ErrNotHere)
		}
		if rows, err = t.ByCap(e.n, recipe, 8); err != nil {
			return err
		}
		old, err := t.ArchivedByCap(e.n, recipe[:])
		for _, a := range old {
			a.Row.Path = a.Name
			archived = append(archived, a.Row)
		}
		return err
	})
	return recipe, rows, archived, err
}
