package commands

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// A conflictItem is a conflict in a share.
type conflictItem struct {
	Share string `json:"share"`
	api.Conflict
}

func newShareConflictsCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "conflicts [NAME]",
		Short: "List files of which there are several versions",
		Long: "List the paths of a share, or of all, that were changed on two machines before they met. The first version has\n" +
			"the name, each other lies beside it as NAME.conflict-….",
		Example: "  shoal share conflicts\n  shoal share conflicts photos",
		Args:    atMostArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareConflicts(cmd.Context(), g, args)
		},
	}
}

func runShareConflicts(ctx context.Context, g *globals, names []string) error {
	return listFrom(ctx, g, "there are no conflicts", func(n *shareNode) (all []conflictItem, err error) {
		err = eachNamed(ctx, n, names, func(name string) error {
			conflicts, err := n.Conflicts(ctx, name)
			for _, c := range conflicts {
				c.Versions = orEmpty(c.Versions)
				all = append(all, conflictItem{name, c})
			}
			return err
		})
		return all, err
	}, writeConflicts)
}

func writeConflicts(w io.Writer, all []conflictItem) error {
	for _, c := range all {
		if _, err := fmt.Fprintln(w, ui.Quote(c.Share+":"+c.Path)); err != nil {
			return err
		}
		if err := writeVersions(w, c.Versions, "  "); err != nil {
			return err
		}
	}
	return nil
}

// writeVersions writes a line for each version, indented.
func writeVersions(w io.Writer, versions []api.Version, indent string) error {
	var rows [][]string
	for _, v := range versions {
		who := "theirs"
		if v.Ours {
			who = "ours"
		}
		rows = append(rows, []string{indent + strconv.Itoa(v.N), "\t" + ui.Size(v.Size), localTime(v.MTime), who, v.Where, v.ID, v.Path})
	}
	return ui.Table(w, rows)
}

// resolveOptions are the flags of share resolve.
type resolveOptions struct{ keep string }

func newShareResolveCmd(g *globals) *cobra.Command {
	var opts resolveOptions
	cmd := &cobra.Command{
		Use:   "resolve --keep {ours|theirs|N} NAME:PATH",
		Short: "Keep one version of a file in conflict",
		Long: "Keep one version of a file of which there are several, under its name: the newest of this machine (ours), the\n" +
			"newest of another (theirs), or that with the number N in \"shoal share conflicts\". The others go to the archive.",
		Example: "  shoal share resolve photos:cat.jpg --keep theirs",
		Args:    exactArgs(1, "NAME:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parsePath(args[0])
			if err != nil {
				return err
			}
			if err := opts.check(); err != nil {
				return err
			}
			return runShareResolve(cmd.Context(), g, at, opts)
		},
	}
	cmd.Flags().StringVar(&opts.keep, "keep", "", "keep `ours|theirs|N`")
	return cmd
}

func (o *resolveOptions) check() error {
	n, err := strconv.Atoi(o.keep)
	if o.keep != "ours" && o.keep != "theirs" && (err != nil || n < 1) {
		return usageErrorf("--keep %q: want ours, theirs, or the number of a version", o.keep)
	}
	return nil
}

func runShareResolve(ctx context.Context, g *globals, at place, opts resolveOptions) error {
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		if err := n.Resolve(ctx, at.share, at.path, opts.keep); err != nil {
			return err
		}
		return shareDoc{Share: at.share, Path: at.path}.show(g, "%s:%s is resolved", at.share, at.path)
	})
}
