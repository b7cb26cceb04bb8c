package commands

import (
	"context"

	"github.com/spf13/cobra"

	"shoal/commands/internal/ui"
)

func newSharePauseCmd(g *globals) *cobra.Command {
	return oneShare("pause", "Stop keeping a share in sync, until it is resumed",
		"Stop keeping a share in sync, until \"shoal share resume\". That lasts over restarts.",
		func(ctx context.Context, name string) error { return pauseShare(ctx, g, name, true) })
}

func newShareResumeCmd(g *globals) *cobra.Command {
	return oneShare("resume", "Keep a share in sync again",
		"Keep a share in sync again that was paused.",
		func(ctx context.Context, name string) error { return pauseShare(ctx, g, name, false) })
}

func pauseShare(ctx context.Context, g *globals, name string, paused bool) error {
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		if err := n.Pause(ctx, name, paused); err != nil {
			return err
		}
		said := "%s goes on"
		if paused {
			said = "%s is paused"
		}
		return shareDoc{Share: name}.show(g, said, name)
	})
}

func newShareAcceptCmd(g *globals) *cobra.Command {
	return oneShare("accept", "Apply what the guard against mass changes holds back",
		"Apply what the guard against mass changes holds back here: files that others removed or replaced go to the archive.\n"+
			"Where an admin waits for others to say what is in the share, and nobody is left who could: begin anew with what is in\n"+
			"the folder.",
		func(ctx context.Context, name string) error {
			return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
				count, err := n.Accept(ctx, name)
				if err != nil {
					return err
				}
				return shareDoc{Share: name, Count: &count}.show(g, "%s: accepted %s", name, ui.Count(count, "held change"))
			})
		})
}

func newShareRejectCmd(g *globals) *cobra.Command {
	return oneShare("reject", "Put back everywhere what the guard against mass changes holds back",
		"Put the files back, on all machines, that others removed or replaced and that the guard against mass changes still\n"+
			"has here. Only writers can.",
		func(ctx context.Context, name string) error {
			return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
				count, err := n.Reject(ctx, name)
				if err != nil {
					return err
				}
				return shareDoc{Share: name, Count: &count}.show(g, "%s: put back %s", name, ui.Count(count, "held change"))
			})
		})
}
