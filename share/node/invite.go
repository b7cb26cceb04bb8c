package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/secret"
)

const (
	inviteTime = 24 * time.Hour       // how long an invite is good when nothing is said
	inviteMost = 365 * 24 * time.Hour // and at most
	inviteKept = 7 * 24 * time.Hour   // how long one that is over is remembered, and who comes with it told why
	maxInvites = 64                   // that are not over, of one node
	maxOver    = 128                  // invites that are met for, before those that are over are left out
)

// inviteState is the state of an invite at a time: one that nobody was let in by is over when its time is.
func inviteState(v *db.Invite, now time.Time) string {
	if (v.State == api.InviteOpen || v.State == api.InviteAsked) && !now.Before(v.Expires) {
		return api.InviteExpired
	}
	return v.State
}

// inviteOver reports whether nothing can come of an invite any more.
func inviteOver(state string) bool {
	return state != api.InviteOpen && state != api.InviteAsked && state != api.InviteBound
}

// forgotten is when an invite that is over at now is forgotten.
func forgotten(v *db.Invite) time.Time {
	end := v.Expires
	if v.Changed.After(end) {
		end = v.Changed
	}
	return end.Add(inviteKept)
}

// Invite makes a code with which one node can join, once. It starts the node where none runs.
func (n *Node) Invite(ctx context.Context, name string, opts api.InviteOptions) (*api.InviteInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	if n.net == nil {
		return nil, fail(bt.Usage, "an invite needs a network")
	}
	v, code, err := e.newInvite(opts)
	if err != nil {
		return nil, err
	}
	if err := n.secrets.keepInvite(ctx, v, code); err != nil {
		return nil, err
	}
	err = n.db.Update(ctx, func(t *db.Tx) error {
		all, err := t.Invites(0)
		if err != nil {
			return err
		}
		live := 0
		for i := range all {
			if !inviteOver(inviteState(&all[i], n.now())) {
				live++
			}
		}
		if live >= maxInvites {
			return &bt.Error{Code: codeDenied, Err: errTooMany, Advice: "\"shoal share invite --revoke\" ends those that nobody has used"}
		}
		return t.PutInvite(v)
	})
	if err != nil {
		return nil, errors.Join(err, n.secrets.dropInvite(ctx, v.ID))
	}
	n.Start()
	n.invites.open(v)
	info := e.inviteInfo(v)
	info.Code = code.Text()
	return &info, nil
}

// newInvite is an invite as it was asked for.
func (e *engine) newInvite(opts api.InviteOptions) (v *db.Invite, code secret.Invite, err error) {
	n := e.node
	role, err := secret.ParseRole(opts.Role)
	if err != nil || role == secret.Admin {
		return nil, code, fail(bt.Usage, "an invite gives the role read, write or store, and not %q", opts.Role)
	}
	if role > e.token.Role {
		return nil, code, fail(codeDenied, "this node has the %s secret of %s, and cannot give that of %s", e.token.Role, e.row.Name, role)
	}
	if err := e.mayAdmit(); err != nil {
		return nil, code, err
	}
	if opts.At != "" {
		hint, err := netip.ParseAddrPort(opts.At)
		if code.Hint = hint; err != nil || hint.Port() == 0 || hint.Addr().IsUnspecified() || hint.Addr().Zone() != "" {
			return nil, code, fail(bt.Usage, "%q is not the IP:PORT of a machine", opts.At)
		}
	}
	d := inviteTime
	if opts.Seconds != 0 {
		if d = time.Duration(opts.Seconds * float64(time.Second)); !(opts.Seconds > 0 && opts.Seconds <= inviteMost.Seconds()) {
			return nil, code, fail(bt.Usage, "an invite is good for up to a year")
		}
	}
	now := n.now()
	v = &db.Invite{Share: e.n, Role: role.String(), Label: e.row.Name, Approve: opts.Approve, State: api.InviteOpen, Added: now, Changed: now}
	v.Expires = now.Add(max(d, time.Second)).Round(time.Second) // as it is kept
	if _, err := io.ReadFull(rand.Reader, code.Code[:]); err != nil {
		return nil, code, err
	}
	v.ID = sha256.Sum256(code.Code[:])
	return v, code, nil
}

