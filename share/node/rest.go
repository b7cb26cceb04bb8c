package node

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a node that has nothing to do gives back to the system: memory that is free, and the page caches of the database.
const (
	restLook  = 15 * time.Second // how often it looks whether it has nothing to do
	restQuiet = 1 << 20          // bytes that are allocated between two looks by who has nothing to do
	restWorth = 32 << 20         // bytes that were allocated since it last gave something back
)

// A rester finds out when a process has done something, and then has nothing to do.
type rester struct {
	last  uint64 // bytes that had been allocated at the last look
	given uint64 // and when it last gave something back
}

// look takes the bytes that have been allocated so far, and reports whether now is the time to give something back.
func (r *rester) look(allocated uint64) bool {
	quiet := allocated-r.last < restQuiet
	r.last = allocated
	if !quiet || allocated-r.given < restWorth {
		return false
	}
	r.given = allocated
	return true
}

// RestWhenIdle lets the node give back memory after work, until it is closed. It is for a process that does nothing else.
func (n *Node) RestWhenIdle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.movers.Go(func() {
		var r rester
		allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		for sleep(n.ctx, restLook) {
			metrics.Read(allocated)
			if r.look(allocated[0].Value.Uint64()) {
				n.db.Rest()
				debug.FreeOSMemory()
			}
		}
	})
}
