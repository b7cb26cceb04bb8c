package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/api"
)

// Sync runs shares until each is in sync with a peer, or its time is over.
func (n *Node) Sync(ctx context.Context, opts api.SyncOptions) ([]api.SyncResult, error) {
	var engines []*engine
	if len(opts.Names) == 0 {
		engines = slices.DeleteFunc(n.all(), (*engine).isBeside)
	}
	for _, name := range opts.Names {
		e, err := n.find(name)
		if err != nil {
			return nil, err
		}
		engines = append(engines, e)
	}
	ran := n.isRunning()
	n.Start()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(opts.For, 10*time.Minute))
	defer cancel()
	var results []api.SyncResult
	// What is found to be linked while they sync follows.
	for all := map[*engine]bool{}; len(engines) > 0; engines = n.linkedNow(all) {
		some := make([]api.SyncResult, len(engines))
		var wg sync.WaitGroup
		for i, e := range engines {
			all[e] = true
			wg.Go(func() {
				if ran {
					e.lookAgain(ctx)
				}
				some[i] = n.syncOver(ctx, e)
			})
		}
		wg.Wait()
		for i, e := range engines {
			if e.link == nil || e.ctx.Err() == nil || n.byNumber(e.n) != nil { // else its link is gone
				results = append(results, some[i])
			}
		}
		n.syncBeside(ctx, all)
	}
	if len(opts.Names) == 0 {
		results = append(results, n.closedResults()...)
	}
	return results, nil
}

// syncOver is sync of a share that may go over to other keys meanwhile.
func (n *Node) syncOver(ctx context.Context, e *engine) api.SyncResult {
	began := time.Now()
	for {
		r := e.sync(ctx)
		r.Seconds = time.Since(began).Seconds()
		n.moving.Lock() // until one that is being replaced is
		next := n.byNumber(e.n)
		n.moving.Unlock()
		if next == nil || next == e || ctx.Err() != nil {
			return r
		}
		e = next
	}
}

// settleTime is how long a share that is in sync stays, so that its peers learn of it.
const settleTime = 500 * time.Millisecond

// stands reports whether the share is in sync with a peer, or would be if it did not wait for a person.
func (e *engine) stands(met bool) (agreed, held bool) {
	v, _ := e.look()
	return e.agrees() || e.inSync(), met && v.heldOnly()
}

// lookAgain has a share that runs walk its folder, as one that starts does: what is there now is part of a sync that begins
// now, whether the watcher has told of it or not.
func (e *engine) lookAgain(ctx context.Context) {
	err := e.do(ctx, func() error {
		if e.folder != nil {
			e.folder.walked = time.Time{}
			e.mu.Lock()
			e.view.Settled = false
			e.mu.Unlock()
		}
		return nil
	})
	if err != nil {
		e.log.Debug("not looked again", "why", err) // the sync ends too
	}
}

// sync waits until the share is in sync, or ctx is done.
func (e *engine) sync(ctx context.Context) api.SyncResult {
	began := time.Now()
	met, agreed, held := false, false, false
	if e.net != nil && e.link == nil { // one that came by a link may have met peers, and heard them, before
		e.net.mu.Lock()
		e.net.whole = [32]byte{} // of an earlier sync
		e.net.mu.Unlock()
	}
	for ctx.Err() == nil && e.ctx.Err() == nil {
		_, news := e.look()
		if e.net != nil && len(e.net.all()) > 0 {
			met = true
		}
		if e.isStranded() {
			break
		}
		// A peer that syncs too may have had this, told us, and left before we had settled; or it is one connection of
		// two that is gone, and the other has yet to hear of us.
		if agreed, held = e.stands(met); agreed || held {
			over := !sleep(ctx, settleTime)
			if agreed, held = e.stands(met); (agreed || held) && !e.net.owes() || over {
				break
			}
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
		case <-e.ctx.Done(): // its link is gone, or the node stops
		}
	}
	r := api.SyncResult{Name: e.row.Name, Code: string(bt.OK), Seconds: time.Since(began).Seconds()}
	v, _ := e.look()
	switch {
	case agreed:
	case e.isStranded():
		r.Code, r.Message = string(bt.Failed), errStranded.Error()
	case held || v.State == api.StateHeld:
		r.Code, r.Message = "held", fmt.Sprintf("%d changes by others wait for you", v.Held)
	case v.State == api.StateError || v.State == api.StateAbsent:
		r.Code, r.Message = string(bt.Failed), v.Err
	case !met:
		r.Code, r.Message = string(bt.NoPeers), "no other node of the share was met"
	default:
		r.Code, r.Message = "not-in-sync", "the time was over before everything was the same"
	}
	s, err := e.status(context.WithoutCancel(ctx))
	if err == nil {
		r.Status, r.Received, r.Sent = s, s.Received, s.Sent
	}
	return r
}
