package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/node"
)

// A demoDoc is the result of demo.
type demoDoc struct {
	*bt.DemoResult
	Share *node.DemoResult `json:"share"`
}

func newDemoCmd(g *globals) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:               "demo [flags]",
		Short:             "Show a torrent and a share between two ends on this machine",
		Long:              "Create a torrent, seed it with one engine, download it with another and verify what came. Then make a share of a\nfolder, join it with another node, and write there, too. Nothing leaves the machine, and nothing stays on the disk unless\n--dir says where.",
		Example:           "  shoal demo",
		Args:              exactArgs(0, "none"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), g.output(), dir)
		},
	}
	cmd.Flags().StringVarP(&dir, "dir", "d", "", "work in `DIR`, and leave the files there")
	return cmd
}

func runDemo(ctx context.Context, out *ui.Output, dir string) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "shoal-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	display := out.NewDisplay()
	defer display.Close()
	res, err := bt.Demo(ctx, bt.DemoOptions{
		Dir:      dir,
		Progress: func(p bt.Progress) { display.Update("demo", p) },
		Step:     func(what string) { out.Note("%s", what) },
	})
	if err != nil {
		return err
	}
	display.Close()
	share, err := node.Demo(ctx, node.DemoOptions{Dir: dir, Step: func(what string) { out.Note("%s", what) }})
	if err != nil {
		return err
	}
	return out.Result(demoDoc{res, share}, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "downloaded and verified %s in %.2f s: %s\nshared and verified %s in %.2f s, and an answer back in %.2f s\n",
			ui.Size(res.Bytes), res.Seconds, res.InfoHash, ui.Size(share.Bytes), share.Seconds, share.Back)
		return err
	})
}
