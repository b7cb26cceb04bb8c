package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
	"shoal/share/wire"
)

// inviteLook is how long a joiner looks for who gave it a code, when nothing is said.
const inviteLook = 2 * time.Minute

// isInvite reports whether a text means to be the code of an invite.
func isInvite(text string) bool { return strings.HasPrefix(strings.ToLower(text), "shoali1") }

// redeem joins a share with the code of an invite.
func (n *Node) redeem(ctx context.Context, text string, opts api.AddOptions) (*api.ShareInfo, error) {
	v, err := secret.ParseInvite(text)
	if err != nil {
		return nil, &bt.Error{Code: bt.BadInput, Err: err}
	}
	if n.net == nil {
		return nil, fail(bt.Usage, "joining with an invite needs a network")
	}
	if !(opts.Seconds >= 0 && opts.Seconds <= 1e9) {
		return nil, fail(bt.BadInput, "%v is no number of seconds", opts.Seconds)
	}
	look := cmp.Or(time.Duration(opts.Seconds*float64(time.Second)), inviteLook)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(n.ctx, func() { cancel(errStopping) })()
	g := &guest{n: n, ctx: ctx, keys: v.Keys(), opts: opts, found: make(chan struct{}), over: make(chan struct{})}
	hosts := slices.Concat(opts.Options.Hosts, n.hosts)
	if v.Hint.IsValid() {
		hosts = append(hosts, v.Hint.String())
	}
	m, err := n.net.Meet(ctx, MeetOptions{InfoHash: g.keys.Rendezvous, Extension: g.keys.Extension,
		Trackers: slices.Concat(opts.Options.Trackers, n.trackers), Hosts: hosts, LANOnly: opts.Options.LANOnly}, g.meet)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	timer := time.NewTimer(look)
	defer timer.Stop()
	found := g.found
	for {
		select {
		case <-g.over:
			return g.info, g.err
		case <-found: // from now on it takes as long as a person over there takes
			timer.Stop()
			found = nil
		case <-timer.C:
			g.end(nil, errNobody)
			return g.info, g.err
		case <-ctx.Done():
			g.end(nil, context.Cause(ctx))
			return g.info, g.err
		}
	}
}

var errNobody = &bt.Error{Code: bt.NoPeers, Err: errors.New("nobody answers to this invite"),
	Advice: "the machine that made it must be on, and one of the two reachable; or the code is over, revoked or mistyped: ask for another"}

// A guest is the joiner's side of an invite.
type guest struct {
	n     *Node
	ctx   context.Context
	keys  secret.InviteKeys
	opts  api.AddOptions
	found chan struct{} // closed when somebody has made an offer for which a person is asked
	over  chan struct{} // closed when info and err are set

	mu    sync.Mutex // guards what follows
	offer *wire.Offer
	said  bool // the words were told
	ended bool
	info  *api.ShareInfo
	err   error
}

// end sets what came of it, unless something has.
func (g *guest) end(info *api.ShareInfo, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.finish(info, err)
}

// finish is end under mu.
func (g *guest) finish(info *api.ShareInfo, err error) {
	if g.ended {
		return
	}
	if g.ended = true; g.info == nil { // else it has joined, whatever another connection says
		g.info, g.err = info, err
	}
	close(g.over)
}

// meet talks to who is there. What ends early may go better on the next connection.
func (g *guest) meet(link Link) {
	defer link.Close()
	if err := g.talk(link); err != nil {
		g.n.log.Debug("an invite was not answered here", "addr", link.RemoteAddr(), "why", err)
	}
}

// talk is the joiner's side of the conversation (docs/shares.md §7).
func (g *guest) talk(link Link) error {
	ctx, cancel := context.WithTimeoutCause(g.ctx, wire.OpenTimeout, wire.ErrTimeout)
	defer cancel()
	c, err := wire.OpenInvite(ctx, link, g.keys, nil)
	if err != nil {
		return err
	}
	if err := c.Send(ctx, &wire.Knock{Ver: wire.Version}); err != nil {
		return err
	}
	said, err := c.Recv(ctx)
	if err != nil {
		if errors.Is(err, wire.ErrVersion) {
			g.end(nil, &bt.Error{Code: bt.Failed, Err: err})
		}
		return err
	}
	link.Accept()
	switch m := said.(type) {
	case *wire.Refused:
		g.end(nil, whyNot(m.Why))
		return nil
	case *wire.Offer:
		if err := g.offered(c, m); err != nil {
			return err
		}
		return g.join(link, c, m)
	}
	return fmt.Errorf("%w: it said %s out of turn", wire.ErrProtocol, said.Kind())
}

// offered takes an offer in, if this node can have that share. A second inviter would be somebody else who knows the code.
func (g *guest) offered(c *wire.InviteConn, o *wire.Offer) error {
	if err := c.CheckOffer(o); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.ended:
		return wire.ErrClosed
	case g.offer != nil && (g.offer.Share != o.Share || g.offer.By != o.By):
		g.finish(nil, &bt.Error{Code: codeDenied, Err: errors.New("two machines answer to this invite, with different shares or names"),
			Advice: "somebody else has the code: ask for another, on a way that nobody sees"})
		return g.err
	case g.offer != nil:
		return nil
	}
	row := g.row(o)
	if !goodName(row.Name) {
		g.finish(nil, fail(bt.Usage, "a share cannot be called %q", row.Name))
		return g.err
	}
	if err := g.n.free(&row); err != nil { // before the invite is used up
		g.finish(nil, err)
		return err
	}
	if g.offer = o; o.Approve {
		close(g.found)
	}
	return nil
}

