package commands

import (
	"context"
	"io"
	"time"

	"shoal/annex/keystore"
	"shoal/share/api"
)

// annexWait is how long a special remote waits for the lock: another of the same repository may be fetching.
const annexWait = 10 * time.Minute

// shareRemote is the special remote that keeps keys in a share of this machine.
func shareRemote(g *globals, network networkOptions, hosts []string) *keystore.Remote {
	return &keystore.Remote{Open: func(ctx context.Context, a keystore.Access) (api.Shares, io.Closer, error) {
		opts := nodeOptions{access: toRead, wait: annexWait}
		switch a {
		case keystore.Make:
			opts.access = toWrite
		case keystore.Meet:
			var err error
			if opts, err = (&shareNetworkOptions{network, hosts}).node(g, toMeet); err != nil {
				return nil, nil, err
			}
			opts.wait = annexWait
		}
		n, err := g.openShares(ctx, opts)
		if err != nil {
			return nil, nil, err
		}
		return n, n, nil
	}}
}
