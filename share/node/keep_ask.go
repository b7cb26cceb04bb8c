package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"shoal/share/wire"
)

// Times of questions.
const (
	keepTimeout = 30 * time.Second // a KEEP without an answer for so long is refused
	keepSecs    = 3600             // of a promise: long enough to drop what it is for
)

// answers are the KEEPs that wait for KEPT.
type answers struct {
	mu   sync.Mutex // guards what follows
	next int64
	by   map[int64]waiting
}

type waiting struct {
	conn *wire.Conn
	to   chan *wire.Kept // nil: the peer is gone
}

func (a *answers) begin(c *wire.Conn) (n int64, to <-chan *wire.Kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[int64]waiting{}
	}
	a.next++
	w := waiting{c, make(chan *wire.Kept, 1)}
	a.by[a.next] = w
	return a.next, w.to
}

// end takes the answer to a question to who waits for it, once. nil ends the wait.
func (a *answers) end(c *wire.Conn, n int64, m *wire.Kept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w, ok := a.by[n]; ok && w.conn == c {
		delete(a.by, n)
		w.to <- m
	}
}

// left ends all that a peer was asked.
func (a *answers) left(c *wire.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n, w := range a.by {
		if w.conn == c {
			delete(a.by, n)
			w.to <- nil
		}
	}
}

// ask asks a peer which units it has; with secs > 0 it is to promise them, and has to show pieces of some. The claim has
// the time until when, by our clock at the time of the question, so that it is over here first.
func (k *promiser) ask(ctx context.Context, p *peer, units []unit, secs int64) (claim, error) {
	c := claim{node: p.pk, have: make([]bool, 0, len(units))}
	for part := range slices.Chunk(units, wire.MaxUnits) {
		have, until, err := k.askSome(ctx, p, part, secs)
		if err != nil {
			return claim{}, fmt.Errorf("asking %x for a promise: %w", p.pk[:4], err)
		}
		c.have = append(c.have, have...)
		if c.until.IsZero() || until.Before(c.until) {
			c.until = until
		}
	}
	return c, nil
}

func (k *promiser) askSome(ctx context.Context, p *peer, units []unit, secs int64) (have []bool, until time.Time, err error) {
	m := &wire.Keep{Units: units, Secs: secs}
	var want [][]byte
	if secs > 0 {
		m.Chal, want = k.challenge(ctx, units)
	}
	sent := k.e.node.now()
	a, err := k.put(ctx, p, m)
	if err != nil {
		return nil, until, err
	}
	have = make([]bool, len(units))
	for i := range have {
		have[i] = i/8 < len(a.Bitmap) && a.Bitmap[i/8]&(0x80>>(i%8)) != 0
	}
	if secs > 0 && !proven(m.Chal, want, have, a.Proof) {
		k.e.log.Warn("a node promised what it could not show", "node", fmt.Sprintf("%x", p.pk[:8]))
		clear(have)
	}
	return have, sent.Add(time.Duration(a.Until) * time.Second), nil
}

