package wire_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"shoal/share/blob"
	"shoal/share/wire"
	"shoal/share/wire/wiretest"
)

// A plan is what happens to a fetch.
type plan struct {
	ids    int
	ranked bool
	peers  []planned
	wait   int // ms, before a peer comes that has everything
}

// planned is a peer, and what happens after it came. Times are in ms.
type planned struct {
	mod   int // it has every so-manieth id
	lie   int // every so-manieth answer is a lie; 0 = none
	stuck int // at this answer it hangs for a minute
	each  int // for an answer
	delay int // of each frame
	queue int // frames under way
	pause int // before anything else happens
	cut   int // this connection is over then; -1 = none
}

func plans(rt *rapid.T) (p plan) {
	n := func(low, high int, label string) int { return rapid.IntRange(low, high).Draw(rt, label) }
	p = plan{ids: n(1, 400, "ids"), ranked: rapid.Bool().Draw(rt, "ranked"), wait: n(0, 20000, "wait")}
	for i := range n(0, 6, "peers") {
		p.peers = append(p.peers, planned{mod: n(1, 4, "mod"), lie: n(0, 9, "lie"), stuck: n(0, 100, "stuck"), each: n(0, 200, "each"),
			delay: n(0, 300, "delay"), queue: n(1, 50, "queue"), pause: n(0, 3000, "pause"), cut: n(-i-2, i, "cut")})
	}
	return p
}

// TestFetchWhateverHappens lets peers come and go, lie, be slow and lack things, and checks that everything that a lasting
// peer has comes, once.
func TestFetchWhateverHappens(t *testing.T) {
	t.Parallel()
	have, ids := fill(400, 3000)
	rapid.Check(t, func(rt *rapid.T) {
		p := plans(rt)
		var err error
		synctest.Test(t, func(t *testing.T) { err = p.run(t, have, ids[:p.ids]) })
		if err != nil {
			rt.Fatalf("%+v: %v", p, err)
		}
	})
}

// serve answers as planned.
func (x planned) serve(have shelf) func(context.Context, blob.ID) ([]byte, error) {
	served := 0 // one call at a time
	return func(ctx context.Context, id blob.ID) ([]byte, error) {
		served++
		d := time.Duration(x.each) * time.Millisecond
		if served == x.stuck {
			d = time.Minute
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		switch {
		case int(id[5])%x.mod != 0:
			return nil, wire.ErrNotHere
		case x.lie > 0 && served%x.lie == 0:
			return []byte("no blob"), nil
		}
		return have[id], nil
	}
}

func (p plan) run(t *testing.T, have shelf, ids []blob.ID) error {
	var opts wire.FetcherOptions
	if p.ranked {
		opts.Rank = func(id blob.ID, c *wire.Conn) int { return int(id[1]^c.Hello().PK[0]) % 3 }
	}
	w := newWorld(t, opts)
	got := shelf{}
	job := w.NewJob(collect(got), nil)
	job.Want(ids[:len(ids)/2+1]...)
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	var conns []*running
	for _, x := range p.peers {
		link := wiretest.Options{Queue: x.queue, Schedule: wiretest.Delay(wire.System{}, time.Duration(x.delay)*time.Millisecond)}
		mine, _ := w.peer(link, x.serve(have))
		conns = append(conns, mine)
		time.Sleep(time.Duration(x.pause) * time.Millisecond)
		if x.cut >= 0 {
			conns[x.cut].Close()
		}
	}
	all := len(ids)/2 + 1
	if s := job.Status(); s.Left > 0 { // else it is over
		all = len(ids)
		job.Want(ids[len(ids)/2+1:]...)
	}
	time.Sleep(time.Duration(p.wait) * time.Millisecond)
	synctest.Wait()
	if s := job.Status(); s.Left+len(got) < all || s.Missing > s.Left || s.Missing < 0 {
		return fmt.Errorf("%d of %d came, %+v", len(got), all, s)
	}
	w.peer(wiretest.Options{}, have.Serve)
	began := time.Now()
	if err := <-done; err != nil {
		return err
	}
	if took := time.Since(began); took > 2*time.Minute {
		return fmt.Errorf("it took %v", took)
	}
	for _, id := range ids[:all] {
		if string(got[id]) != string(have[id]) {
			return fmt.Errorf("%v did not come", id)
		}
	}
	return nil
}
