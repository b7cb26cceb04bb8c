package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shoal/bt"
)

// Invites are codes with which one node each can join a share, once (docs/shares.md §7).
type Invites interface {
	// Invite makes one. Denied when this node may not admit others. Where no node ran, one does from then on.
	Invite(ctx context.Context, name string, opts InviteOptions) (*InviteInfo, error)
	// Invites are those of a share, oldest first, without their codes. Those that are over are kept for a week.
	Invites(ctx context.Context, name string) ([]InviteInfo, error)
	// AwaitInvite is the invite once its state is another than seen. An id may be cut to its beginning.
	AwaitInvite(ctx context.Context, name, id, seen string) (*InviteInfo, error)
	// RevokeInvite ends an invite that nobody has used: who asks to be let in by it is refused.
	RevokeInvite(ctx context.Context, name, id string) error
}

// InviteOptions say what an invite gives.
type InviteOptions struct {
	Role    string  `json:"role"`              // read, write or store
	Seconds float64 `json:"seconds,omitempty"` // how long it is good; 0 = 24 h
	Approve bool    `json:"approve,omitempty"` // ask before the node that comes is let in: Admit does, RevokeInvite does not
	At      string  `json:"at,omitempty"`      // ip:port where this node can be reached, to be a part of the code
}

// InviteInfo is an invite.
type InviteInfo struct {
	ID      string    `json:"invite"` // hex; tells nothing of the code
	Share   string    `json:"share"`
	Role    string    `json:"role"`
	Approve bool      `json:"approve"`
	State   string    `json:"state"`
	Added   time.Time `json:"added"`
	Expires time.Time `json:"expires"`
	Node    string    `json:"node,omitempty"`  // hex of the key of the node that came first
	Label   string    `json:"label,omitempty"` // how that node calls itself
	Words   string    `json:"words,omitempty"` // four words of its key, which it shows too
	Others  int64     `json:"others"`          // how often other nodes tried the same code, and were refused
	Code    string    `json:"code,omitempty"`  // a secret; only of one that was just made
}

// States of an invite.
const (
	InviteOpen    = "open"
	InviteAsked   = "asked" // a node came, and a person must say yes
	InviteBound   = "bound" // to a node, which has not said yet that it has what it needs
	InviteDone    = "done"
	InviteDenied  = "denied" // the person said no
	InviteRevoked = "revoked"
	InviteExpired = "expired"
)

type (
	awaitRequest struct {
		Seen string `json:"seen"`
	}
)

func inviteRoutes() []route {
	return []route{
		{"GET", "/v1/shares/{name}/invites", false, named(func(ctx context.Context, n Shares, name string) (any, error) { return n.Invites(ctx, name) })},
		{"POST", "/v1/shares/{name}/invites", false, with(func(ctx context.Context, n Shares, name string, q InviteOptions) (any, error) {
			return n.Invite(ctx, name, q)
		})},
		{"POST", "/v1/shares/{name}/invites/{id}/await", true, func(ctx context.Context, n Shares, r *http.Request) (any, error) {
			q, err := readBody[awaitRequest](r)
			if err != nil {
				return nil, err
			}
			return n.AwaitInvite(ctx, r.PathValue("name"), r.PathValue("id"), q.Seen)
		}},
		{"DELETE", "/v1/shares/{name}/invites/{id}", false, func(ctx context.Context, n Shares, r *http.Request) (any, error) {
			return nothing{}, n.RevokeInvite(ctx, r.PathValue("name"), r.PathValue("id"))
		}},
	}
}

// Invite implements [Invites].
func (c *Client) Invite(ctx context.Context, name string, opts InviteOptions) (*InviteInfo, error) {
	return postShare[*InviteInfo](ctx, c, name, "invites", opts)
}

// Invites implements [Invites].
func (c *Client) Invites(ctx context.Context, name string) ([]InviteInfo, error) {
	return getShare[[]InviteInfo](ctx, c, name, "invites")
}

// AwaitInvite implements [Invites].
func (c *Client) AwaitInvite(ctx context.Context, name, id, seen string) (*InviteInfo, error) {
	verb, err := inviteVerb(id)
	if err != nil {
		return nil, err
	}
	return postShare[*InviteInfo](ctx, c, name, verb+"/await", awaitRequest{seen})
}

// RevokeInvite implements [Invites].
func (c *Client) RevokeInvite(ctx context.Context, name, id string) error {
	verb, err := inviteVerb(id)
	if err != nil {
		return err
	}
	path, err := sharePath(name, "/"+verb)
	if err != nil {
		return err
	}
	return c.call(ctx, "DELETE", path, nil, &nothing{})
}

// inviteVerb is the part of a path that names an invite.
func inviteVerb(id string) (string, error) {
	if err := CheckInviteID(id); err != nil {
		return "", err
	}
	return "invites/" + url.PathEscape(id), nil
}

// minInviteID is how many hex digits name an invite at least.
const minInviteID = 8

// CheckInviteID checks that a text can name an invite: 8 to 64 hex digits. NotFound otherwise.
func CheckInviteID(id string) error {
	if len(id) < minInviteID || len(id) > 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return Errorf(bt.NotFound, "there is no invite %q", id)
	}
	return nil
}
