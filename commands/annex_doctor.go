package commands

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"shoal/annex"
	"shoal/bt"
	"shoal/commands/internal/ui"
)

// A doctorDoc is the result of annex doctor.
type doctorDoc struct {
	Checks []annex.Check `json:"checks"`
}

func newAnnexDoctorCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what keeps git-annex from using shoal",
		Long: "Say what is wrong with PATH, versions, and the repository that the current folder is in. The status is 1 when\n" +
			"something is.",
		Example: "  shoal annex doctor",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAnnexDoctor(cmd.Context(), g)
		},
	}
}

func runAnnexDoctor(ctx context.Context, g *globals) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := currentDir()
	if err != nil {
		return err
	}
	doc := doctorDoc{annex.Diagnose(ctx, program, dir)}
	if err := g.output().Result(doc, func(w io.Writer) error { return writeChecks(w, doc.Checks) }); err != nil {
		return err
	}
	for _, c := range doc.Checks {
		if !c.OK {
			why := &bt.Error{Code: bt.Failed, Err: errors.New(c.Name + ": " + c.Message), Advice: c.Hint}
			g.output().Error(why.Error(), why.Hint())
			return shownStatus(exitCode(ctx, why))
		}
	}
	return nil
}

// writeChecks writes a line for each check.
func writeChecks(w io.Writer, checks []annex.Check) error {
	var rows [][]string
	for _, c := range checks {
		mark := "ok"
		if !c.OK {
			mark = "wrong"
		}
		rows = append(rows, []string{mark, c.Name, c.Message})
	}
	return ui.Table(w, rows)
}
