package api

import (
	"context"

	"shoal/bt"
)

// Secrets is what can be asked of the secrets that a node has. All else about them is asked of their store (package vault).
type Secrets interface {
	// Unlock opens the secrets of a node that was started without them, and its shares. It is also told of a new password.
	// Denied for a wrong one; where nothing is locked it does nothing.
	Unlock(ctx context.Context, password string) error
}

type unlockRequest struct {
	Password string `json:"password"`
}

func secretRoutes() []route {
	return []route{
		{"POST", "/v1/unlock", true, with(func(ctx context.Context, n Shares, _ string, q unlockRequest) (any, error) {
			s, ok := n.(Secrets)
			if !ok {
				return nil, Errorf(bt.Failed, "this node has no secrets of its own")
			}
			return nothing{}, s.Unlock(ctx, q.Password)
		})},
	}
}

// Unlock implements [Secrets].
func (c *Client) Unlock(ctx context.Context, password string) error {
	_, err := post[nothing](ctx, c, "/v1/unlock", unlockRequest{password})
	return err
}
