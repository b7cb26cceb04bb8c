package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
	"shoal/share/wire"
)

// talk is the inviter's side of the conversation (docs/shares.md §7). What it says next it has made durable before.
func (h *host) talk(link Link) error {
	e := h.e
	ctx, cancel := context.WithTimeoutCause(e.ctx, wire.OpenTimeout, wire.ErrTimeout)
	defer cancel()
	c, err := wire.OpenInvite(ctx, link, h.keys, nil)
	if err != nil {
		if errors.Is(err, wire.ErrWrongSecret) {
			h.wrong(link.RemoteAddr().Addr())
		}
		return err
	}
	if _, err := hear[*wire.Knock](ctx, c); err != nil {
		if errors.Is(err, wire.ErrVersion) { // so that both can say why
			return c.Offer(ctx, &wire.Offer{Role: secret.Read}, e.self)
		}
		return err
	}
	link.Accept()
	ctx, cancel = context.WithTimeoutCause(e.ctx, inviteTalk, wire.ErrTimeout)
	defer cancel()
	v, err := h.now()
	if err != nil || v == nil {
		return errors.Join(err, errNoInvite)
	}
	state := inviteState(v, e.node.now())
	if why := whyRefused(state); why != "" && v.PK == ([32]byte{}) {
		return refuse(ctx, c, why)
	}
	if err := h.offer(ctx, c, v, state); err != nil {
		return err
	}
	j, err := hear[*wire.Join](ctx, c)
	if err == nil {
		err = c.CheckJoin(j, e.token.Share)
	}
	if err == nil && j.PK == e.pk {
		err = wire.ErrSelf
	}
	if err != nil {
		return err
	}
	return h.admit(link, c, j)
}

// offer says what the code is for. Who comes second learns no name of it.
func (h *host) offer(ctx context.Context, c *wire.InviteConn, v *db.Invite, state string) error {
	role, err := secret.ParseRole(v.Role)
	if err != nil {
		return err
	}
	o := &wire.Offer{Share: h.e.token.Share, Role: role, Approve: v.Approve && (state == api.InviteOpen || state == api.InviteAsked)}
	if !inviteOver(state) {
		o.Label = v.Label
	}
	return c.Offer(ctx, o, h.e.self)
}

// admit binds the invite to who comes, if it is the first, and gives it what it came for.
func (h *host) admit(link Link, c *wire.InviteConn, j *wire.Join) error {
	why := ""
	err := h.change(func(v *db.Invite, state string) (changed bool) {
		why, changed = joinInvite(v, j, state)
		return changed
	})
	if err != nil {
		return err
	}
	h.i.at("bound")
	if why == "" {
		why, err = h.approved(link)
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(h.e.ctx, inviteTalk, wire.ErrTimeout)
	defer cancel()
	if why != "" {
		if why == whyUsed {
			h.e.log.Warn("a second node tried an invite that was used already", "addr", link.RemoteAddr(), "node", nodeName(j.Name, j.PK))
		}
		return refuse(ctx, c, why)
	}
	return h.grant(ctx, link, c)
}

// approved waits until a person has said yes or no, where one is to be asked.
func (h *host) approved(link Link) (why string, err error) {
	for {
		news := h.i.look()
		v, err := h.now()
		if err != nil || v == nil {
			return "", errors.Join(err, errNoInvite)
		}
		if state := inviteState(v, h.e.node.now()); state != api.InviteAsked {
			return whyRefused(state), nil
		}
		select {
		case <-news:
		case <-link.Done():
			return "", wire.ErrClosed
		case <-h.e.ctx.Done():
			return "", errStopping
		}
	}
}

// grant makes who comes a member, and gives it the token.
func (h *host) grant(ctx context.Context, link Link, c *wire.InviteConn) error {
	e := h.e
	v, err := h.now()
	if err != nil || v == nil {
		return errors.Join(err, errNoInvite)
	}
	if err := e.listInvited(ctx, v); err != nil {
		e.log.Error("who came with an invite cannot be made a member", "why", err)
		return err
	}
	h.i.at("listed")
	role, err := secret.ParseRole(v.Role)
	if err != nil {
		return err
	}
	token, err := e.token.Weaken(role)
	if err != nil {
		return err
	}
	if err := c.Send(ctx, &wire.Grant{Token: token.Text(), Addrs: h.addrs()}); err != nil {
		return err
	}
	h.i.at("granted")
	if _, err := hear[*wire.Thanks](ctx, c); err != nil {
		return err
	}
	err = h.done()
	h.i.at("done")
	if err == nil {
		e.log.Info("a node joined with an invite", "addr", link.RemoteAddr(), "node", nodeName(v.Name, v.PK), "role", v.Role)
	}
	return err
}

// addrs are where members of the share can be dialled: this node, and those it is connected to.
func (h *host) addrs() []netip.AddrPort {
	if h.e.net == nil {
		return nil
	}
	addrs := slices.Clone(h.e.net.hello().Addrs)
	for _, p := range h.e.net.all() {
		for _, a := range p.addrs() {
			if len(addrs) < 32 && !slices.Contains(addrs, a) {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs
}

// refuse says why not, and waits until that was heard.
func refuse(ctx context.Context, c *wire.InviteConn, why string) error {
	if err := c.Send(ctx, &wire.Refused{Why: why}); err != nil {
		return err
	}
	c.Drain(ctx)
	return fmt.Errorf("it was refused: %s", why)
}

// hear is the next message of the other side, which must be of that kind.
func hear[M wire.InviteMessage](ctx context.Context, c *wire.InviteConn) (m M, err error) {
	got, err := c.Recv(ctx)
	if err != nil {
		return m, err
	}
	m, ok := got.(M)
	if !ok {
		return m, fmt.Errorf("%w: it said %s out of turn", wire.ErrProtocol, got.Kind())
	}
	return m, nil
}
