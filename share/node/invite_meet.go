package node

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
)

// inviteTalk is how long the other side of an invite may take for its next word, but for a person to say yes.
const inviteTalk = time.Minute

// inviter waits, for each invite of a node, for who comes with its code: each has a meeting of its own.
type inviter struct {
	n     *Node
	wg    sync.WaitGroup
	crash atomic.Pointer[func(step string)] // of tests: the process may end there

	mu   sync.Mutex // guards what follows
	on   bool       // the node runs, and has not begun to end
	met  map[[32]byte]bool
	news chan struct{} // closed, and replaced, when an invite changes
}

func newInviter(n *Node) *inviter {
	return &inviter{n: n, met: map[[32]byte]bool{}, news: make(chan struct{})}
}

// at is a step after which a crash must do no harm.
func (i *inviter) at(step string) {
	if f := i.crash.Load(); f != nil {
		(*f)(step)
	}
}

// look is closed when an invite changes.
func (i *inviter) look() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.news
}

// tell wakes those who wait for an invite to change.
func (i *inviter) tell() {
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.news)
	i.news = make(chan struct{})
}

// start meets for all invites there are.
func (i *inviter) start() {
	if i.n.net == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.on = true
	i.wg.Go(func() {
		var all []db.Invite
		if err := i.n.db.View(i.n.ctx, func(t *db.Tx) (err error) { all, err = t.Invites(0); return err }); err != nil {
			i.n.log.Error("invites cannot be read", "why", err)
		}
		for k := range all {
			i.open(&all[k])
		}
	})
}

// stop waits until all have ended; the node's context is done.
func (i *inviter) stop() {
	i.mu.Lock()
	i.on = false
	i.mu.Unlock()
	i.wg.Wait()
}

// open waits for who comes with an invite, unless the node does not run.
func (i *inviter) open(v *db.Invite) {
	var e *engine
	for _, x := range i.n.all() {
		if x.n == v.Share {
			e = x
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code, ok := i.n.secrets.invite(v.ID)
	if e == nil || e.ctx.Err() != nil || !ok || !i.on || i.met[v.ID] || len(i.met) >= maxOver && inviteOver(inviteState(v, i.n.now())) {
		return
	}
	i.met[v.ID] = true
	h := &host{i: i, e: e, id: v.ID, keys: code.Keys()}
	i.wg.Go(func() {
		h.run()
		i.mu.Lock()
		delete(i.met, v.ID)
		i.mu.Unlock()
		if e.ctx.Err() != nil && i.n.ctx.Err() == nil {
			i.open(v) // with other keys
		}
	})
}

// A host is the inviter's side of one invite.
type host struct {
	i    *inviter
	e    *engine
	id   [32]byte
	keys secret.InviteKeys

	listed bool // of run: who the invite is bound to was made a member

	mu       sync.Mutex // guards what follows
	meeting  Meeting
	failures failures
}

// now is the invite; nil when it is no more.
func (h *host) now() (v *db.Invite, err error) {
	err = h.e.node.db.View(h.e.ctx, func(t *db.Tx) (err error) { v, err = t.Invite(h.id); return err })
	return v, err
}

// change changes the invite by f, durably, if f says so.
func (h *host) change(f func(v *db.Invite, state string) bool) error {
	now := h.e.node.now()
	changed := false
	err := h.e.node.db.Update(h.e.ctx, func(t *db.Tx) error {
		v, err := t.Invite(h.id)
		if err != nil {
			return err
		}
		if v == nil {
			return errNoInvite
		}
		was := v.State
		if changed = f(v, inviteState(v, now)); !changed {
			return nil
		}
		if v.State != was {
			v.Changed = now
		}
		return t.PutInvite(v)
	})
	if err == nil && changed {
		h.i.tell()
	}
	return err
}

var errNoInvite = errors.New("the invite is no more")

// run meets until the invite is forgotten.
func (h *host) run() {
	e, n := h.e, h.e.node
	seen, _ := e.look()
	config := seen.Config
	for {
		h.mu.Lock()
		m, err := n.net.Meet(e.ctx, MeetOptions{InfoHash: h.keys.Rendezvous, Extension: h.keys.Extension,
			Trackers: slices.Concat(config.Trackers, n.trackers), Hosts: n.hosts, LANOnly: config.LANOnly}, h.meet)
		h.meeting = m
		h.mu.Unlock()
		if err == nil {
			defer m.Close()
			break
		}
		e.log.Error("who comes with an invite cannot be met", "why", err)
		if !sleep(e.ctx, 10*time.Second) {
			return
		}
	}
	for {
		news := h.i.look()
		v, err := h.now()
		if err != nil || v == nil {
			return
		}
		var moves <-chan struct{}
		if v.State == api.InviteBound {
			moves = h.bound(v)
		}
		now := n.now()
		if !now.Before(forgotten(v)) {
			if err := n.db.Update(e.ctx, func(t *db.Tx) error { return t.RemoveInvite(h.id) }); err == nil {
				if err := n.secrets.dropInvite(e.ctx, h.id); err != nil {
					e.log.Warn("the code of an invite that is over stays in the store", "why", err)
				}
				h.i.tell()
			}
			return
		}
		timer := time.NewTimer(time.Hour)
		if d := v.Expires.Sub(now); d > 0 && d < time.Hour {
			timer.Reset(d)
		}
		select {
		case <-news:
		case <-moves:
		case <-timer.C:
			h.i.tell() // it may be over now
		case <-e.ctx.Done():
			return
		}
		timer.Stop()
	}
}

// bound goes on with an invite whose node has not said that it has what it needs, be it that a process ended: it is made
// a member, and when it comes to the share it has the token. What it gives is closed when that may be.
func (h *host) bound(v *db.Invite) <-chan struct{} {
	e := h.e
	_, moves := e.look()
	if !h.listed { // not at each move, for it is one itself
		err := e.listInvited(e.ctx, v)
		if err != nil && e.ctx.Err() == nil {
			e.log.Error("who came with an invite is not yet a member", "why", err)
		}
		h.listed = err == nil
	}
	if e.net != nil && slices.ContainsFunc(e.net.all(), func(p *peer) bool { return p.pk == v.PK }) {
		_ = h.done() // when not, it is tried again
	}
	return moves
}

// done ends an invite that was used.
func (h *host) done() error {
	return h.change(func(v *db.Invite, state string) bool {
		v.State = api.InviteDone
		return state == api.InviteBound
	})
}

// meet talks to who comes.
func (h *host) meet(link Link) {
	defer link.Close()
	if err := h.talk(link); err != nil {
		h.e.log.Debug("who came with an invite has left", "addr", link.RemoteAddr(), "why", err)
	}
}

// wrong bans an address that does not know the code, at the third time in a minute: who guesses codes does it slowly.
func (h *host) wrong(a netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failures.third(a, h.e.node.now()) {
		h.meeting.Ban(a, banWrong)
	}
}
