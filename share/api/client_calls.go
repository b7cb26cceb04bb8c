package api

import (
	"context"
	"net/url"
	"strings"

	"shoal/bt"
)

// get asks what changes nothing.
func get[T any](ctx context.Context, c *Client, path string) (result T, err error) {
	err = c.call(ctx, "GET", path, nil, &result)
	return result, err
}

// post asks for what changes something.
func post[T any](ctx context.Context, c *Client, path string, body any) (result T, err error) {
	err = c.call(ctx, "POST", path, body, &result)
	return result, err
}

// postShare is post about a share.
func postShare[T any](ctx context.Context, c *Client, name, verb string, body any) (result T, err error) {
	path, err := sharePath(name, "/"+verb)
	if err != nil {
		return result, err
	}
	return post[T](ctx, c, path, body)
}

// getShare is get about a share; query is the name and value of a parameter.
func getShare[T any](ctx context.Context, c *Client, name, what string, query ...string) (result T, err error) {
	path, err := sharePath(name, "/"+what)
	if err != nil {
		return result, err
	}
	if len(query) == 2 && query[1] != "" {
		path += "?" + url.Values{query[0]: {query[1]}}.Encode()
	}
	return get[T](ctx, c, path)
}

// sharePath is the path of a share. What cannot be a name cannot be a part of a path either, and is not found.
func sharePath(name, rest string) (string, error) {
	if CheckName(name) != nil {
		return "", Errorf(bt.NotFound, "there is no share %q", name)
	}
	return "/v1/shares/" + url.PathEscape(name) + rest, nil
}

// Create implements [Shares].
func (c *Client) Create(ctx context.Context, opts CreateOptions) (*ShareInfo, error) {
	return post[*ShareInfo](ctx, c, "/v1/shares", opts)
}

// Add implements [Shares].
func (c *Client) Add(ctx context.Context, opts AddOptions) (*ShareInfo, error) {
	return post[*ShareInfo](ctx, c, "/v1/join", opts)
}

// Remove implements [Shares].
func (c *Client) Remove(ctx context.Context, name string) error {
	path, err := sharePath(name, "")
	if err != nil {
		return err
	}
	return c.call(ctx, "DELETE", path, nil, &nothing{})
}

// List implements [Shares].
func (c *Client) List(ctx context.Context) ([]ShareInfo, error) {
	return get[[]ShareInfo](ctx, c, "/v1/shares")
}

// Token implements [Shares].
func (c *Client) Token(ctx context.Context, name, role string) (string, error) {
	r, err := getShare[tokenResult](ctx, c, name, "token", "role", role)
	return r.Token, err
}

// Status implements [Shares].
func (c *Client) Status(ctx context.Context, name string) (*Status, error) {
	return getShare[*Status](ctx, c, name, "status")
}

// Peers implements [Shares].
func (c *Client) Peers(ctx context.Context, name string) ([]PeerInfo, error) {
	return getShare[[]PeerInfo](ctx, c, name, "peers")
}

// Members implements [Shares].
func (c *Client) Members(ctx context.Context, name string) ([]MemberInfo, error) {
	return getShare[[]MemberInfo](ctx, c, name, "members")
}

// Admit implements [Shares].
func (c *Client) Admit(ctx context.Context, name, node, role string) error {
	_, err := postShare[nothing](ctx, c, name, "admit", admitRequest{node, role})
	return err
}

// Ls implements [Shares].
func (c *Client) Ls(ctx context.Context, name, path string) ([]FileInfo, error) {
	return getShare[[]FileInfo](ctx, c, name, "files", "path", path)
}

// Get implements [Shares].
func (c *Client) Get(ctx context.Context, name string, paths []string, out string) ([]FileInfo, error) {
	return postShare[[]FileInfo](ctx, c, name, "get", getRequest{paths, out})
}

// Drop implements [Shares].
func (c *Client) Drop(ctx context.Context, name string, paths []string, force bool) ([]FileInfo, error) {
	return postShare[[]FileInfo](ctx, c, name, "drop", dropRequest{paths, force})
}

// Free implements [Shares].
func (c *Client) Free(ctx context.Context, name string, paths []string, copies int) error {
	_, err := postShare[struct{}](ctx, c, name, "free", freeRequest{paths, copies})
	return err
}

// Promised implements [Shares].
func (c *Client) Promised(ctx context.Context, name, path string, copies int) (*Promise, error) {
	return postShare[*Promise](ctx, c, name, "promise", promiseRequest{path, copies})
}

// Sync implements [Shares].
func (c *Client) Sync(ctx context.Context, opts SyncOptions) ([]SyncResult, error) {
	return post[[]SyncResult](ctx, c, "/v1/sync", syncRequest{opts.Names, opts.For.Seconds()})
}

// Conflicts implements [Shares].
func (c *Client) Conflicts(ctx context.Context, name string) ([]Conflict, error) {
	return getShare[[]Conflict](ctx, c, name, "conflicts")
}

// Resolve implements [Shares].
func (c *Client) Resolve(ctx context.Context, name, path, keep string) error {
	_, err := postShare[nothing](ctx, c, name, "resolve", resolveRequest{path, keep})
	return err
}

// History implements [Shares].
func (c *Client) History(ctx context.Context, name, path string) ([]Version, error) {
	return getShare[[]Version](ctx, c, name, "history", "path", path)
}

// Restore implements [Shares].
func (c *Client) Restore(ctx context.Context, name, path, at string) ([]FileInfo, error) {
	return postShare[[]FileInfo](ctx, c, name, "restore", restoreRequest{path, at})
}

// Pause implements [Shares].
func (c *Client) Pause(ctx context.Context, name string, paused bool) error {
	_, err := postShare[nothing](ctx, c, name, "pause", pauseRequest{paused})
	return err
}

// Accept implements [Shares].
func (c *Client) Accept(ctx context.Context, name string) (int, error) {
	r, err := postShare[countResult](ctx, c, name, "accept", nil)
	return r.Count, err
}

// Reject implements [Shares].
func (c *Client) Reject(ctx context.Context, name string) (int, error) {
	r, err := postShare[countResult](ctx, c, name, "reject", nil)
	return r.Count, err
}

// Revert implements [Shares].
func (c *Client) Revert(ctx context.Context, name, path string) ([]FileInfo, error) {
	return postShare[[]FileInfo](ctx, c, name, "revert", pathRequest{path})
}

// Check implements [Shares].
func (c *Client) Check(ctx context.Context, name string, repair bool) (*CheckResult, error) {
	return postShare[*CheckResult](ctx, c, name, "check", checkRequest{repair})
}

// AddTorrent implements [Torrents].
func (c *Client) AddTorrent(ctx context.Context, opts TorrentOptions) (*TorrentInfo, error) {
	return post[*TorrentInfo](ctx, c, "/v1/torrents", opts)
}

// ListTorrents implements [Torrents].
func (c *Client) ListTorrents(ctx context.Context) ([]TorrentInfo, error) {
	return get[[]TorrentInfo](ctx, c, "/v1/torrents")
}

// RemoveTorrent implements [Torrents].
func (c *Client) RemoveTorrent(ctx context.Context, infohash string) (result *TorrentInfo, err error) {
	if infohash == "" || strings.Trim(infohash, "0123456789abcdefABCDEF") != "" {
		return nil, Errorf(bt.NotFound, "there is no torrent %q", infohash)
	}
	err = c.call(ctx, "DELETE", "/v1/torrents/"+infohash, nil, &result)
	return result, err
}
