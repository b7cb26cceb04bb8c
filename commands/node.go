package commands

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/pflag"

	"shoal/bt"
	"shoal/share/api"
)

// An access says what a command wants of the shares of this machine.
type access int

const (
	toRead  access = iota // what is known: neither lock nor network
	toWrite               // with the lock, and without network
	toMeet                // with the lock, and others
	toServe               // the same, for as long as the process lives: each share is kept in sync
)

// nodeOptions say how this process is to open the shares of this machine.
type nodeOptions struct {
	access   access
	network  bt.Config
	noLPD    bool
	noUPnP   bool
	trackers []string // of every share, besides its own
	hosts    []string // host:port, likewise
	http     string   // where to listen as a web server for torrents; "" = nowhere
	watch    []string // folders of .torrent and .magnet files
	dir      string   // where the data of those is; "" = beside each

	// password asks for the master password, when the secrets are locked; nil is as the flags and the terminal say.
	password func(context.Context) (string, error)

	wait time.Duration // for the lock that another process holds
}

// lockEvery is how often a lock is tried that another process holds.
const lockEvery = 200 * time.Millisecond

// briefly is how long each command waits for the lock: what only writes is done by then, and a node that has just been
// started answers.
const briefly = 2 * time.Second

// openLocal opens the shares of a state folder in this process. Busy when another holds the lock.
type openLocal func(ctx context.Context, home string, opts nodeOptions) (api.Node, io.Closer, error)

// shareNetworkOptions are the flags of commands on shares that meet others.
type shareNetworkOptions struct {
	networkOptions
	hosts []string
}

func (o *shareNetworkOptions) register(fs *pflag.FlagSet) {
	o.networkOptions.registerMeeting(fs)
	registerHosts(fs, &o.hosts)
}

func registerHosts(fs *pflag.FlagSet, hosts *[]string) {
	fs.StringArrayVar(hosts, "host", nil, "keep connecting to the node at `HOST:PORT`")
}

// shareAliases are other spellings of flags of commands on shares.
var shareAliases = map[string]string{"peer": "host", "bt-tracker": "tracker"}

// node is what the flags mean.
func (o *shareNetworkOptions) node(g *globals, a access) (opts nodeOptions, err error) {
	if err := o.check(); err != nil {
		return opts, err
	}
	if err := checkHosts(o.hosts, o.trackers); err != nil {
		return opts, err
	}
	opts = nodeOptions{access: a, trackers: o.trackers, hosts: o.hosts, noLPD: o.noLPD(), noUPnP: o.noUPnP()}
	opts.network, err = o.config(g)
	return opts, err
}

// checkHosts checks addresses at which a share looks for others.
func checkHosts(hosts, trackers []string) error {
	for _, h := range hosts {
		if _, err := bt.SanitizePeer(h); err != nil {
			return usageErrorf("--host: %w", err)
		}
	}
	for _, t := range trackers {
		if _, err := bt.SanitizeTracker(t); err != nil {
			return usageErrorf("--tracker: %w", err)
		}
	}
	return nil
}

// A shareNode is who answers for the shares of this machine: one that runs, or this process.
type shareNode struct {
	api.Node
	running bool
	closer  io.Closer // nil when it runs elsewhere
}

// Close gives the shares back.
func (n *shareNode) Close() error {
	if n.closer == nil {
		return nil
	}
	return n.closer.Close()
}

// stateHome is the state folder.
func (g *globals) stateHome() (string, error) {
	if home := g.stateDir(); home != "" {
		return home, nil
	}
	return "", withHint(usageErrorf("there is no place to keep state"), "name one with --home, or set HOME")
}

// openShares asks the node that runs, else opens the shares in this process.
func (g *globals) openShares(ctx context.Context, opts nodeOptions) (*shareNode, error) {
	home, err := g.stateHome()
	if err != nil {
		return nil, err
	}
	if opts.password == nil {
		opts.password = g.unlocking
	}
	for until := time.Now().Add(max(opts.wait, briefly)); ; {
		client, err := api.Dial(ctx, home)
		if err == nil {
			return &shareNode{Node: client, running: true}, nil
		}
		if !errors.Is(err, api.ErrNoNode) {
			return nil, err
		}
		local, closer, err := g.openLocal(ctx, home, opts)
		if err == nil {
			return &shareNode{Node: local, closer: closer}, nil
		}
		if bt.CodeOf(err) != bt.Busy {
			return nil, err
		}
		// Perhaps a node has just been started; or another one-shot will be done soon.
		if client, dialErr := api.Dial(ctx, home); dialErr == nil {
			return &shareNode{Node: client, running: true}, nil
		}
		if time.Now().After(until) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockEvery):
		}
	}
}

// withShares runs f on the shares of this machine, and gives them back.
func (g *globals) withShares(ctx context.Context, opts nodeOptions, f func(n *shareNode) error) error {
	n, err := g.openShares(ctx, opts)
	if err != nil {
		return err
	}
	err = f(n)
	if closeErr := n.Close(); err == nil {
		err = closeErr
	}
	return err
}
