package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

// A share beside another: an export that a node of the source, a store too, helps to serve. It has a store token, no folder,
// and no blobs but heads and their roots; all else is that of the source, and is given to those of the export's swarm only
// as far as its heads lead (docs/shares.md §8).

// byShare is the engine of a share; nil when it is not here.
func (n *Node) byShare(id secret.ShareID) *engine {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.engines {
		if e.token.Share == id {
			return e
		}
	}
	return nil
}

const maxBeside = 1024 // exports of a share that a node is beside

// beside makes the node beside these exports, and no others, of this share. The control goroutine calls it.
func (e *engine) beside(tokens []secret.Token) error {
	n := e.node
	for _, x := range n.all() {
		if x.isBeside() && x.link.Of == e.n && !slices.ContainsFunc(tokens, func(t secret.Token) bool { return t.Share == x.token.Share }) {
			if err := n.forget(e.ctx, x); err != nil {
				return err
			}
		}
	}
	return e.besideAgain()
}

func (e *engine) besideOne(token secret.Token) error {
	n := e.node
	if x := n.byShare(token.Share); x != nil {
		if x.isBeside() { // else it is mounted
			n.goWith(x, token)
		}
		return nil
	}
	n.linking.Lock()
	defer n.linking.Unlock()
	if n.byShare(token.Share) != nil {
		return nil
	}
	config := parseConfig(e.row.Options)
	config.Select, config.Exclude, config.Wanted, config.Dropped = nil, nil, nil, nil
	row := db.Share{ID: token.Share, Name: e.row.Name + "-" + hex.EncodeToString(token.Share[:6]),
		Options: encodeOptions(config, &linkRow{Of: e.n}), Added: n.now()}
	_, err := n.enter(e.ctx, &row, token)
	return err
}

// besideAgain makes the node beside exports again that were mounted meanwhile.
func (e *engine) besideAgain() error {
	for i := range e.exports.tokens[:min(len(e.exports.tokens), maxBeside)] {
		if err := e.besideOne(e.exports.tokens[i]); err != nil {
			return err
		}
	}
	return nil
}

// completeBeside lets heads count whose index has come with the share that they are of.
func (e *engine) completeBeside() error {
	for _, h := range e.kept().incomplete() {
		missing, err := index.Missing(index.RefsIn(e.blobs), h.Root, nil)
		if err != nil || len(missing) > 0 {
			continue
		}
		if err := e.complete(h); err != nil {
			return err
		}
		if e.net != nil {
			e.net.announce(h.ID)
		}
	}
	return nil
}

// enter adds a share to the node, and starts it.
func (n *Node) enter(ctx context.Context, row *db.Share, token secret.Token) (*engine, error) {
	if err := n.keepToken(ctx, row, token); err != nil {
		return nil, err
	}
	err := n.db.Update(ctx, func(t *db.Tx) error {
		if err := t.AddShare(row); err != nil {
			return err
		}
		return t.SetCert(row.N, row.Cert)
	})
	if err != nil {
		return nil, fmt.Errorf("adding share %s: %w", row.Name, err)
	}
	e, err := newEngine(n, *row, token)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errStopping
	}
	n.engines[row.Name] = e
	if n.running {
		e.start()
	}
	return e, nil
}

// forget ends a share that came by a link, and all that is mounted in it. Files stay.
func (n *Node) forget(ctx context.Context, e *engine) error {
	n.mu.Lock()
	delete(n.engines, e.row.Name)
	n.mu.Unlock()
	e.stop()
	for _, x := range n.mountedIn(e) {
		if err := n.forget(ctx, x); err != nil {
			return err
		}
	}
	if err := n.db.Update(ctx, func(t *db.Tx) error { return t.RemoveShare(e.n) }); err != nil {
		return err
	}
	n.dropToken(ctx, e)
	return nil
}

// mountedIn are the shares that are mounted in another.
func (n *Node) mountedIn(e *engine) (all []*engine) {
	for _, x := range n.all() {
		if x.link != nil && x.link.In == e.n {
			all = append(all, x)
		}
	}
	return all
}

