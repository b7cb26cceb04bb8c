package node

import (
	"context"
	"sync"
	"time"

	"shoal/share/api"
	"shoal/share/db"
)

// minder does what keeps a node clean while it has nothing better to do: it collects garbage, and reads what is stored.
type minder struct {
	n *Node

	wg   sync.WaitGroup
	wake chan struct{}

	mu      sync.Mutex // guards what follows
	short   bool       // a disk has no room
	crowded time.Time  // when a collection was last run because of that
}

const (
	mindEvery    = 10 * time.Second
	collectEvery = day
	collectTight = time.Hour   // when a disk has no room
	collectLate  = 2 * day     // from then on nobody waits for a quiet time
	collectedKey = "collected" // when it was done last, by the clock of ages
)

func newMinder(n *Node) *minder { return &minder{n: n, wake: make(chan struct{}, 1)} }

func (m *minder) start() { m.wg.Go(m.run) }

func (m *minder) run() {
	tick := time.NewTicker(mindEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.n.ctx.Done():
			return
		case <-tick.C:
		case <-m.wake:
		}
		if err := m.look(m.n.ctx); err != nil && m.n.ctx.Err() == nil {
			m.n.log.Warn("the node cannot be kept clean now", "why", err)
		}
	}
}

// tight says that a disk has no room: garbage is collected soon.
func (m *minder) tight() {
	m.mu.Lock()
	first := !m.short
	m.short = true
	m.mu.Unlock()
	if first {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// look does what is due.
func (m *minder) look(ctx context.Context) error {
	n := m.n
	if err := n.ages.save(ctx, n.db, false); err != nil {
		return err
	}
	due, err := m.collectDue(ctx)
	if err != nil {
		return err
	}
	if due {
		return n.tidy(ctx)
	}
	for _, e := range n.all() {
		if e.store != nil && e.isIdle() {
			if err := e.store.verify(ctx, verifyBudget); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *minder) collectDue(ctx context.Context) (bool, error) {
	var last time.Time
	err := m.n.db.View(ctx, func(t *db.Tx) (err error) { last, err = getTime(t, collectedKey); return err })
	if err != nil {
		return false, err
	}
	now := m.n.ages.now()
	if last.IsZero() { // a new node has no garbage
		return false, m.n.db.Update(ctx, func(t *db.Tx) error { return setTime(t, collectedKey, now) })
	}
	m.mu.Lock()
	short := m.short && now.Sub(m.crowded) >= collectTight
	if short {
		m.short, m.crowded = false, now
	}
	m.mu.Unlock()
	age := now.Sub(last)
	return short || age >= collectLate || age >= collectEvery && m.n.isIdle(), nil
}

// tidy collects garbage, and remembers when.
func (n *Node) tidy(ctx context.Context) error {
	began := time.Now()
	swept, err := n.collect(ctx)
	if err != nil {
		return err
	}
	n.log.Debug("garbage collected", "swept", swept, "took", time.Since(began))
	for _, e := range n.all() {
		if e.store != nil {
			if err := e.store.recount(ctx); err != nil {
				return err
			}
		}
	}
	now := n.ages.now()
	return n.db.Update(ctx, func(t *db.Tx) error {
		for _, e := range n.all() {
			if err := t.ForgetPromises(e.n, n.now()); err != nil {
				return err
			}
		}
		return setTime(t, collectedKey, now)
	})
}

// isIdle reports whether a share has nothing to do that is urgent.
func (e *engine) isIdle() bool {
	v, _ := e.look()
	return v.State != api.StateScanning && (v.Settled || v.State != api.StateSyncing)
}

func (n *Node) isIdle() bool {
	for _, e := range n.all() {
		if !e.isIdle() {
			return false
		}
	}
	return true
}