// row is the share as it will be known here.
func (g *guest) row(o *wire.Offer) db.Share {
	label := o.Label
	if api.CheckName(label) != nil {
		label = ""
	}
	opts := g.opts.Options
	opts.InvitedBy = hex.EncodeToString(o.By[:])
	return db.Share{ID: o.Share, Name: cmp.Or(g.opts.Name, label, filepath.Base(g.opts.Dir)), Dir: g.opts.Dir, Options: encodeConfig(opts), Added: g.n.now()}
}

// join says who this node is, waits for the token, adds the share, and says so.
func (g *guest) join(link Link, c *wire.InviteConn, o *wire.Offer) error {
	id := g.n.secrets.seed.Identity(o.Share)
	ctx, cancel := context.WithTimeoutCause(g.ctx, inviteTalk, wire.ErrTimeout)
	defer cancel()
	if err := c.Join(ctx, id, o.Share, g.n.label); err != nil {
		return err
	}
	if o.Approve { // a person takes as long as it likes
		g.tellWords(o, id)
		ctx = g.ctx
	}
	said, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	switch m := said.(type) {
	case *wire.Refused:
		g.end(nil, whyNot(m.Why))
		return nil
	case *wire.Grant:
		return g.granted(link, c, o, m)
	}
	return fmt.Errorf("%w: it said %s out of turn", wire.ErrProtocol, said.Kind())
}

// tellWords tells once what the person at the other side sees too.
func (g *guest) tellWords(o *wire.Offer, id secret.Identity) {
	words := secret.Words(o.Share, id.Key())
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.said && !g.ended {
		g.said = true
		api.Tell(g.ctx, api.Progress{Share: g.row(o).Name, State: api.StateWaiting, Peers: 1, Words: words})
	}
}

// granted adds the share, once, and thanks.
func (g *guest) granted(link Link, c *wire.InviteConn, o *wire.Offer, m *wire.Grant) error {
	token, err := secret.ParseToken(m.Token)
	if err != nil || token.Share != o.Share || token.Role != o.Role {
		return fmt.Errorf("%w: a token that is not what was offered", wire.ErrProtocol)
	}
	g.mu.Lock()
	if g.info == nil && !g.ended {
		if g.info, err = g.add(link, o, m, token); err != nil {
			g.finish(nil, err)
		}
	}
	info := g.info
	g.mu.Unlock()
	if info == nil {
		return err
	}
	defer g.end(info, nil) // the meeting ends with it, so not before the other side has been thanked
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(g.ctx), wire.OpenTimeout, wire.ErrTimeout)
	defer cancel()
	if err := c.Send(ctx, &wire.Thanks{}); err != nil {
		return err
	}
	c.Drain(ctx)
	return nil
}

// add adds the share, and the addresses where its members are.
func (g *guest) add(link Link, o *wire.Offer, m *wire.Grant, token secret.Token) (*api.ShareInfo, error) {
	n := g.n
	row := g.row(o)
	info, err := n.add(g.ctx, &row, token)
	if err != nil {
		return nil, err
	}
	e, err := n.named(row.Name)
	if err != nil {
		return nil, err
	}
	at := link.RemoteAddr()
	var addrs []netip.AddrPort
	if link.Dialled() {
		addrs = append(addrs, at)
	}
	for _, a := range m.Addrs {
		if a.Addr().IsUnspecified() { // "wherever you see me"
			a = netip.AddrPortFrom(at.Addr(), a.Port())
		}
		addrs = append(addrs, a)
	}
	err = n.db.Update(g.ctx, func(t *db.Tx) error {
		for _, a := range addrs {
			if err := t.PutPeer(e.n, &db.Peer{Addr: a.String(), PK: o.By[:], Last: n.now()}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		n.log.Warn("addresses are not remembered", "why", err)
	}
	n.mu.Lock()
	running := n.running
	n.mu.Unlock()
	if running && e.net != nil {
		if meeting := e.net.meets(); meeting != nil {
			meeting.AddPeers(addrs)
		}
	}
	return info, nil
}

// whyNot is the error for a refusal.
func whyNot(why string) error {
	e := &bt.Error{Code: codeDenied}
	switch why {
	case whyUsed:
		e.Err, e.Advice = errUsedInvite, "if that was not you, somebody else has the code: tell who gave it to you, and ask for another"
	case whyExpired:
		e.Err, e.Advice = errors.New("the invite has expired"), "ask for another"
	case whyRevoked:
		e.Err, e.Advice = errors.New("the invite was revoked"), "ask for another"
	case whyDenied:
		e.Err = errors.New("who gave the invite did not let this machine in")
	default:
		e.Err = fmt.Errorf("the invite was refused: %s", why)
	}
	return e
}
