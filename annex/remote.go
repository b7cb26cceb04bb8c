package annex

import (
	"context"
	"errors"
	"sync"

	"shoal/annex/protocol"
	"shoal/bt"
)

// Options say what a remote works with.
type Options struct {
	// NewClient makes the session that torrents are fetched in, once, when the first is needed. With local it may talk to
	// this machine and its networks.
	NewClient func(ctx context.Context, local bool) (*bt.Client, error)

	Peers    []string // host:port that have what every torrent has, besides those found
	Trackers []string // besides those of the torrents, a tier each

	// Share is the remote for share=NAME; nil when there is none.
	Share protocol.Remote
}

// New is the external special remote "shoal". A share= among its settings makes it keep its keys in a share; without
// one it fetches files of torrents.
func New(opts Options) protocol.Remote {
	if opts.Share == nil {
		opts.Share = protocol.Unsupported{}
	}
	return &remote{torrents: newTorrentRemote(opts), share: opts.Share}
}

// remote hands each request to the one of its two remotes that the settings ask for.
type remote struct {
	torrents, share protocol.Remote

	mu     sync.Mutex
	chosen protocol.Remote // guarded by mu; nil until known
}

var errNoShares = errors.New("this shoal keeps nothing in shares")

// pick is the remote that is meant.
func (r *remote) pick(j *protocol.Job) (protocol.Remote, error) {
	r.mu.Lock()
	chosen := r.chosen
	r.mu.Unlock()
	if chosen != nil {
		return chosen, nil
	}
	name, err := j.GetConfig("share")
	if err != nil {
		return nil, err
	}
	chosen = r.torrents
	if name != "" {
		chosen = r.share
	}
	if chosen == (protocol.Unsupported{}) {
		return nil, errNoShares
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chosen = chosen
	return chosen, nil
}

// with calls f with the remote that is meant.
func with[T any](r *remote, j *protocol.Job, f func(protocol.Remote) (T, error)) (T, error) {
	p, err := r.pick(j)
	if err != nil {
		var zero T
		return zero, err
	}
	return f(p)
}

// do is with for what has no result.
func do(r *remote, j *protocol.Job, f func(protocol.Remote) error) error {
	p, err := r.pick(j)
	if err != nil {
		return err
	}
	return f(p)
}

func (r *remote) Configs() []protocol.Config {
	return append([]protocol.Config{{Name: "share", Text: "share to keep content in, or \"new\"; without it torrents are fetched"}},
		append(r.torrents.Configs(), r.share.Configs()...)...)
}

func (r *remote) Init(ctx context.Context, j *protocol.Job) error {
	return do(r, j, func(p protocol.Remote) error { return p.Init(ctx, j) })
}

func (r *remote) Prepare(ctx context.Context, j *protocol.Job) error {
	return do(r, j, func(p protocol.Remote) error { return p.Prepare(ctx, j) })
}

// Close closes the one that was used.
func (r *remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chosen == nil {
		return nil
	}
	return r.chosen.Close()
}

func (r *remote) Store(ctx context.Context, j *protocol.Job, key, file string) error {
	return do(r, j, func(p protocol.Remote) error { return p.Store(ctx, j, key, file) })
}

func (r *remote) Retrieve(ctx context.Context, j *protocol.Job, key, file string) error {
	return do(r, j, func(p protocol.Remote) error { return p.Retrieve(ctx, j, key, file) })
}

func (r *remote) Present(ctx context.Context, j *protocol.Job, key string) (bool, error) {
	return with(r, j, func(p protocol.Remote) (bool, error) { return p.Present(ctx, j, key) })
}

func (r *remote) Remove(ctx context.Context, j *protocol.Job, key string) error {
	return do(r, j, func(p protocol.Remote) error { return p.Remove(ctx, j, key) })
}

func (r *remote) Claim(ctx context.Context, j *protocol.Job, url string) (bool, error) {
	return with(r, j, func(p protocol.Remote) (bool, error) { return p.Claim(ctx, j, url) })
}

func (r *remote) CheckURL(ctx context.Context, j *protocol.Job, url string) (protocol.URLContents, error) {
	return with(r, j, func(p protocol.Remote) (protocol.URLContents, error) { return p.CheckURL(ctx, j, url) })
}

func (r *remote) Cost(ctx context.Context, j *protocol.Job) (int, error) {
	return with(r, j, func(p protocol.Remote) (int, error) { return p.Cost(ctx, j) })
}

func (r *remote) Availability(ctx context.Context, j *protocol.Job) (protocol.Availability, error) {
	return with(r, j, func(p protocol.Remote) (protocol.Availability, error) { return p.Availability(ctx, j) })
}

func (r *remote) Ordered(ctx context.Context, j *protocol.Job) (bool, error) {
	return with(r, j, func(p protocol.Remote) (bool, error) { return p.Ordered(ctx, j) })
}

func (r *remote) Whereis(ctx context.Context, j *protocol.Job, key string) (string, error) {
	return with(r, j, func(p protocol.Remote) (string, error) { return p.Whereis(ctx, j, key) })
}

func (r *remote) Info(ctx context.Context, j *protocol.Job) ([]protocol.Field, error) {
	return with(r, j, func(p protocol.Remote) ([]protocol.Field, error) { return p.Info(ctx, j) })
}