// put puts a question to a peer, and waits for the answer.
func (k *promiser) put(ctx context.Context, p *peer, m *wire.Keep) (*wire.Kept, error) {
	n, answer := k.waiting.begin(p.conn)
	defer k.waiting.end(p.conn, n, nil)
	m.N = n
	if err := p.conn.Send(m); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(keepTimeout)
	defer timeout.Stop()
	var a *wire.Kept
	select {
	case a = <-answer:
	case <-timeout.C:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if a == nil {
		return nil, errNoAnswer
	}
	return a, nil
}

// proven reports whether who says that it has challenged units has shown them.
func proven(chal []wire.Challenge, want [][]byte, have []bool, proof [][]byte) bool {
	for i, c := range chal {
		if have[c.Unit] && (i >= len(proof) || !bytes.Equal(proof[i], want[i])) {
			return false
		}
	}
	return true
}

// challenge picks two places in two units that are here, and what is there.
func (k *promiser) challenge(ctx context.Context, units []unit) (chal []wire.Challenge, want [][]byte) {
	for range 2 {
		u := int64(k.random(uint64(len(units))))
		size := k.unitLen(ctx, units[u])
		if size == 0 {
			continue
		}
		off := int64(k.random(uint64(size)))
		b, err := k.cipher(ctx, units[u], off)
		if err != nil {
			continue // it was touched meanwhile, and is not dropped then
		}
		chal, want = append(chal, wire.Challenge{Unit: u, Off: off}), append(want, b)
	}
	return chal, want
}

// unitLen is how many bytes a unit has that is here; 0 when it is not.
func (k *promiser) unitLen(ctx context.Context, u unit) int64 {
	if b, err := k.e.serve(ctx, u); err == nil {
		return int64(len(b))
	}
	if s, ok, err := k.stripe(ctx, u); err == nil && ok {
		return s.len()
	}
	return 0
}

// random is a number below n.
func (k *promiser) random(n uint64) uint64 {
	var b [8]byte
	_, _ = k.e.node.random.Read(b[:]) // what it does not give is as good a place as any
	return binary.BigEndian.Uint64(b[:]) % n
}

// askAll asks all these peers at once; those that do not answer say nothing.
func (k *promiser) askAll(ctx context.Context, peers []*peer, units []unit, secs int64) (claims []claim) {
	var mu sync.Mutex // guards claims
	var wg sync.WaitGroup
	for _, p := range peers {
		wg.Go(func() {
			c, err := k.ask(ctx, p, units, secs)
			if err != nil {
				k.e.log.Debug("a node does not say what it has", "why", err)
				return
			}
			mu.Lock()
			claims = append(claims, c)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.SortFunc(claims, func(a, b claim) int { return bytes.Compare(a.node[:], b.node[:]) })
	return claims
}

// secure gets promises for units: need of each, from nodes that count. With show the units are of one file, and who
// promises them has to show content of it. missing are the places of units that lack some; until is when the first promise
// is over.
func (k *promiser) secure(ctx context.Context, units []unit, need int, show bool, counts func([32]byte) bool) (missing []int, until time.Time, err error) {
	if show && len(units) == 0 {
		if k.asFar(counts) < need {
			missing = []int{0}
		}
		return missing, k.e.node.now().Add(keepSecs * time.Second), nil
	}
	var peers []*peer
	for _, p := range k.e.net.all() {
		if counts(p.pk) {
			peers = append(peers, p)
		}
	}
	// Promises bind those who give them, so first a question that binds nobody.
	said := k.askAll(ctx, peers, units, 0)
	if err := context.Cause(ctx); err != nil {
		return nil, until, err
	}
	if missing = lacking(promises(len(units), said, counts), need); len(missing) > 0 {
		return missing, until, nil
	}
	got := make([]int, len(units))
	for _, s := range said {
		i := slices.IndexFunc(peers, func(p *peer) bool { return p.pk == s.node })
		var some []unit
		var at []int
		for j, ok := range s.have {
			if ok && got[j] < need {
				some, at = append(some, units[j]), append(at, j)
			}
		}
		if len(some) == 0 {
			continue
		}
		c, err := k.ask(ctx, peers[i], some, keepSecs)
		if err == nil && show && len(some) == len(units) && !slices.Contains(c.have, false) {
			err = k.show(ctx, peers[i], units)
		}
		if err != nil {
			k.e.log.Warn("a node does not count", "node", fmt.Sprintf("%x", peers[i].pk[:8]), "why", err)
			continue
		}
		for j, ok := range c.have {
			if ok {
				got[at[j]]++
			}
		}
		if until.IsZero() || c.until.Before(until) {
			until = c.until
		}
	}
	return lacking(got, need), until, context.Cause(ctx)
}

// lacking are the places of those that are fewer than need.
func lacking(got []int, need int) (all []int) {
	for i, n := range got {
		if n < need {
			all = append(all, i)
		}
	}
	return all
}
