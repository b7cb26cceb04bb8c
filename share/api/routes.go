package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"shoal/bt"
)

// Protocol is the version of the protocol: paths begin with it. Within a version fields and paths are only added.
const Protocol = 1

// maxRequest is how long the body of a request may be: it may hold a .torrent in base64.
const maxRequest = 64 << 20

// A route is one call of the protocol. Those that take long tell how they get on.
type route struct {
	method, path string
	long         bool
	call         func(ctx context.Context, n Shares, r *http.Request) (any, error)
}

// Bodies of requests and results that have no type of their own.
type (
	helloResult struct {
		API int `json:"api"`
	}
	pathRequest struct {
		Path string `json:"path"`
	}
	admitRequest struct {
		Node string `json:"node"`
		Role string `json:"role,omitempty"`
	}
	getRequest struct {
		Paths []string `json:"paths"`
		Out   string   `json:"out,omitempty"` // absolute
	}
	dropRequest struct {
		Paths []string `json:"paths"`
		Force bool     `json:"force,omitempty"`
	}
	freeRequest struct {
		Paths  []string `json:"paths"`
		Copies int      `json:"copies"`
	}
	promiseRequest struct {
		Path   string `json:"path"`
		Copies int    `json:"copies"`
	}
	syncRequest struct {
		Names   []string `json:"names"`
		Seconds float64  `json:"seconds,omitempty"`
	}
	resolveRequest struct {
		Path string `json:"path"`
		Keep string `json:"keep"`
	}
	restoreRequest struct {
		Path string `json:"path"`
		At   string `json:"at"`
	}
	pauseRequest struct {
		Paused bool `json:"paused"`
	}
	checkRequest struct {
		Repair bool `json:"repair,omitempty"`
	}
	tokenResult struct {
		Token string `json:"token"`
	}
	countResult struct {
		Count int `json:"count"`
	}
	nothing struct{}
)

// routes are all calls of the protocol; docs/api.md explains each.
func routes() []route {
	return slices.Concat(shareRoutes(), inviteRoutes(), keyRoutes(), pathRoutes(), linkRoutes(), torrentRoutes(), secretRoutes())
}

// shareRoutes are about whole shares.
func shareRoutes() []route {
	return []route{
		{"GET", "/v1", false, func(context.Context, Shares, *http.Request) (any, error) { return helloResult{Protocol}, nil }},
		{"GET", "/v1/shares", false, func(ctx context.Context, n Shares, _ *http.Request) (any, error) { return n.List(ctx) }},
		{"POST", "/v1/shares", true, with(func(ctx context.Context, n Shares, _ string, q CreateOptions) (any, error) { return n.Create(ctx, q) })},
		{"POST", "/v1/join", true, with(func(ctx context.Context, n Shares, _ string, q AddOptions) (any, error) { return n.Add(ctx, q) })},
		{"POST", "/v1/sync", true, with(func(ctx context.Context, n Shares, _ string, q syncRequest) (any, error) {
			d, err := seconds(q.Seconds)
			if err != nil {
				return nil, err
			}
			return n.Sync(ctx, SyncOptions{q.Names, d})
		})},
		{"DELETE", "/v1/shares/{name}", false, named(func(ctx context.Context, n Shares, name string) (any, error) {
			return nothing{}, n.Remove(ctx, name)
		})},
		{"GET", "/v1/shares/{name}/status", false, named(func(ctx context.Context, n Shares, name string) (any, error) { return n.Status(ctx, name) })},
		{"GET", "/v1/shares/{name}/peers", false, named(func(ctx context.Context, n Shares, name string) (any, error) { return n.Peers(ctx, name) })},
		{"GET", "/v1/shares/{name}/members", false, named(func(ctx context.Context, n Shares, name string) (any, error) { return n.Members(ctx, name) })},
		{"GET", "/v1/shares/{name}/token", false, func(ctx context.Context, n Shares, r *http.Request) (any, error) {
			token, err := n.Token(ctx, r.PathValue("name"), r.FormValue("role"))
			return tokenResult{token}, err
		}},
		{"POST", "/v1/shares/{name}/admit", false, with(func(ctx context.Context, n Shares, name string, q admitRequest) (any, error) {
			return nothing{}, n.Admit(ctx, name, q.Node, q.Role)
		})},
		{"POST", "/v1/shares/{name}/pause", false, with(func(ctx context.Context, n Shares, name string, q pauseRequest) (any, error) {
			return nothing{}, n.Pause(ctx, name, q.Paused)
		})},
		{"POST", "/v1/shares/{name}/accept", false, named(func(ctx context.Context, n Shares, name string) (any, error) {
			count, err := n.Accept(ctx, name)
			return countResult{count}, err
		})},
		{"POST", "/v1/shares/{name}/reject", false, named(func(ctx context.Context, n Shares, name string) (any, error) {
			count, err := n.Reject(ctx, name)
			return countResult{count}, err
		})},
		{"POST", "/v1/shares/{name}/check", true, with(func(ctx context.Context, n Shares, name string, q checkRequest) (any, error) {
			return n.Check(ctx, name, q.Repair)
		})},
	}
}

