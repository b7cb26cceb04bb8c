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

// linkOptions are the flags of share link.
type linkOptions struct{ pin, withLinks bool }

// A linkDoc is the result of share link.
type linkDoc struct {
	*api.LinkInfo
	Code bt.Code `json:"code"`
}

func newShareLinkCmd(g *globals) *cobra.Command {
	var opts linkOptions
	cmd := &cobra.Command{
		Use:   "link [flags] SOURCE[:PATH] TARGET:PATH",
		Short: "Show a part of one share inside another",
		Long: "Show a file, a folder or all of one share inside another. Who can read TARGET sees that part of SOURCE and nothing\n" +
			"beside it, and fetches it from the nodes of both; nothing is stored twice. A live link follows SOURCE, and is\n" +
			"read-only; to make one takes the admin secret of SOURCE. With --pin, TARGET gets the files as they are now, as its\n" +
			"own. A live link of a single file is a folder with that file in it.",
		Example: "  shoal share link photos:2019/christmas family:incoming/christmas\n  shoal share link --pin photos:cat.jpg family:cat.jpg",
		Args:    exactArgs(2, "SOURCE[:PATH] and TARGET:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := parsePlace(args[0])
			if err != nil {
				return err
			}
			to, err := parsePath(args[1])
			if err != nil {
				return err
			}
			if to.path == "" {
				return usageErrorf("%q is all of a share: a link needs a path in it", args[1])
			}
			return runShareLink(cmd.Context(), g, from, to, opts)
		},
	}
	cmd.Flags().BoolVar(&opts.pin, "pin", false, "give TARGET the files as they are now")
	cmd.Flags().BoolVar(&opts.withLinks, "with-links", false, "pass on the links that are in what is linked")
	return cmd
}

func runShareLink(ctx context.Context, g *globals, from, to place, opts linkOptions) error {
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		info, err := n.Link(ctx, api.LinkOptions{Source: from.share, SourcePath: from.path, Target: to.share, TargetPath: to.path,
			Pin: opts.pin, Nested: opts.withLinks})
		if err != nil {
			return err
		}
		info.Links = orEmpty(info.Links)
		return g.output().Result(linkDoc{info, bt.OK}, func(w io.Writer) error { return writeLink(w, info) })
	})
}

func writeLink(w io.Writer, i *api.LinkInfo) error {
	said := "linked"
	if i.Pin {
		said = "pinned"
	}
	_, err := fmt.Fprintln(w, ui.Quote(fmt.Sprintf("%s %s:%s at %s:%s: %s, %s", said, i.Source, i.SourcePath, i.Target, i.TargetPath,
		ui.Count(int(i.Files), "file"), ui.Size(i.Bytes))))
	for _, p := range i.Links {
		if err == nil {
			_, err = fmt.Fprintln(w, ui.Quote("passed on: the link at "+i.Source+":"+p))
		}
	}
	return err
}

func newShareUnlinkCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "unlink TARGET:PATH",
		Short: "Remove a live link; its source stays",
		Long: "Remove a live link. On all machines that have it, the files that it showed go to the archive of TARGET; the\n" +
			"source stays as it is.",
		Example: "  shoal share unlink family:incoming/christmas",
		Args:    exactArgs(1, "TARGET:PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := parsePath(args[0])
			if err != nil {
				return err
			}
			return g.withShares(cmd.Context(), nodeOptions{access: toWrite}, func(n *shareNode) error {
				if err := n.Unlink(cmd.Context(), at.share, at.path); err != nil {
					return err
				}
				return shareDoc{Share: at.share, Path: at.path}.show(g, "%s:%s is no link any more", at.share, at.path)
			})
		},
	}
}
