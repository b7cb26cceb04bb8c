package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"shoal/share/api"
	"shoal/share/db"
	"shoal/share/index"
	"shoal/share/secret"
	"shoal/share/wire"
)

var (
	errTooMany    = errors.New("there are too many invites that are not over")
	errUsedInvite = errors.New("the invite was used already")
)

// What a joiner is told when it is refused.
const (
	whyUsed    = "used"
	whyExpired = "expired"
	whyRevoked = "revoked"
	whyDenied  = "denied"
)

// joinInvite is what an invite makes of a node that wants to join: the state that it is in for that node, or why not.
// The caller makes a change durable before it acts on it. It decides who wins: the first that comes while the invite is open.
func joinInvite(v *db.Invite, j *wire.Join, state string) (why string, changed bool) {
	if v.PK == ([32]byte{}) && state == api.InviteOpen {
		v.PK, v.Box, v.SigJ, v.Name = j.PK, j.Box, j.SigJ, j.Name
		v.State = api.InviteBound
		if v.Approve {
			v.State = api.InviteAsked
		}
		return "", true
	}
	same := v.PK == j.PK
	if !same && v.PK != ([32]byte{}) {
		if v.Other == j.PK {
			return whyUsed, false // the same again, perhaps on a second connection
		}
		v.Others++
		v.Other = j.PK
		return whyUsed, true
	}
	return whyRefused(state), false
}

// whyRefused is why a node that the invite is bound to, or any while it is bound to none, is refused; "" when it is not.
func whyRefused(state string) string {
	switch state {
	case api.InviteExpired:
		return whyExpired
	case api.InviteRevoked:
		return whyRevoked
	case api.InviteDenied:
		return whyDenied
	case api.InviteDone:
		return whyUsed
	}
	return ""
}

// mayAdmit reports whether this node can make others members: it has the admin secret, or is a listed writer.
func (e *engine) mayAdmit() error {
	if e.token.Role < secret.Write {
		return fail(codeDenied, "only a writer can admit others to %s", e.row.Name)
	}
	if e.token.Role == secret.Admin {
		return nil
	}
	v, _ := e.look()
	_, chains, err := e.members(v.Root)
	if err == nil && chains[e.pk] == nil {
		err = fail(codeDenied, "this node is not listed in %s itself: a member must admit it first", e.row.Name)
	}
	return err
}

// vouch signs that this node admits m.
func (e *engine) vouch(m *member) {
	if e.token.Role == secret.Admin {
		m.By = [32]byte(e.token.Share)
		m.SigB = secret.Sign(e.keys.AdminSign, secret.SignMember, m.signed(e.token.Share))
		return
	}
	m.By = e.pk
	m.SigB = secret.Sign(e.self.Sign, secret.SignMember, m.signed(e.token.Share))
}

// listInvited makes the node that an invite is bound to a member, unless it is one that may as much. It may be done
// again: after a crash nobody knows how far it was.
func (e *engine) listInvited(ctx context.Context, v *db.Invite) error {
	role, err := secret.ParseRole(v.Role)
	if err != nil {
		return err
	}
	if err := e.mayAdmit(); err != nil {
		return err
	}
	m := member{PK: v.PK, Label: v.Name, Role: role, Box: v.Box, SigJ: v.SigJ[:], How: howInvite}
	e.vouch(&m)
	return e.do(ctx, func() error {
		meta := e.row.State.Root.Meta
		all, chains, err := e.members(e.row.State.Root)
		if err != nil {
			return err
		}
		if err := e.letIn(&m); err != nil {
			return err
		}
		if was := all[m.PK]; chains[m.PK] != nil && was.Role >= m.Role && was.Box == m.Box {
			return nil
		}
		ev := e.listing(&m)
		there, err := e.reader().Find(meta, m.path())
		if err != nil {
			return err
		}
		for i := range there.Entries {
			ev.RemoveAt, ev.Remove = m.path(), append(ev.Remove, there.Entries[i].Dot)
		}
		return e.commitEvents([]index.Event{ev})
	})
}

// inviteAlarms are what about invites a person must know: that a code was tried by two, and that this node joined with
// one and is no member.
func (e *engine) inviteAlarms(ctx context.Context, s *api.Status) (all []string, err error) {
	now := e.node.now()
	err = e.node.db.View(ctx, func(t *db.Tx) error {
		given, err := t.Invites(e.n)
		for i := range given {
			if v := &given[i]; v.Others > 0 && now.Before(forgotten(v)) {
				all = append(all, fmt.Sprintf("the invite that %s used was tried by another node (%s) as well: ask both whom you meant, \"shoal share members %s\" lists who is in",
					nodeName(v.Name, v.PK), nodeName("", v.Other), e.row.Name))
			}
		}
		return err
	})
	if err != nil || e.forest == nil || s.Config.InvitedBy == "" || s.State != api.StateInSync {
		return all, err
	}
	v, _ := e.look()
	_, chains, err := e.members(v.Root)
	if err == nil && chains[e.pk] == nil {
		all = append(all, "this node joined with an invite, and the share does not list it yet: if that stays so, whoever gave you the code may not be who you think")
	}
	return all, err
}

// nodeName is a node for people.
func nodeName(label string, pk [32]byte) string {
	if label != "" {
		return label
	}
	return hex.EncodeToString(pk[:8])
}
