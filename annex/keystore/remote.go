package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"shoal/annex/protocol"
	"shoal/bt"
	"shoal/share/api"
)

// Settings of initremote. The id is a public key: it opens nothing, and says which share is meant where another has the
// name.
const (
	configShare  = "share"
	configID     = "shareid"
	configCopies = "copies"
	configThin   = "thin"
	newShare     = "new" // of configShare: one is made
)

// idLen is how much of the id of a share is kept in the repository, in hex digits: 128 bits.
const idLen = 32

// A Remote is a special remote that keeps keys in a share.
type Remote struct {
	protocol.Unsupported

	// Open opens the shares of this machine, as that of Options.
	Open func(ctx context.Context, a Access) (api.Shares, io.Closer, error)

	store *Store // set by Init and Prepare
	wrong error  // in the settings: told where it matters, as Prepare may not fail

	exported atomic.Bool // the tree of the share has changed
}

var _ protocol.Remote = (*Remote)(nil)

// Configs implements [protocol.Life]; share itself is known to whoever has chosen this remote.
func (r *Remote) Configs() []protocol.Config {
	return []protocol.Config{
		{Name: configID, Text: "the id of the share, set by itself"},
		{Name: configCopies, Text: "how many other machines must prove that they have a key before it counts as present"},
		{Name: configThin, Text: "yes: content is shared out of the annex, without a second copy, and only what others have counts"},
	}
}

// Init implements [protocol.Life]: it looks for the share, or makes it.
func (r *Remote) Init(ctx context.Context, j *protocol.Job) error {
	if err := r.Prepare(ctx, j); err != nil {
		return err
	}
	if r.wrong != nil {
		return r.wrong
	}
	var info api.ShareInfo
	var err error
	if r.store.opts.Thin {
		if err := plainContent(j); err != nil {
			return err
		}
	}
	if r.store.opts.Share == newShare && r.store.opts.ID == "" {
		info, err = r.make(ctx, j)
	} else if info, err = r.store.Share(ctx); err == nil && r.store.opts.Thin && !info.Config.OnDemand {
		err = errNotOnDemand(info.Name)
	}
	if err != nil {
		return err
	}
	return errors.Join(j.SetConfig(configShare, info.Name), j.SetConfig(configID, info.ID[:min(len(info.ID), idLen)]))
}

// plainContent is nil when git-annex hands over its own files: neither chunks nor what it has encrypted.
func plainContent(j *protocol.Job) error {
	encryption, err := j.GetConfig("encryption")
	if err != nil {
		return err
	}
	chunk, err := j.GetConfig("chunk")
	if err != nil {
		return err
	}
	if encryption != "none" || chunk != "" {
		return api.Errorf(bt.Usage, "thin=yes wants encryption=none, and no chunk=: what is stored is the annex's own file")
	}
	return nil
}

// make makes a share that is called like the remote, in a folder below the git directory. Its secrets stay with the node.
func (r *Remote) make(ctx context.Context, j *protocol.Job) (info api.ShareInfo, err error) {
	name, err := j.GetConfig("name")
	if err != nil {
		return info, err
	}
	if err := api.CheckName(name); err != nil {
		return info, fmt.Errorf("a share is called like the remote: %w", err)
	}
	git, err := j.GetGitDir()
	if err != nil {
		return info, err
	}
	shares, closer, err := r.Open(ctx, Make)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	made, err := shares.Create(ctx, api.CreateOptions{Name: name, Dir: filepath.Join(git, "shoal", name),
		Options: api.ShareConfig{OnDemand: r.store.opts.Thin}})
	if bt.CodeOf(err) == bt.Exists {
		return info, fmt.Errorf("%w: to use it say share=%s, or give the remote another name", err, name)
	}
	if err != nil {
		return info, err
	}
	return *made, nil
}

// Prepare implements [protocol.Life]. It looks at no share: who adds a URL wants none.
func (r *Remote) Prepare(_ context.Context, j *protocol.Job) error {
	o := Options{Open: r.Open}
	var copies, thin string
	for _, c := range []struct {
		name  string
		value *string
	}{{configShare, &o.Share}, {configID, &o.ID}, {configCopies, &copies}, {configThin, &thin}} {
		var err error
		if *c.value, err = j.GetConfig(c.name); err != nil {
			return err
		}
	}
	var err error
	if o.Repository, err = j.GetUUID(); err != nil {
		return err
	}
	if o.Copies, err = strconv.Atoi(cmp.Or(copies, "0")); err != nil || o.Copies < 0 {
		r.wrong = api.Errorf(bt.Usage, "copies=%s: want a number of machines", copies)
	}
	switch thin {
	case "", "no":
	case "yes":
		o.Thin = true
	default:
		r.wrong = api.Errorf(bt.Usage, "thin=%s: want yes or no", thin)
	}
	if r.store != nil { // Init was here
		if err := r.store.Close(); err != nil {
			return err
		}
	}
	r.store = New(o)
	return nil
}

