package commands

import (
	"context"
	"errors"
	"io"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/node"
)

// openNode is the openLocal of the program.
func openNode(ctx context.Context, home string, opts nodeOptions) (api.Node, io.Closer, error) {
	o := node.Options{Home: home, Watch: opts.access == toServe, Logger: opts.network.Logger, Hosts: opts.hosts, Trackers: opts.trackers, Password: opts.password}
	if opts.access == toRead {
		n, err := node.OpenToRead(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return n, n, nil
	}
	if opts.access == toMeet || opts.access == toServe {
		cfg := opts.network
		cfg.TryLPD = !opts.noLPD   // two machines in a room find each other without a flag
		cfg.TryUPnP = !opts.noUPnP // nor does the router need one
		net, err := node.OpenNet(ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		o.Net = net
	}
	if opts.access == toServe {
		var err error
		if o.Torrents, err = torrentsOf(ctx, opts); err != nil {
			return nil, nil, errors.Join(err, o.Net.Close())
		}
	}
	n, err := node.Open(ctx, o)
	if err != nil {
		if o.Net != nil {
			err = errors.Join(err, o.Net.Close())
		}
		if o.Torrents.Client != nil {
			err = errors.Join(err, o.Torrents.Client.Close())
		}
		return nil, nil, err
	}
	if opts.access == toServe {
		n.Start()
		n.RestWhenIdle()
	}
	return n, n, nil
}

// torrentsOf gives the torrents of a node a session of their own: with the flags as they are, on the port after that of
// shares.
func torrentsOf(ctx context.Context, opts nodeOptions) (t node.TorrentOptions, err error) {
	cfg := opts.network
	if cfg.Port > 0 {
		cfg.Port = (cfg.Port + 1) % 65536 // 0 is any
	}
	for _, dir := range opts.watch {
		if dir, err = absolute(dir); err != nil {
			return t, err
		}
		t.Watch = append(t.Watch, dir)
	}
	if opts.dir != "" {
		if t.Dir, err = absolute(opts.dir); err != nil {
			return t, err
		}
	}
	t.HTTP = opts.http
	t.Client, err = bt.NewClient(ctx, cfg)
	return t, err
}