// inviteInfo is an invite for people, without its code.
func (e *engine) inviteInfo(v *db.Invite) api.InviteInfo {
	i := api.InviteInfo{ID: hex.EncodeToString(v.ID[:]), Share: e.row.Name, Role: v.Role, Approve: v.Approve, State: inviteState(v, e.node.now()),
		Added: v.Added.UTC().Truncate(time.Second), Expires: v.Expires.UTC(), Label: v.Name, Others: v.Others}
	if v.PK != [32]byte{} {
		i.Node, i.Words = hex.EncodeToString(v.PK[:]), secret.Words(e.token.Share, v.PK)
	}
	return i
}

// Invites are those of a share.
func (n *Node) Invites(ctx context.Context, name string) ([]api.InviteInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	list := []api.InviteInfo{}
	err = n.db.View(ctx, func(t *db.Tx) error {
		all, err := t.Invites(e.n)
		for i := range all {
			if n.now().Before(forgotten(&all[i])) {
				list = append(list, e.inviteInfo(&all[i]))
			}
		}
		return err
	})
	return list, err
}

// invite is the invite of a share whose id begins so.
func (e *engine) invite(t *db.Tx, id string) (found *db.Invite, err error) {
	all, err := t.Invites(e.n)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if strings.HasPrefix(hex.EncodeToString(all[i].ID[:]), strings.ToLower(id)) {
			if found != nil {
				return nil, fail(bt.NotFound, "several invites begin with %s", id)
			}
			found = &all[i]
		}
	}
	if found == nil || len(id) < 8 {
		return nil, fail(bt.NotFound, "%s has no invite %q", e.row.Name, id)
	}
	return found, nil
}

// AwaitInvite waits until the state of an invite is another than seen.
func (n *Node) AwaitInvite(ctx context.Context, name, id, seen string) (*api.InviteInfo, error) {
	e, err := n.find(name)
	if err != nil {
		return nil, err
	}
	for {
		news := n.invites.look()
		var v *db.Invite
		if err := n.db.View(ctx, func(t *db.Tx) (err error) { v, err = e.invite(t, id); return err }); err != nil {
			return nil, err
		}
		if i := e.inviteInfo(v); i.State != seen {
			return &i, nil
		}
		timer := time.NewTimer(min(max(v.Expires.Sub(n.now()), time.Second), time.Hour))
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-e.ctx.Done():
			return nil, errStopping
		}
		timer.Stop()
	}
}

// RevokeInvite ends an invite that nobody has used.
func (n *Node) RevokeInvite(ctx context.Context, name, id string) error {
	e, err := n.find(name)
	if err != nil {
		return err
	}
	err = n.db.Update(ctx, func(t *db.Tx) error {
		v, err := e.invite(t, id)
		if err != nil {
			return err
		}
		switch inviteState(v, n.now()) {
		case api.InviteOpen:
			v.State = api.InviteRevoked
		case api.InviteAsked:
			v.State = api.InviteDenied
		case api.InviteBound, api.InviteDone:
			return &bt.Error{Code: codeDenied, Err: errUsedInvite, Advice: "who joined is a member: \"shoal share members " + e.row.Name + "\""}
		default:
			return nil
		}
		v.Changed = n.now()
		return t.PutInvite(v)
	})
	n.invites.tell()
	return err
}

// approve lets in the node whose key begins so, if it waits for that with an invite.
func (e *engine) approve(ctx context.Context, node string) (bound *db.Invite, err error) {
	n := e.node
	err = n.db.Update(ctx, func(t *db.Tx) error {
		all, err := t.Invites(e.n)
		if err != nil {
			return err
		}
		for i := range all {
			v := &all[i]
			if len(node) < 4 || inviteState(v, n.now()) != api.InviteAsked || !strings.HasPrefix(hex.EncodeToString(v.PK[:]), strings.ToLower(node)) {
				continue
			}
			v.State, v.Changed, bound = api.InviteBound, n.now(), v
			return t.PutInvite(v)
		}
		return nil
	})
	if err != nil || bound == nil {
		return nil, err
	}
	if err := e.listInvited(ctx, bound); err != nil {
		return nil, err // it is done when that node asks again, or at the next start
	}
	n.invites.tell()
	return bound, nil
}