// swarmNow is the swarm, once the engine has been started. The caller must not hold node.mu.
func (e *engine) swarmNow() *swarm {
	if !e.node.isRunning() {
		return nil
	}
	return e.net
}

// passBy keeps an engine that is beside another from fetching more of an index than the heads themselves say: roots, and
// what is directly below them, which is a node of the export alone where it shows a single file. The rest comes with the
// share.
func (e *engine) passBy(id blob.ID) bool {
	if !e.isBeside() {
		return false
	}
	return !slices.ContainsFunc(e.kept().all, func(h db.Head) bool { return h.Root == id })
}

// showBeside is showProgress of one that is beside another: it is as far as that is.
func (e *engine) showBeside() {
	l := e.kept()
	settled, missing := l.any() && len(l.incomplete()) == 0, int64(0)
	if o := e.node.byNumber(e.link.Of); o != nil {
		v, _ := o.look()
		settled, missing = settled && v.Settled, v.Missing
	}
	e.mu.Lock()
	e.view.Settled, e.view.Missing, e.view.Todo, e.view.Frontier = settled, missing, 0, frontierHash(l.frontier())
	e.mu.Unlock()
}

// besideLook is how often it looks whether the other has gone on.
const besideLook = time.Second

// stepBeside is the step of one that is beside another.
func (e *engine) stepBeside() (time.Duration, error) {
	if e.row.Moving { // it has no state
		if err := e.node.db.Update(e.ctx, func(t *db.Tx) error { return t.SetMoving(e.n, false) }); err != nil {
			return idleLook, err
		}
		e.row.Moving = false
	}
	if err := e.completeBeside(); err != nil {
		return idleLook, err
	}
	if err := e.supersede(); err != nil {
		return idleLook, err
	}
	e.showBeside()
	state := api.StateWaiting
	if v, _ := e.look(); v.Settled {
		state = api.StateInSync
	} else if e.kept().any() {
		state = api.StateSyncing
	}
	e.show(state, nil)
	if e.net != nil {
		e.net.changed()
	}
	return besideLook, nil
}

// joinIn lets a peer of another share have a torrent that is open, when that share leads to it.
func (e *engine) joinIn(x *transfer, p *peer, info blob.ID) {
	_, _, end, err := e.sourceOf(info) // it says whether it may
	if err != nil {
		_ = p.conn.Send(&wire.No{IDs: []blob.ID{info}, Want: true})
		return
	}
	end()
	x.alsoMu.Lock()
	if !slices.Contains(x.also, e) {
		x.also = append(x.also, e)
	}
	x.alsoMu.Unlock()
	t := e.node.transfers
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.data != nil {
		x.data.AddPeers(p.addrs())
	}
}

// admits reports whether an address may have data connections of the torrent: that of a peer of a share that has it.
func (x *transfer) admits(a netip.Addr) bool {
	if x.e.net.admits(a) {
		return true
	}
	x.alsoMu.Lock()
	defer x.alsoMu.Unlock()
	return slices.ContainsFunc(x.also, func(e *engine) bool { return e.net.admits(a) })
}

// linkedNow are the shares mounted in those of all that are not among them yet.
func (n *Node) linkedNow(all map[*engine]bool) (more []*engine) {
	for e := range all {
		for _, x := range n.mountedIn(e) {
			if !all[x] {
				more = append(more, x)
			}
		}
	}
	return more
}

// besideTime bounds how long one shot waits for exports that the node is beside.
const besideTime = 10 * time.Second

// syncBeside gives the exports that the node is beside of shares a chance to be the same as those of others who came.
func (n *Node) syncBeside(ctx context.Context, of map[*engine]bool) {
	ctx, cancel := context.WithTimeout(ctx, besideTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, x := range n.all() {
		o := n.byNumber(x.linkOf())
		if o == nil || !of[o] || o.token.Role >= secret.Write && (x.net == nil || len(x.net.all()) == 0) {
			continue
		}
		wg.Go(func() { x.sync(ctx) })
	}
	wg.Wait()
}

// linkOf is the number of the share that this one is beside; 0 = none.
func (e *engine) linkOf() int64 {
	if e.link == nil {
		return 0
	}
	return e.link.Of
}
