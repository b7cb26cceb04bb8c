package commands

import (
	"context"

	"github.com/spf13/cobra"

	"shoal/annex"
	"shoal/bt"
)

func newAnnexRegisterCmd(g *globals) *cobra.Command {
	var opts annexOptions
	cmd := &cobra.Command{
		Use:   "register [flags] SOURCE",
		Short: "Attach a torrent to files that are in the annex already",
		Long: "Attach a torrent to the files of the git-annex repository that have its content, whatever their names are. Sizes and\n" +
			"pieces are compared, and nothing is downloaded. From then on that content can be dropped, and got again from the\n" +
			"torrent.",
		Example:           "  shoal annex register debian.torrent",
		Args:              exactArgs(1, "one SOURCE"),
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnnexRegister(cmd.Context(), g, args[0], opts)
		},
	}
	opts.register(cmd.Flags())
	return cmd
}

func runAnnexRegister(ctx context.Context, g *globals, source string, opts annexOptions) error {
	return withAnnex(ctx, g, source, opts, func(r *annex.Repository, src *bt.Source, m *bt.Metainfo) ([]annex.Added, error) {
		display := g.output().NewDisplay()
		defer display.Close()
		return r.Register(ctx, annex.RegisterOptions{Source: src, Torrent: m, Remote: opts.remote,
			Progress: func(p bt.Progress) { display.Update(source, p) }})
	})
}
