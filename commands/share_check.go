package commands

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// checkOptions are the flags of share check.
type checkOptions struct {
	shareNetworkOptions
	repair bool
}

// A shareCheckDoc is the result of share check.
type shareCheckDoc struct {
	Share string `json:"share"`
	*api.CheckResult
	failure
}

func newShareCheckCmd(g *globals) *cobra.Command {
	var opts checkOptions
	cmd := &cobra.Command{
		Use:   "check [flags] NAME",
		Short: "Check that a share is what it should be on this machine",
		Long: "Hash the files of a share again, and check all that must always hold. With --repair, what can be mended is:\n" +
			"what is damaged is fetched from others.",
		Example: "  shoal share check photos\n  shoal share check --repair photos",
		Args:    exactArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareCheck(cmd.Context(), g, args[0], opts)
		},
	}
	opts.register(cmd.Flags())
	accept(cmd, shareAliases, networkAliases)
	cmd.Flags().BoolVar(&opts.repair, "repair", false, "mend what can be mended")
	return cmd
}

func runShareCheck(ctx context.Context, g *globals, name string, opts checkOptions) error {
	if err := checkShareName(name); err != nil {
		return err
	}
	access := toWrite
	if opts.repair {
		access = toMeet
	}
	local, err := opts.node(g, access)
	if err != nil {
		return err
	}
	return g.withShares(ctx, local, func(n *shareNode) error {
		ctx, done := showProgress(ctx, g)
		res, err := n.Check(ctx, name, opts.repair)
		done()
		if err != nil {
			return err
		}
		res.Problems = orEmpty(res.Problems)
		var verdict error
		if left := len(res.Problems) - int(res.Repaired); left > 0 {
			verdict = withHint(&bt.Error{Code: bt.Damaged, Err: fmt.Errorf("%s: %s", name, ui.Count(left, "problem"))}, "--repair mends what can be mended")
		}
		f, status := g.tell(ctx, name, false, verdict)
		err = g.output().Result(shareCheckDoc{name, res, f}, func(w io.Writer) error { return writeCheck(w, res) })
		if err != nil {
			return err
		}
		return shownStatus(status)
	})
}

func writeCheck(w io.Writer, res *api.CheckResult) error {
	for _, p := range res.Problems {
		if _, err := fmt.Fprintln(w, ui.Quote(p.Path+": "+p.Why)); err != nil {
			return err
		}
	}
	said := fmt.Sprintf("checked %s, %s: %s", ui.Count(int(res.Checked), "file"), ui.Size(res.Bytes), ui.Count(len(res.Problems), "problem"))
	if res.Repaired > 0 {
		said += fmt.Sprintf(", %d repaired", res.Repaired)
	}
	_, err := fmt.Fprintln(w, said)
	return err
}
