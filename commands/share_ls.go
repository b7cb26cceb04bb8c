package commands

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"shoal/commands/internal/ui"
	"shoal/share/api"
)

func newShareLsCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "ls NAME[:PATH]",
		Short: "List what is in a share, also what is not here",
		Long: "List the files, folders and symbolic links in a share, also those that are not on this machine: size, whether it\n" +
			"is here, time of modification, path.",
		Example: "  shoal share ls photos\n  shoal share ls photos:2026/july",
		Args:    exactArgs(1, "NAME or NAME:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parsePlace(args[0])
			if err != nil {
				return err
			}
			return runShareLs(cmd.Context(), g, at)
		},
	}
}

func runShareLs(ctx context.Context, g *globals, at place) error {
	return listFrom(ctx, g, "there is nothing in it", func(n *shareNode) ([]api.FileInfo, error) {
		files, err := n.Ls(ctx, at.share, at.path)
		if err == nil && !n.running {
			g.output().Note("no node runs: this is what was known last")
		}
		return files, err
	}, writeListing)
}

// writeListing writes a line for each path.
func writeListing(w io.Writer, files []api.FileInfo) error {
	var rows [][]string
	for _, f := range files {
		size, here, name := "\t-", "-", f.Path
		if f.Present {
			here = "here"
		}
		switch f.Type {
		case "file":
			size = "\t" + ui.Size(f.Size)
		case "dir":
			name += "/"
		case "symlink":
			name += " -> " + f.Target
		case "link":
			name += "/ (a link)"
		}
		if f.Local {
			name += " (changed here only)"
		}
		if f.Natural != "" {
			name += " (conflict with " + f.Natural + ")"
		}
		rows = append(rows, []string{size, here, localTime(f.MTime), name})
	}
	return ui.Table(w, rows)
}
