package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"shoal/share/db"
	"shoal/share/index"
)

// Times of what status says of copies.
const (
	copiesFor  = 30 * time.Second // it is not asked for again
	copiesWait = 2 * time.Second  // a status waits for a first answer
	unitsPage  = 5000             // rows
)

// copies is what is known of the copies of what this node holds: asked for when somebody wants to know, not more often than
// every 30 s.
type copies struct {
	mu   sync.Mutex // guards what follows
	at   time.Time
	full int
	safe bool
	busy chan struct{} // closed when it is known; nil: nobody asks

	ask chan chan struct{} // to who counts
}

// runCopies counts when it is asked to, until the engine ends.
func (k *promiser) runCopies() {
	c := &k.copies
	for {
		select {
		case <-k.e.ctx.Done():
			return
		case done := <-c.ask:
			full, safe, asked, err := k.countCopies(k.e.ctx)
			if err != nil {
				k.e.log.Debug("copies cannot be counted", "why", err)
				full, safe = 0, false
			}
			c.mu.Lock()
			if c.at = (time.Time{}); asked { // else it cost nothing, and the next peer may change it
				c.at = time.Now()
			}
			c.full, c.safe, c.busy = full, safe, nil
			c.mu.Unlock()
			close(done)
		}
	}
}

// copiesNow is how many other nodes have all that this one has, and whether nothing would be lost without it.
func (k *promiser) copiesNow(ctx context.Context) (full int, safe bool) {
	e, c := k.e, &k.copies
	if e.net == nil || !e.node.isRunning() {
		return 0, false
	}
	c.mu.Lock()
	if c.busy == nil && (c.at.IsZero() || time.Since(c.at) >= copiesFor) {
		done := make(chan struct{})
		c.busy = done
		c.ask <- done // it has room: nobody else asks
	}
	busy := c.busy
	c.mu.Unlock()
	if busy != nil {
		wait := time.NewTimer(copiesWait)
		defer wait.Stop()
		select {
		case <-busy:
		case <-wait.C:
		case <-ctx.Done():
		case <-e.ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.full, c.safe
}

// countCopies asks those who count for all that is here. Who has all of it has the index too: its frontier is ours. asked:
// there was somebody to ask. A store cannot read who the members are: copies are what any other node says it has, and for
// safe count the stores that the policy names alone (docs/shares.md §6.6).
func (k *promiser) countCopies(ctx context.Context) (full int, safe, asked bool, err error) {
	e := k.e
	need, counts, err := e.counting()
	if err != nil {
		return 0, false, false, err
	}
	own := k.ownUnits
	if e.store != nil {
		own = e.store.units
	}
	units, ok, err := own(ctx)
	if err != nil {
		return 0, false, false, err
	}
	v, _ := e.look()
	var peers []*peer
	for _, p := range e.net.all() {
		e.net.mu.Lock()
		same := p.hasState && p.state.Frontier == v.Frontier
		e.net.mu.Unlock()
		if same && p.pk != e.pk && (e.store != nil || counts(p.pk)) {
			peers = append(peers, p)
		}
	}
	if len(peers) == 0 {
		return 0, false, false, nil
	}
	claims := k.askAll(ctx, peers, units, 0)
	seen := map[[32]byte]bool{}
	for _, c := range claims {
		if !seen[c.node] && !slices.Contains(c.have, false) {
			seen[c.node] = true
			full++
		}
	}
	safe = ok && len(claims) >= need && len(lacking(promises(len(units), claims, counts), need)) == 0
	return full, safe, true, nil
}

// ownUnits are the units of all files that are here. false: of some it is not known.
func (k *promiser) ownUnits(ctx context.Context) (units []unit, ok bool, err error) {
	e := k.e
	seen, ok := map[unit]bool{}, true
	infos, err := e.larges(ctx)
	if err != nil {
		return nil, false, err
	}
	err = e.eachRow(ctx, func(b *index.Base) error {
		if !b.Present || b.Type != index.File {
			return nil
		}
		of, known := rowUnits(b, infos)
		ok = ok && known && !b.Local
		for _, u := range of {
			if !seen[u] {
				seen[u] = true
				units = append(units, u)
			}
		}
		return nil
	})
	return units, ok, err
}

// eachRow calls f with all rows of B, without keeping a transaction open.
func (e *engine) eachRow(ctx context.Context, f func(*index.Base) error) error {
	for after := ""; ; {
		var page []index.Base
		err := e.node.db.View(ctx, func(t *db.Tx) (err error) {
			page, err = t.BasePage(e.n, after, unitsPage)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if err := f(&page[i]); err != nil {
				return err
			}
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		after = page[len(page)-1].Path
	}
}
