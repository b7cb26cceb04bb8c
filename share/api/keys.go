package api

import "context"

// Keys is what can be asked about the keys of shares (docs/shares.md §9).
type Keys interface {
	// Rekey gives a share other keys, which all members get but some. Denied without the admin secret, and to leave out a
	// machine that has it; Held while the share is itself on the way to other keys.
	Rekey(ctx context.Context, name string, opts RekeyOptions) (*RekeyInfo, error)
	// Compact gives a share other keys, and makes what heads say of who has seen what small again.
	Compact(ctx context.Context, name string) (*RekeyInfo, error)
}

// RekeyOptions say who gets the next keys.
type RekeyOptions struct {
	Without []string `json:"without,omitempty"` // members that do not: labels, or beginnings of keys
	Keep    []string `json:"keep,omitempty"`    // members that do, though one of those admitted them
	DryRun  bool     `json:"dry_run,omitempty"` // only say what would be
}

// RekeyInfo is what became of whom.
type RekeyInfo struct {
	Share   string       `json:"share"`
	Epoch   int          `json:"epoch"` // of the new keys
	DryRun  bool         `json:"dry_run"`
	Members []MemberInfo `json:"members"` // that get them by themselves
	Out     []MemberInfo `json:"out"`     // that do not
	ByHand  []MemberInfo `json:"by_hand"` // that came with a token, and must be given a new one
	Exports []string     `json:"exports"` // paths that are linked elsewhere, and got other keys too
	Links   []string     `json:"links"`   // in the share: those who are left out had read what they show
}

func keyRoutes() []route {
	return []route{
		{"POST", "/v1/shares/{name}/rekey", true, with(func(ctx context.Context, n Shares, name string, q RekeyOptions) (any, error) {
			return n.Rekey(ctx, name, q)
		})},
		{"POST", "/v1/shares/{name}/compact", true, named(func(ctx context.Context, n Shares, name string) (any, error) { return n.Compact(ctx, name) })},
	}
}

// Rekey implements [Keys].
func (c *Client) Rekey(ctx context.Context, name string, opts RekeyOptions) (*RekeyInfo, error) {
	return postShare[*RekeyInfo](ctx, c, name, "rekey", opts)
}

// Compact implements [Keys].
func (c *Client) Compact(ctx context.Context, name string) (*RekeyInfo, error) {
	return postShare[*RekeyInfo](ctx, c, name, "compact", nil)
}
