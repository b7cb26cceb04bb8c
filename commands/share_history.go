package commands

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shoal/share/api"
)

func newShareHistoryCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "history NAME[:PATH]",
		Short: "List earlier versions of files",
		Long: "List the versions of a file, or of all files in a folder or share, that are on this machine, in its archive, or\n" +
			"known to be with others.",
		Example: "  shoal share history notes:todo.txt",
		Args:    exactArgs(1, "NAME or NAME:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parsePlace(args[0])
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return listFrom(ctx, g, "there are no versions", func(n *shareNode) ([]api.Version, error) { return n.History(ctx, at.share, at.path) },
				func(w io.Writer, versions []api.Version) error { return writeVersions(w, versions, "") })
		},
	}
}

// restoreOptions are the flags of share restore.
type restoreOptions struct {
	shareNetworkOptions
	at string
}

func newShareRestoreCmd(g *globals) *cobra.Command {
	var opts restoreOptions
	cmd := &cobra.Command{
		Use:   "restore --at {TIME|VERSION} [flags] NAME:PATH",
		Short: "Bring back an earlier version of files",
		Long: "Bring back a file, or all of a folder, as it was at TIME (2026-07-01, \"2026-07-01 15:04\", or RFC 3339), or one\n" +
			"VERSION of a file, as \"shoal share history\" names it. What is there now goes to the archive.",
		Example: "  shoal share restore notes:todo.txt --at 2026-07-01\n  shoal share restore photos: --at '2026-07-01 15:04'",
		Args:    exactArgs(1, "NAME:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parsePath(args[0]); err != nil {
				return err
			}
			return runShareRestore(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd.Flags())
	accept(cmd, shareAliases, networkAliases)
	cmd.Flags().StringVar(&opts.at, "at", "", "which version: `TIME|VERSION`")
	return cmd
}

func runShareRestore(ctx context.Context, g *globals, args []string, opts restoreOptions) error {
	at, err := parseAt(opts.at, time.Local)
	if err != nil {
		return err
	}
	local, err := opts.node(g, toMeet)
	if err != nil {
		return err
	}
	return g.withShares(ctx, local, func(n *shareNode) error {
		return g.eachPlace(ctx, args, false, "restored", func(ctx context.Context, p place) ([]api.FileInfo, error) {
			return n.Restore(ctx, p.share, p.path, at)
		})
	})
}

// parseAt reads a time, which it returns as RFC 3339 in UTC, or a version, which it returns as it is.
func parseAt(s string, zone *time.Location) (string, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') && r != '-' {
			s = ""
			break
		}
	}
	if len(s) < 8 {
		return "", withHint(usageErrorf("--at wants a time such as \"2026-07-01 15:04\", or a version"), "\"shoal share history\" lists versions")
	}
	return s, nil
}

func newShareRevertCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "revert NAME[:PATH]",
		Short: "Undo changes here that a reader cannot share",
		Long: "Put the files of the share back where this machine, which may only read it, has changed them. Its own versions\n" +
			"go to the archive.",
		Example: "  shoal share revert films\n  shoal share revert films:2026/one.mkv",
		Args:    exactArgs(1, "NAME or NAME:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parsePlace(args[0]); err != nil {
				return err
			}
			ctx := cmd.Context()
			return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
				return g.eachPlace(ctx, args, false, "reverted", func(ctx context.Context, p place) ([]api.FileInfo, error) {
					return n.Revert(ctx, p.share, p.path)
				})
			})
		},
	}
}
