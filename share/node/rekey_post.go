package node

import (
	"context"
	"errors"
	"maps"
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

// postTime is how long a reader or writer stays in the swarm of an epoch that is over, by the clock of ages; stores and admins
// stay as long as the share lives (docs/shares.md §9).
const postTime = 90 * day

// A post stands in the swarm of an epoch that is over, and says that: it tells nothing else, and serves no other blob. Where
// it does not know the MOVED itself, it learns it from those who stand there too.
type post struct {
	e       *engine
	epoch   uint16
	keys    *secret.Keys
	fetcher *wire.Fetcher
	beside  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	over  bool       // nothing may be begun
	moved *blob.ID
	peers map[peerID]*peer
	heard map[blob.ID]bool
}

// startPosts stands where epochs are over.
func (e *engine) startPosts() {
	for i := range e.ended {
		d := &e.ended[i]
		if e.token.Role != secret.Admin && e.token.Role != secret.Store && e.node.ages.of(d.At) > postTime && d.Epoch != e.token.Epoch {
			continue
		}
		token, ok := e.node.secrets.tokenAt(e.token.Share, d.Epoch)
		if !ok {
			continue
		}
		keys, err := token.Keys()
		if err != nil {
			continue
		}
		p := &post{e: e, epoch: d.Epoch, keys: keys, moved: d.Moved, fetcher: wire.NewFetcher(wire.FetcherOptions{}), peers: map[peerID]*peer{}, heard: map[blob.ID]bool{}}
		e.wg.Go(p.run)
	}
}

func (p *post) run() {
	e := p.e
	config := parseConfig(e.row.Options)
	defer p.fetcher.Close()
	for {
		m, err := e.node.net.Meet(e.ctx, MeetOptions{InfoHash: p.keys.Rendezvous, Extension: p.keys.Extension,
			Trackers: slices.Concat(config.Trackers, e.node.trackers), Hosts: slices.Concat(config.Hosts, e.node.hosts), LANOnly: config.LANOnly}, p.meet)
		if err == nil {
			s := swarm{e: e}
			m.AddPeers(s.remembered())
			<-e.ctx.Done()
			m.Close()
			p.mu.Lock()
			p.over = true
			p.mu.Unlock()
			p.beside.Wait()
			return
		}
		if !sleep(e.ctx, 10*time.Second) {
			return
		}
	}
}

// meet says to who comes that the epoch is over.
func (p *post) meet(link Link) {
	e := p.e
	c, err := wire.Open(e.ctx, link, wire.Config{Keys: p.keys, Identity: e.self, Hello: func() wire.Hello { return wire.Hello{Name: e.node.label} }, Serve: p.serve, Run: e.node.run, Handler: p})
	if err != nil {
		return
	}
	link.Accept()
	x := &peer{pk: c.Hello().PK, conn: c, link: link}
	p.mu.Lock()
	if old := p.peers[x.id()]; old != nil {
		if !wire.Stays(e.pk, x.pk, c.Dialled()) {
			p.mu.Unlock()
			link.CloseFor(old.link)
			return
		}
		old.link.CloseFor(link)
	}
	p.peers[x.id()] = x
	id := p.moved
	p.mu.Unlock()
	p.fetcher.Add(c)
	defer p.fetcher.Remove(c)
	if id != nil {
		_ = c.Send(&wire.Moved{ID: *id})
	}
	_ = c.Run(e.ctx)
	p.mu.Lock()
	if p.peers[x.id()] == x {
		delete(p.peers, x.id())
	}
	p.mu.Unlock()
}

// serve gives the MOVED, and nothing else.
func (p *post) serve(ctx context.Context, id blob.ID) (b []byte, err error) {
	p.mu.Lock()
	is := p.moved != nil && *p.moved == id
	p.mu.Unlock()
	if !is {
		return nil, wire.ErrNotHere
	}
	err = p.e.node.db.View(ctx, func(t *db.Tx) error { b, _, err = t.Blob(p.e.n, id); return err })
	if err == nil && b == nil {
		err = wire.ErrNotHere
	}
	return b, err
}

// Lied implements wire.Handler.
func (p *post) Lied(*wire.Conn, blob.ID) {}

// Message takes a MOVED: where none is known, and of an admin to see that there are not two.
func (p *post) Message(c *wire.Conn, m wire.Message) {
	moved, ok := m.(*wire.Moved)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.moved != nil && *p.moved == moved.ID || p.heard[moved.ID] {
		return
	}
	x := p.peers[idOf(c)]
	if x == nil || x.moves >= maxMoves {
		return
	}
	x.moves++
	p.heard[moved.ID] = true
	p.beside.Go(func() { p.learn(moved.ID) })
}

func (p *post) learn(id blob.ID) {
	e := p.e
	err := p.fetcher.Fetch(e.ctx, []blob.ID{id}, func(id blob.ID, b []byte) error {
		m, err := index.ParseMoved(e.token.Share, id, b)
		if err != nil || m.Epoch <= p.epoch {
			return errors.Join(err, index.ErrInvalid)
		}
		if e.isStranded() && m.Epoch > e.token.Epoch {
			e.followOn(m)
		}
		return p.learned(m)
	})
	if err != nil {
		e.log.Debug("what is said to lead to other keys is not known", "why", err)
	}
}

// learned keeps a MOVED where none is known. A second one to the same epoch is what an admin must know of: what one of them
// left out, the other gave.
func (p *post) learned(m *index.Moved) error {
	e := p.e
	p.mu.Lock()
	had := p.moved
	var waiting []*peer // who came before it was known
	if had == nil {
		p.moved = &m.ID
		waiting = slices.Collect(maps.Values(p.peers))
	}
	p.mu.Unlock()
	defer func() {
		for _, x := range waiting {
			_ = x.conn.Send(&wire.Moved{ID: m.ID})
		}
	}()
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		d := db.Ended{Epoch: p.epoch, Moved: &m.ID, At: e.node.ages.now()}
		if had == nil {
			if err := t.PutBlob(e.n, m.ID, m.Blob, int64(len(m.Blob))); err != nil {
				return err
			}
		} else if b, _, err := t.Blob(e.n, *had); err == nil {
			first, err := index.ParseMoved(e.token.Share, *had, b)
			d.Twice = err == nil && first.Epoch == m.Epoch
		}
		return t.PutEnded(e.n, &d)
	})
}

// rekeyAlarms are what about keys a person must know.
func (e *engine) rekeyAlarms(t *db.Tx, ctx index.Context, s *api.Status) error {
	ended, err := t.Ended(e.n)
	if err != nil {
		return err
	}
	for i := range ended {
		if ended[i].Twice && e.token.Role == secret.Admin && ended[i].Epoch+1 == e.token.Epoch {
			s.Alarms = append(s.Alarms, "two machines changed the keys at the same time, and who was left out by one of them was not by the other: run \"shoal share rekey\" again")
		}
	}
	if len(ctx) >= askCompact {
		s.Alarms = append(s.Alarms, "many machines, or many runs of one, have written to this share: \"shoal share compact\" by its owner makes what every change carries small again")
	}
	return nil
}

// askCompact is how many writers a context has when a person is asked for a compaction (docs/shares.md §3.4).
const askCompact = 3072
