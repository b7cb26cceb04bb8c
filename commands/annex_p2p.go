package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"shoal/annex"
	"shoal/annex/p2p"
	"shoal/bt"
	"shoal/share/wire"
)

// newAnnexP2PCmd is what runs under the name git-annex-p2p-shoal, in three forms. Its flags can only be set by the
// environment and the configuration, as git-annex gives none.
func newAnnexP2PCmd(g *globals) *cobra.Command {
	var network networkOptions
	var hosts []string
	cmd := &cobra.Command{
		Use:     "p2p {address | ADDRESS [SOCKET]}",
		Short:   "Carry git-annex's connections between two machines",
		Hidden:  true,
		Example: "  git annex p2p --enable shoal",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := p2pOptions(g, network, hosts, len(args) == 2)
			if err != nil {
				return err
			}
			err = runAnnexP2P(cmd.Context(), g, args, opts)
			var stop Interrupted
			if errors.As(err, &stop) {
				return shownStatus(stop.Status()) // so that remotedaemon ends it
			}
			return err
		},
	}
	network.register(cmd.Flags())
	registerHosts(cmd.Flags(), &hosts)
	return cmd
}

// p2pOptions are those of a session of its own. Only who listens has a port that was asked for: who connects may run
// beside it, many times.
func p2pOptions(g *globals, network networkOptions, hosts []string, listens bool) (p2p.Options, error) {
	opts := p2p.Options{Hosts: hosts, Trackers: network.trackers}
	if err := network.check(); err != nil {
		return opts, err
	}
	if _, err := network.sources(nil); err != nil {
		return opts, err
	}
	opts.NewClient = func(ctx context.Context) (*bt.Client, error) {
		cfg, err := network.config(g)
		if err != nil {
			return nil, err
		}
		cfg.Encryption, cfg.NoName = bt.EncryptionRequire, true
		if !listens {
			cfg.Port = 0
		}
		return bt.NewClient(ctx, cfg)
	}
	return opts, nil
}

func runAnnexP2P(ctx context.Context, g *globals, args []string, opts p2p.Options) error {
	if len(args) == 1 && args[0] != "address" {
		a, err := wire.ParseTunnelAddress(args[0])
		if err != nil {
			return usageErrorf("%s: %w", args[0], err)
		}
		return p2p.Connect(ctx, a, g.in, g.output().Bytes(), opts)
	}
	dir, err := currentDir()
	if err != nil {
		return err
	}
	r, err := annex.OpenRepository(ctx, dir)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		key, err := p2p.MakeKey(r.GitDir)
		if err != nil {
			return err
		}
		a, err := key.Address()
		if err == nil {
			_, err = fmt.Fprintln(g.output().Bytes(), a)
		}
		return err
	}
	key, err := p2p.LoadKey(r.GitDir)
	if err != nil {
		return err
	}
	if a, err := key.Address(); err != nil || a.String() != args[0] {
		return errors.Join(usageErrorf("%s is not the address of this repository", args[0]), err)
	}
	return p2p.Listen(ctx, key, args[1], opts)
}
