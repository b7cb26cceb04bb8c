package api

import "context"

// Links is what can be asked of links: parts of one share inside another (docs/shares.md §8).
type Links interface {
	// Link links a file or folder of one share into another: live, or as a copy of this moment. Denied without the secrets
	// that it needs, Exists when something stands at the target already, Usage for a cycle or an overlap.
	Link(ctx context.Context, opts LinkOptions) (*LinkInfo, error)
	// Unlink removes a live link: the copies of it go to the archive, the source stays. NotFound when there is none.
	Unlink(ctx context.Context, name, path string) error
}

// LinkOptions say what to link where.
type LinkOptions struct {
	Source     string `json:"source"`      // name of a share
	SourcePath string `json:"source_path"` // "" = all of it
	Target     string `json:"target"`      // name of a share
	TargetPath string `json:"target_path"` // where nothing is yet
	Pin        bool   `json:"pin"`         // the files as they are now; they follow nobody
	Nested     bool   `json:"nested"`      // what is linked may have links in it: they are passed on
}

// LinkInfo is a link that was made.
type LinkInfo struct {
	LinkOptions
	Share string   `json:"share,omitempty"` // hex of the id of the share that the link leads to; "" of a pin
	Files int64    `json:"files"`           // that it shows now
	Bytes int64    `json:"bytes"`
	Links []string `json:"links"` // paths, below the source, of links that are passed on
}

// linkRoutes are about links.
func linkRoutes() []route {
	return []route{
		{"POST", "/v1/link", false, with(func(ctx context.Context, n Shares, _ string, q LinkOptions) (any, error) { return n.Link(ctx, q) })},
		{"POST", "/v1/shares/{name}/unlink", false, with(func(ctx context.Context, n Shares, name string, q pathRequest) (any, error) {
			return nothing{}, n.Unlink(ctx, name, q.Path)
		})},
	}
}

// Link implements [Links].
func (c *Client) Link(ctx context.Context, opts LinkOptions) (*LinkInfo, error) {
	return post[*LinkInfo](ctx, c, "/v1/link", opts)
}

// Unlink implements [Links].
func (c *Client) Unlink(ctx context.Context, name, path string) error {
	_, err := postShare[nothing](ctx, c, name, "unlink", pathRequest{path})
	return err
}
