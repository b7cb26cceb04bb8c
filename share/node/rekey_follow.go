package node

import (
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
)

// Going over to other keys (docs/shares.md §9). A share in one epoch is one engine: to go on with other keys it ends, and
// another takes its place. That is done in steps, each of which is one transaction and can be the last before a crash:
//
//	heard  MOVED is known to be right, and the token from its box is in the store of secrets
//	moving the database says so. The engine has the new keys and meets in the new swarm; the state is still the old one,
//	       and is scanned for as before. Nothing is published
//	moved  a complete head of the new epoch has come, and the state is that, with the own events that it lacks (rekey_move.go)
//
// In the swarm of each epoch that is over a node stays to say so (rekey_post.go). One that finds no box for it is stranded.

var errStranded = errors.New("the share has gone on to other keys, and this node was not given them: ask its owner for a token, and add it with \"shoal share add\"")

// loadEnded reads which epochs are over, at the start.
func (e *engine) loadEnded() error {
	return e.node.db.View(e.ctx, func(t *db.Tx) (err error) {
		if e.ended, err = t.Ended(e.n); err != nil {
			return err
		}
		owed, err := t.Owed(e.n)
		e.owed = len(owed) > 0
		return err
	})
}

// isStranded reports whether the epoch of the engine is over, and it has no keys of a later one.
func (e *engine) isStranded() bool { return e.endedAt(e.token.Epoch) != nil }

func (e *engine) endedAt(epoch uint16) *db.Ended {
	for i := range e.ended {
		if e.ended[i].Epoch == epoch {
			return &e.ended[i]
		}
	}
	return nil
}

// maxMoves is how many MOVEDs are looked at that one peer names.
const maxMoves = 4

// heardMoved looks at what a peer says leads to other keys.
func (s *swarm) heardMoved(p *peer, id blob.ID) {
	s.mu.Lock()
	p.moves++
	known := s.moves[id] || p.moves > maxMoves
	if s.moves == nil {
		s.moves = map[blob.ID]bool{}
	}
	s.moves[id] = true
	s.mu.Unlock()
	if known {
		return
	}
	e := s.e
	err := s.fetcher.Fetch(e.ctx, []blob.ID{id}, func(id blob.ID, b []byte) error {
		m, err := index.ParseMoved(e.token.Share, id, b)
		if err == nil && m.Epoch > e.token.Epoch {
			e.followOn(m)
		}
		return err
	})
	if err == nil || e.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	delete(s.moves, id) // another peer may have it
	s.mu.Unlock()
	e.log.Warn("what is said to lead to other keys does not", "why", err)
}

// A gate is a lock that is held while others wait for time to pass.
type gate chan struct{}

// Lock and Unlock implement sync.Locker.
func (g gate) Lock() { g <- struct{}{} }

// Unlock lets the next one in.
func (g gate) Unlock() { <-g }

// mover runs f, which ends engines and starts others, beside them all.
func (n *Node) mover(f func() error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.movers.Go(func() {
		if err := f(); err != nil && n.ctx.Err() == nil {
			n.log.Error("a share cannot go over to other keys", "why", err)
		}
	})
}

// followAgain is when going over to other keys is tried again that something stood in the way of, such as a disk without room.
const followAgain = time.Minute

// followOn takes the share over to the epoch that m leads to, beside everything else.
func (e *engine) followOn(m *index.Moved) {
	e.node.mover(func() error {
		for {
			err := e.node.followMoved(e, m)
			if err == nil || e.ctx.Err() != nil {
				return err
			}
			e.log.Warn("the share cannot go over to other keys yet", "why", err)
			if !sleep(e.ctx, followAgain) {
				return nil
			}
		}
	})
}

// followMoved takes a share over to the epoch that m leads to, or strands it.
func (n *Node) followMoved(e *engine, m *index.Moved) error {
	n.moving.Lock()
	defer n.moving.Unlock()
	if n.byNumber(e.n) != e || m.Epoch <= e.token.Epoch {
		return nil
	}
	token, ok := e.nextToken(m)
	if !ok && e.isStranded() {
		return nil
	}
	e.log.Info("the share goes on to other keys", "epoch", m.Epoch, "has", ok)
	ended := db.Ended{Epoch: e.token.Epoch, Moved: &m.ID, At: n.ages.now()}
	if !ok {
		return n.replace(e, func() error {
			return n.db.Update(n.ctx, func(t *db.Tx) error {
				if err := t.PutBlob(e.n, m.ID, m.Blob, int64(len(m.Blob))); err != nil {
					return err
				}
				return t.PutEnded(e.n, &ended)
			})
		})
	}
	return n.goOver(e, token, m.Cert, &ended, m)
}

// followToken takes a share over to the epoch of a token that this node was given in another way than by a box.
func (n *Node) followToken(e *engine, token secret.Token) error {
	n.moving.Lock()
	defer n.moving.Unlock()
	if n.byNumber(e.n) != e || token.Epoch <= e.token.Epoch {
		return nil
	}
	return n.goOver(e, token, nil, &db.Ended{Epoch: e.token.Epoch, At: n.ages.now()}, nil)
}

