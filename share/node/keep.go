package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A ledger is what a node has, and what it has promised to others.
type ledger interface {
	// holds says which units are here, verified: files are what B says. deep: also by reading them, where a look says little.
	holds(ctx context.Context, units []unit, deep bool) ([]bool, error)
	// promise notes durably that these units stay until a time.
	promise(ctx context.Context, units []unit, until time.Time) error
	// promised is until when one of these units is promised at the latest; zero when none is.
	promised(ctx context.Context, units []unit) (time.Time, error)
}

// keeper decides which promises a node gives, and what it may give up itself (docs/shares.md §6.6): never both for one
// unit. Its methods may be called concurrently.
type keeper struct {
	ledger ledger
	now    func() time.Time

	mu     sync.Mutex // guards what follows, and orders promises against giving up
	giving map[unit]int
	ended  uint64 // how often something was given up, or not
}

func newKeeper(l ledger, now func() time.Time) *keeper {
	return &keeper{ledger: l, now: now, giving: map[unit]int{}}
}

// maxKeep is the longest promise, in seconds.
const maxKeep = 86400

// answer says which units this node has. With secs > 0 it promises those for so many seconds. What this node is about to
// give up itself it does not have.
func (k *keeper) answer(ctx context.Context, units []unit, secs int64) ([]bool, error) {
	secs = min(secs, maxKeep)
	for {
		k.mu.Lock()
		ended := k.ended
		k.mu.Unlock()
		have, err := k.ledger.holds(ctx, units, secs > 0)
		if err != nil {
			return nil, err
		}
		if done, err := k.settle(ctx, units, have, secs, ended); done || err != nil {
			return have, err
		}
	}
}

// settle takes from have what is being given up, and promises the rest. false: something was given up while have was
// found out.
func (k *keeper) settle(ctx context.Context, units []unit, have []bool, secs int64, ended uint64) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended != ended {
		return false, nil
	}
	var mine []unit
	for i, u := range units {
		if k.giving[u] > 0 {
			have[i] = false
		} else if have[i] {
			mine = append(mine, u)
		}
	}
	if secs <= 0 || len(mine) == 0 {
		return true, nil
	}
	return true, k.ledger.promise(ctx, mine, k.now().Add(time.Duration(secs)*time.Second))
}

// errPromised says that another node counts on a copy here.
type errPromised struct{ until time.Time }

func (e *errPromised) Error() string {
	return fmt.Sprintf("another node was promised that a copy stays here until %s", e.until.Format(time.DateTime))
}

// give begins to give up units: from now on none of them is promised to others, until end is called. It refuses with
// errPromised what others count on, unless forced.
func (k *keeper) give(ctx context.Context, units []unit, force bool) (end func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	until, err := k.ledger.promised(ctx, units)
	switch {
	case err != nil:
		return nil, err
	case until.After(k.now()) && !force:
		return nil, &errPromised{until}
	}
	for _, u := range units {
		k.giving[u]++
	}
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.ended++
		for _, u := range units {
			if k.giving[u]--; k.giving[u] <= 0 {
				delete(k.giving, u)
			}
		}
	}), nil
}

// A claim is what a node said of units: which it has.
type claim struct {
	node  [32]byte
	have  []bool
	until time.Time // of a promise
}

// promises counts for each of n units the distinct nodes that say they have it, of those that count.
func promises(n int, claims []claim, counts func(node [32]byte) bool) []int {
	count := make([]int, n)
	seen := map[[32]byte]bool{}
	for _, c := range claims {
		if seen[c.node] || !counts(c.node) || len(c.have) != n {
			continue
		}
		seen[c.node] = true
		for i, ok := range c.have {
			if ok {
				count[i]++
			}
		}
	}
	return count
}

var errNoAnswer = errors.New("the node did not answer")
