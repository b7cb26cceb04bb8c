package commands

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

func newShareCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "share COMMAND",
		Short: "Keep folders the same on several machines, encrypted",
		Long: "Keep folders the same on several machines, over LAN or internet, without a server, and through machines that\n" +
			"cannot read what they store. A share is named on each machine as its user likes; NAME:PATH is a file or folder\n" +
			"in it. Commands ask the node that runs (\"shoal serve\"), and do without where they can.",
		Example: "  shoal share create photos ~/Photos && shoal share token photos > photos.token\n" +
			"  shoal share add photos.token ~/Photos && shoal serve\n" +
			"  shoal share sync --for 10m",
		Args: cobra.ArbitraryArgs,
		RunE: needsSub("share"),
	}
	cmd.AddCommand(
		newShareAcceptCmd(g),
		newShareAddCmd(g),
		newShareAdmitCmd(g),
		newShareCheckCmd(g),
		newShareCompactCmd(g),
		newShareConflictsCmd(g),
		newShareCreateCmd(g),
		newShareDropCmd(g),
		newShareGetCmd(g),
		newShareHistoryCmd(g),
		newShareInviteCmd(g),
		newShareLinkCmd(g),
		newShareListCmd(g),
		newShareLsCmd(g),
		newShareMembersCmd(g),
		newSharePauseCmd(g),
		newSharePeersCmd(g),
		newShareRejectCmd(g),
		newShareRekeyCmd(g),
		newShareResolveCmd(g),
		newShareRestoreCmd(g),
		newShareResumeCmd(g),
		newShareRevertCmd(g),
		newShareRmCmd(g),
		newShareStatusCmd(g),
		newShareSyncCmd(g),
		newShareTokenCmd(g),
		newShareUnlinkCmd(g),
	)
	return cmd
}

// A place is a path in a share.
type place struct{ share, path string }

// parsePlace reads NAME:PATH, or NAME for all of a share.
func parsePlace(arg string) (p place, err error) {
	p.share, p.path, _ = strings.Cut(arg, ":")
	if err := checkShareName(p.share); err != nil {
		return place{}, err
	}
	for name := range strings.SplitSeq(p.path, "/") {
		if name == ".." {
			return place{}, usageErrorf("%q leads out of the share", arg)
		}
	}
	if p.path = strings.TrimPrefix(path.Clean("/"+p.path), "/"); strings.ContainsRune(p.path, 0) {
		return place{}, usageErrorf("%q is no path", arg)
	}
	return p, nil
}

// parsePath reads NAME:PATH; what is all of the share is to be said by the colon.
func parsePath(arg string) (place, error) {
	if !strings.Contains(arg, ":") {
		return place{}, withHint(usageErrorf("%q is not NAME:PATH", arg), "%q is all of a share", arg+":")
	}
	return parsePlace(arg)
}

// checkShareName checks what is to be the name of a share.
func checkShareName(name string) error {
	if name != "" && api.CheckName(name) == nil {
		return nil
	}
	return usageErrorf("%q is not the name of a share", name)
}

// A listDoc is the result of what lists things.
type listDoc[T any] struct {
	Results []T `json:"results"`
}

// showList shows a list as JSON, or as what text writes; empty is said of a list of nothing.
func showList[T any](g *globals, items []T, empty string, text func(w io.Writer) error) error {
	if items == nil {
		items = []T{}
	}
	if len(items) == 0 && !g.json {
		g.output().Note("%s", empty)
	}
	return g.output().Result(listDoc[T]{items}, text)
}

// listFrom shows what get lists of a node that is only looked at, as JSON, or as what write writes of it.
func listFrom[T any](ctx context.Context, g *globals, empty string, get func(n *shareNode) ([]T, error), write func(w io.Writer, items []T) error) error {
	return g.withShares(ctx, nodeOptions{access: toRead}, func(n *shareNode) error {
		items, err := get(n)
		if err != nil {
			return err
		}
		return showList(g, items, empty, func(w io.Writer) error { return write(w, items) })
	})
}

// A shareDoc is the result of a command that changes something about one share.
type shareDoc struct {
	Share string  `json:"share"`
	Path  string  `json:"path,omitempty"`
	Node  string  `json:"node,omitempty"`
	Count *int    `json:"count,omitempty"`
	Code  bt.Code `json:"code"`
}

// show shows it as JSON, or as a sentence.
func (d shareDoc) show(g *globals, format string, args ...any) error {
	d.Code = bt.OK
	return g.output().Result(d, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, ui.Quote(fmt.Sprintf(format, args...)))
		return err
	})
}

// oneShare is a command without flags about one share.
func oneShare(use, short, long string, run func(ctx context.Context, name string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " NAME", Short: short, Long: long, Example: "  shoal share " + use + " photos",
		Args: exactArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkShareName(args[0]); err != nil {
				return err
			}
			return run(cmd.Context(), args[0])
		},
	}
}
