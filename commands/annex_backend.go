package commands

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"shoal/annex/backend"
)

// newAnnexBackendCmd is what runs under the names git-annex-backend-XBTV2 and git-annex-backend-XSHOAL.
func newAnnexBackendCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "backend NAME",
		Short:   "Be an external backend of git-annex",
		Hidden:  true,
		Example: "  git annex fsck --backend XBTV2",
		Args:    exactArgs(1, "one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnnexBackend(cmd.Context(), g, args[0])
		},
	}
}

func runAnnexBackend(ctx context.Context, g *globals, name string) error {
	for _, b := range backend.All {
		if b.Name != name {
			continue
		}
		err := b.Serve(ctx, g.in, g.output().Bytes())
		var stop Interrupted
		if errors.As(err, &stop) {
			return shownStatus(stop.Status()) // git-annex has the same signal, and says so
		}
		return err
	}
	return usageErrorf("there is no backend %s", name)
}