// pathRoutes are about paths of a share.
func pathRoutes() []route {
	return []route{
		{"GET", "/v1/shares/{name}/files", false, func(ctx context.Context, n Shares, r *http.Request) (any, error) {
			return n.Ls(ctx, r.PathValue("name"), r.FormValue("path"))
		}},
		{"GET", "/v1/shares/{name}/conflicts", false, named(func(ctx context.Context, n Shares, name string) (any, error) { return n.Conflicts(ctx, name) })},
		{"GET", "/v1/shares/{name}/history", false, func(ctx context.Context, n Shares, r *http.Request) (any, error) {
			return n.History(ctx, r.PathValue("name"), r.FormValue("path"))
		}},
		{"POST", "/v1/shares/{name}/get", true, with(func(ctx context.Context, n Shares, name string, q getRequest) (any, error) {
			return n.Get(ctx, name, q.Paths, q.Out)
		})},
		{"POST", "/v1/shares/{name}/drop", true, with(func(ctx context.Context, n Shares, name string, q dropRequest) (any, error) {
			return n.Drop(ctx, name, q.Paths, q.Force)
		})},
		{"POST", "/v1/shares/{name}/free", true, with(func(ctx context.Context, n Shares, name string, q freeRequest) (any, error) {
			return struct{}{}, n.Free(ctx, name, q.Paths, q.Copies)
		})},
		{"POST", "/v1/shares/{name}/promise", true, with(func(ctx context.Context, n Shares, name string, q promiseRequest) (any, error) {
			return n.Promised(ctx, name, q.Path, q.Copies)
		})},
		{"POST", "/v1/shares/{name}/resolve", false, with(func(ctx context.Context, n Shares, name string, q resolveRequest) (any, error) {
			return nothing{}, n.Resolve(ctx, name, q.Path, q.Keep)
		})},
		{"POST", "/v1/shares/{name}/restore", true, with(func(ctx context.Context, n Shares, name string, q restoreRequest) (any, error) {
			return n.Restore(ctx, name, q.Path, q.At)
		})},
		{"POST", "/v1/shares/{name}/revert", true, with(func(ctx context.Context, n Shares, name string, q pathRequest) (any, error) {
			return n.Revert(ctx, name, q.Path)
		})},
	}
}

func torrentRoutes() []route {
	return []route{
		{"GET", "/v1/torrents", false, torrents(func(ctx context.Context, n Torrents, _ *http.Request) (any, error) { return n.ListTorrents(ctx) })},
		{"POST", "/v1/torrents", true, torrents(func(ctx context.Context, n Torrents, r *http.Request) (any, error) {
			opts, err := readBody[TorrentOptions](r)
			if err != nil {
				return nil, err
			}
			return n.AddTorrent(ctx, opts)
		})},
		{"DELETE", "/v1/torrents/{infohash}", false, torrents(func(ctx context.Context, n Torrents, r *http.Request) (any, error) {
			return n.RemoveTorrent(ctx, r.PathValue("infohash"))
		})},
	}
}

// named is a call about the share in the path.
func named(f func(ctx context.Context, n Shares, name string) (any, error)) func(context.Context, Shares, *http.Request) (any, error) {
	return func(ctx context.Context, n Shares, r *http.Request) (any, error) {
		return f(ctx, n, r.PathValue("name"))
	}
}

// with is a call with a body; the name is empty where the path has none.
func with[T any](f func(ctx context.Context, n Shares, name string, q T) (any, error)) func(context.Context, Shares, *http.Request) (any, error) {
	return func(ctx context.Context, n Shares, r *http.Request) (any, error) {
		q, err := readBody[T](r)
		if err != nil {
			return nil, err
		}
		return f(ctx, n, r.PathValue("name"), q)
	}
}

// torrents is a call about torrents, of which not every node has a notion.
func torrents(f func(context.Context, Torrents, *http.Request) (any, error)) func(context.Context, Shares, *http.Request) (any, error) {
	return func(ctx context.Context, n Shares, r *http.Request) (any, error) {
		t, ok := n.(Torrents)
		if !ok {
			return nil, Errorf(bt.Failed, "this node keeps shares, and no torrents")
		}
		return f(ctx, t, r)
	}
}

// readBody reads the one JSON value that a request has, up to the end: only then is it noticed when the client leaves.
// A field that is not known could be a wish that would go unheard, and is an error.
func readBody[T any](r *http.Request) (v T, err error) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err = d.Decode(&v); err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if err != nil {
		return v, Errorf(bt.BadInput, "reading a request: %w", err)
	}
	return v, nil
}

// seconds is a number of seconds of a stranger.
func seconds(s float64) (time.Duration, error) {
	if !(s >= 0 && s <= 1e9) {
		return 0, fmt.Errorf("%v is no number of seconds: %w", s, Errorf(bt.BadInput, "want 0 to 1e9"))
	}
	return time.Duration(s * float64(time.Second)), nil
}
