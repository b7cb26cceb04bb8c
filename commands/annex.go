package commands

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"shoal/annex"
	"shoal/annex/protocol"
	"shoal/bt"
)

func newAnnexCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "annex COMMAND",
		Short: "Let git-annex download torrents",
		Long: "Let git-annex download torrents. \"install\" makes shoal an external special remote, which \"git annex initremote\"\n" +
			"sets up in a repository; then \"git annex addurl\" and \"get\" take torrents. docs/git-annex.md shows it.",
		Example: "  shoal annex install ~/.local/bin\n" +
			"  git annex initremote torrents type=external externaltype=shoal encryption=none\n" +
			"  shoal annex add debian.torrent",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return withHint(usageErrorf("unknown command \"annex %s\"", args[0]), "\"shoal annex --help\" lists the commands")
		},
	}
	cmd.AddCommand(
		newAnnexAddCmd(g),
		newAnnexAria2Cmd(g),
		newAnnexBackendCmd(g),
		newAnnexDoctorCmd(g),
		newAnnexInstallCmd(g),
		newAnnexP2PCmd(g),
		newAnnexRegisterCmd(g),
		newAnnexRemoteCmd(g),
		newAnnexSeedCmd(g),
	)
	return cmd
}

// newAnnexRemoteCmd is what runs under the name git-annex-remote-shoal. Its flags can only be set by the environment and
// the configuration, as git-annex gives none.
func newAnnexRemoteCmd(g *globals) *cobra.Command {
	var network networkOptions
	var hosts []string
	cmd := &cobra.Command{
		Use:     "remote",
		Short:   "Be git-annex's external special remote",
		Hidden:  true,
		Example: "  git annex initremote torrents type=external externaltype=shoal encryption=none",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAnnexRemote(cmd.Context(), g, network, hosts)
		},
	}
	network.register(cmd.Flags())
	registerHosts(cmd.Flags(), &hosts)
	return cmd
}

func runAnnexRemote(ctx context.Context, g *globals, network networkOptions, hosts []string) error {
	dir, err := currentDir()
	if err != nil {
		return err
	}
	if err := network.check(); err != nil {
		return err
	}
	if _, err := network.sources(nil); err != nil {
		return err
	}
	remote := annex.New(annex.Options{
		Peers: network.peers, Trackers: network.trackers,
		NewClient: func(ctx context.Context, local bool) (*bt.Client, error) {
			cfg, err := network.config(g)
			if err != nil {
				return nil, err
			}
			cfg.NoLocal = !local && !cfg.LANOnly
			return bt.NewClient(ctx, cfg)
		},
		Share: shareRemote(g, network, hosts),
	})
	err = protocol.Serve(ctx, remote, protocol.Options{In: g.in, Out: g.output().Bytes(), Dir: dir})
	var stop Interrupted
	if errors.As(err, &stop) {
		return shownStatus(stop.Status()) // git-annex is told by the same signal, and says so
	}
	return err
}
