package commands

import (
	"context"
	"errors"
	"io"

	"shoal/share/api"
	"shoal/share/node"
)

// openNode is the openLocal of the program.
func openNode(ctx context.Context, home string, opts nodeOptions) (api.Node, io.Closer, error) {
	o := node.Options{Home: home, Watch: opts.access == toServe, Logger: opts.network.Logger, Hosts: opts.hosts, Trackers: opts.trackers}
	if opts.access == toRead {
		n, err := node.OpenToRead(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return n, n, nil
	}
	if opts.access == toMeet || opts.access == toServe {
		net, err := node.OpenNet(ctx, opts.network)
		if err != nil {
			return nil, nil, err
		}
		o.Net = net
	}
	n, err := node.Open(ctx, o)
	if err != nil {
		if o.Net != nil {
			err = errors.Join(err, o.Net.Close())
		}
		return nil, nil, err
	}
	if opts.access == toServe {
		n.Start()
	}
	return n, n, nil
}
