package apitest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/secret"
)

// Invite implements [api.Shares]; the code is that of the share's name, and its number. Somebody comes with it at once.
func (f *Fake) Invite(_ context.Context, name string, opts api.InviteOptions) (info *api.InviteInfo, err error) {
	err = f.do(name, func(s *share) error {
		if s.token.Role < secret.Write {
			return api.Errorf(api.Denied, "only writers admit nodes")
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "invite %s %d", name, len(s.invites)))
		expires := Epoch.Add(24 * time.Hour)
		if opts.Seconds > 0 {
			expires = Epoch.Add(time.Duration(opts.Seconds * float64(time.Second)))
		}
		v := api.InviteInfo{ID: hex.EncodeToString(sum[:]), Share: s.info.Name, Role: opts.Role, Approve: opts.Approve, State: api.InviteOpen, Added: Epoch, Expires: expires}
		s.invites = append(s.invites, v)
		v.Code = secret.Invite{Code: [16]byte(sum[:])}.Text()
		info = &v
		return nil
	})
	return info, err
}

// redeem joins with an invite of this node: it gives a share of another id, for one node has a share once.
func (f *Fake) redeem(ctx context.Context, v secret.Invite, opts api.AddOptions) (*api.ShareInfo, error) {
	sum := sha256.Sum256(v.Code[:])
	if opts.Name == "used" {
		return nil, api.Errorf(api.Denied, "the invite was used already")
	}
	token, err := secret.NewAdmin(bytes.NewReader(sum[:]))
	if err != nil {
		return nil, err
	}
	if token, err = token.Weaken(secret.Read); err != nil {
		return nil, err
	}
	name := opts.Name
	if name == "" {
		name = path.Base(opts.Dir)
	}
	api.Tell(ctx, api.Progress{Share: name, State: api.StateWaiting, Peers: 1, Words: "kite amber otter quilt"})
	return f.add(token, name, opts.Dir, opts.Options)
}

// Invites implements [api.Shares].
func (f *Fake) Invites(_ context.Context, name string) (all []api.InviteInfo, err error) {
	err = f.do(name, func(s *share) error {
		all = append(all, s.invites...)
		return nil
	})
	return all, err
}

func (s *share) invite(id string) (*api.InviteInfo, error) {
	for i := range s.invites {
		if strings.HasPrefix(s.invites[i].ID, id) {
			return &s.invites[i], nil
		}
	}
	return nil, api.Errorf(bt.NotFound, "%s has no invite %q", s.info.Name, id)
}

// AwaitInvite implements [api.Shares]; nothing is waited for.
func (f *Fake) AwaitInvite(_ context.Context, name, id, _ string) (info *api.InviteInfo, err error) {
	err = f.do(name, func(s *share) error {
		if err := api.CheckInviteID(id); err != nil {
			return err
		}
		v, err := s.invite(id)
		if err != nil {
			return err
		}
		if v.State == api.InviteOpen {
			v.State, v.Node, v.Label, v.Words = api.InviteDone, strings.Repeat("cd", 32), "laptop", "kite amber otter quilt"
			if v.Approve {
				v.State = api.InviteAsked
			}
		}
		told := *v
		info = &told
		return nil
	})
	return info, err
}

// RevokeInvite implements [api.Shares].
func (f *Fake) RevokeInvite(_ context.Context, name, id string) error {
	return f.do(name, func(s *share) error {
		if err := api.CheckInviteID(id); err != nil {
			return err
		}
		v, err := s.invite(id)
		if err != nil {
			return err
		}
		switch v.State {
		case api.InviteDone:
			return api.Errorf(api.Denied, "the invite was used already")
		case api.InviteAsked:
			v.State = api.InviteDenied
		default:
			v.State = api.InviteRevoked
		}
		return nil
	})
}

// letIn is what Admit does of a node that waits with an invite.
func (s *share) letIn() {
	for i := range s.invites {
		if s.invites[i].State == api.InviteAsked {
			s.invites[i].State = api.InviteDone
		}
	}
}