// Close implements [protocol.Life].
func (r *Remote) Close() error {
	if r.store == nil {
		return nil
	}
	if r.exported.Load() {
		// There is no other end of an export. A node that runs sees it later, too, and a sync does.
		_ = r.store.Announce(context.Background())
	}
	return r.store.Close()
}

// key is a key of git-annex, if the remote can be used at all.
func (r *Remote) key(s string) (Key, error) {
	if r.wrong != nil {
		return "", r.wrong
	}
	return ParseKey(s)
}

// Store implements [protocol.Keys].
func (r *Remote) Store(ctx context.Context, j *protocol.Job, key, file string) error {
	k, err := r.key(key)
	if err != nil {
		return err
	}
	return r.store.Put(ctx, k, file, progress(j))
}

// Retrieve implements [protocol.Keys].
func (r *Remote) Retrieve(ctx context.Context, j *protocol.Job, key, file string) error {
	k, err := r.key(key)
	if err != nil {
		return err
	}
	return r.store.Get(ctx, k, file, progress(j))
}

// progress tells git-annex how far a job is; one that it no longer waits for ends by its context.
func progress(j *protocol.Job) func(int64) { return func(done int64) { _ = j.Progress(done) } }

// Present implements [protocol.Keys].
func (r *Remote) Present(ctx context.Context, j *protocol.Job, key string) (bool, error) {
	k, err := r.key(key)
	if err != nil {
		return false, err
	}
	present, proven, err := r.store.Has(ctx, k)
	if proven > 0 {
		err = j.Debug("%d other machines proved that they have %s now, and promise to keep it", proven, key)
	}
	return present, err
}

// Remove implements [protocol.Keys].
func (r *Remote) Remove(ctx context.Context, _ *protocol.Job, key string) error {
	k, err := r.key(key)
	if err != nil {
		return err
	}
	return r.store.Remove(ctx, k)
}

// Claim implements [protocol.URLs]: a share has keys, and no URLs.
func (r *Remote) Claim(context.Context, *protocol.Job, string) (bool, error) { return false, nil }

// Costs of git-annex's scale.
const (
	costHere    = 110 // a folder of this machine
	costFetched = 200 // content that others have
)

// Cost implements [protocol.About].
func (r *Remote) Cost(ctx context.Context, _ *protocol.Job) (int, error) {
	if info, err := r.store.Share(ctx); err == nil && keepsAll(&info.Config) {
		return costHere, nil
	}
	return costFetched, nil
}

// Availability implements [protocol.About].
func (r *Remote) Availability(ctx context.Context, _ *protocol.Job) (protocol.Availability, error) {
	if err := r.store.Ready(ctx); err != nil {
		return protocol.Unavailable, nil
	}
	return protocol.Global, nil
}

// Ordered implements [protocol.About]: what is fetched from others comes as one new file.
func (r *Remote) Ordered(ctx context.Context, _ *protocol.Job) (bool, error) {
	info, err := r.store.Share(ctx)
	return err == nil && keepsAll(&info.Config), nil
}

// Whereis implements [protocol.About].
func (r *Remote) Whereis(ctx context.Context, _ *protocol.Job, key string) (string, error) {
	k, err := r.key(key)
	if err != nil {
		return "", err
	}
	where, _ := r.store.Where(ctx, k)
	return where, nil
}

// Info implements [protocol.About].
func (r *Remote) Info(ctx context.Context, _ *protocol.Job) ([]protocol.Field, error) {
	info, err := r.store.Share(ctx)
	if err != nil {
		return []protocol.Field{{Name: "share", Value: r.store.opts.Share}, {Name: "problem", Value: err.Error()}}, nil
	}
	fields := []protocol.Field{
		{Name: "share", Value: info.Name}, {Name: "share id", Value: info.ID}, {Name: "role", Value: info.Role},
		{Name: "folder", Value: info.Dir}, {Name: "state", Value: info.State},
	}
	if n := r.store.need(); n > 0 {
		fields = append(fields, protocol.Field{Name: "present when proven by", Value: fmt.Sprintf("%d other machines", n)})
	}
	if r.store.opts.Thin {
		fields = append(fields, protocol.Field{Name: "thin", Value: "content is shared out of the annex"})
	}
	if err := r.store.Ready(ctx); err != nil {
		fields = append(fields, protocol.Field{Name: "problem", Value: err.Error()})
	}
	return fields, nil
}