// goOver makes an engine of a later epoch of one that is there; its state moves when it can. The caller holds moving.
func (n *Node) goOver(e *engine, token secret.Token, cert []byte, ended *db.Ended, m *index.Moved) error {
	row := db.Share{Name: e.row.Name, Added: e.row.Added, Options: encodeOptions(api.ShareConfig{}, e.link)}
	if err := n.keepToken(n.ctx, &row, token); err != nil {
		return err
	}
	n.atStep("kept")
	return n.replace(e, func() error {
		return n.db.Update(n.ctx, func(t *db.Tx) error {
			if m != nil {
				if err := t.PutBlob(e.n, m.ID, m.Blob, int64(len(m.Blob))); err != nil {
					return err
				}
			}
			if err := t.PutEnded(e.n, ended); err != nil {
				return err
			}
			if err := dropIncomplete(t, e.n); err != nil {
				return err
			}
			if err := t.SetRef(e.n, row.Ref); err != nil {
				return err
			}
			if err := t.SetCert(e.n, cert); err != nil {
				return err
			}
			return t.SetMoving(e.n, true)
		})
	})
}

// dropIncomplete forgets heads of an epoch that is over, whose index will not come any more.
func dropIncomplete(t *db.Tx, n int64) error {
	heads, err := t.Heads(n)
	for i := range heads {
		if err == nil && !heads[i].Complete {
			err = t.DropHead(n, heads[i].ID)
		}
	}
	return err
}

// nextToken is the token that this node gets by m: an admin has it, others find it in a box.
func (e *engine) nextToken(m *index.Moved) (secret.Token, bool) {
	if e.token.Role == secret.Admin {
		token, err := e.token.AtEpoch(m.Epoch)
		return token, err == nil
	}
	token, ok := m.Open(e.ownBoxes()...)
	if ok && token.Role > e.token.Role { // what is on disk is that of the role
		var err error
		token, err = token.Weaken(e.token.Role)
		ok = err == nil
	}
	return token, ok && (token.Role >= secret.Read) == (e.token.Role >= secret.Read)
}

// ownBoxes are the keys that a box may be for: that of the node in the share, and those of the shares that it reads.
func (e *engine) ownBoxes() []*ecdh.PrivateKey {
	keys := []*ecdh.PrivateKey{e.self.Box}
	if e.link == nil {
		return keys
	}
	for _, x := range e.node.all() {
		if x.token.Role < secret.Read || x.token.Share == e.token.Share {
			continue
		}
		keys = append(keys, x.keys.Box)
		for _, old := range x.oldKeys() {
			keys = append(keys, old.Box)
		}
	}
	return keys
}

// atStep tells a test how far it is.
func (n *Node) atStep(step string) {
	if f := n.rekeying.Load(); f != nil {
		(*f)(step)
	}
}

// replace ends an engine, lets change do what must be done meanwhile, and goes on with another as the database says then;
// with one that is as the old one when change fails. The caller holds moving.
func (n *Node) replace(e *engine, change func() error) error {
	e.stop()
	n.atStep("stopped")
	err := change()
	n.atStep("changed")
	x, again := n.reopen(e)
	if again != nil {
		return errors.Join(err, again)
	}
	n.mu.Lock()
	if n.engines[e.row.Name] != e || n.closed {
		n.mu.Unlock()
		x.stop()
		return errors.Join(err, errStopping)
	}
	n.engines[e.row.Name] = x
	running := n.running
	if running {
		x.start()
	}
	n.mu.Unlock()
	if running {
		n.invites.start()
	}
	return err
}

// reopen is a new engine of a share, by what the database says.
func (n *Node) reopen(e *engine) (*engine, error) {
	var row *db.Share
	if err := n.db.View(n.ctx, func(t *db.Tx) (err error) { row, err = t.Share(e.n); return err }); err != nil {
		return nil, ioError("reading the node's state", err)
	}
	if row == nil {
		return nil, fmt.Errorf("share %s is no more", e.row.Name)
	}
	token := e.token
	if row.Ref != refOf(token) {
		var ok bool
		if token, ok = n.secrets.tokenAt(row.ID, epochOf(row.Ref)); !ok {
			return nil, fmt.Errorf("the secret of share %s is not there", row.Name)
		}
		role, err := secret.ParseRole(roleOf(row.Ref))
		if err == nil {
			token, err = token.Weaken(role)
		}
		if err != nil {
			return nil, err
		}
	}
	return newEngine(n, *row, token)
}

// renewed takes a share that is here over to the epoch of a token that a person was given; false when it is no such token.
func (n *Node) renewed(ctx context.Context, token secret.Token, dir string) (*api.ShareInfo, bool, error) {
	e := n.byShare(token.Share)
	if e == nil || token.Epoch <= e.token.Epoch || e.token.Role == secret.Admin {
		return nil, false, nil
	}
	if token.Role != e.token.Role || dir != "" && dir != e.row.Dir {
		return nil, true, &bt.Error{Code: bt.Exists, Err: fmt.Errorf("the share is here, as %s, with a token of the role %s in %s: this one has the role %s", e.row.Name, e.token.Role, e.row.Dir, token.Role),
			Advice: fmt.Sprintf("\"shoal share rm %s\" keeps the files; then it can be added anew", e.row.Name)}
	}
	if err := n.followToken(e, token); err != nil {
		return nil, true, err
	}
	x, err := n.find(e.row.Name)
	if err != nil {
		return nil, true, err
	}
	i := x.info()
	return &i, true, ctx.Err()
}
