package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// A filesDoc is the result of commands on files of shares.
type filesDoc struct {
	Results []filesItem `json:"results"`
}

// A filesItem is what one argument came to.
type filesItem struct {
	Source string         `json:"source"`
	Share  string         `json:"share"`
	Files  []api.FileInfo `json:"files"`
	failure
}

// eachPlace does something at each of several places, and shows what files that was about.
func (g *globals) eachPlace(ctx context.Context, args []string, failFast bool, verb string, do func(ctx context.Context, at place) ([]api.FileInfo, error)) error {
	ctx, done := showProgress(ctx, g)
	defer done()
	doc, worst := filesDoc{[]filesItem{}}, 0
	for _, arg := range args {
		at, err := parsePlace(arg)
		if err != nil {
			return err
		}
		files, err := do(ctx, at)
		f, status := g.tell(ctx, arg, len(args) > 1, err)
		doc.Results = append(doc.Results, filesItem{arg, at.share, orEmpty(files), f})
		if worst = max(worst, status); worst != 0 && (failFast || ctx.Err() != nil) {
			break
		}
	}
	done()
	err := g.output().Result(doc, func(w io.Writer) error {
		for _, r := range doc.Results {
			for _, f := range r.Files {
				if _, err := fmt.Fprintln(w, verb, ui.Quote(r.Share+":"+f.Path)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return cmp.Or(err, shownStatus(worst))
}

// getOptions are the flags of share get.
type getOptions struct {
	shareNetworkOptions
	output   string
	failFast bool
}

func newShareGetCmd(g *globals) *cobra.Command {
	var opts getOptions
	cmd := &cobra.Command{
		Use:   "get [flags] NAME:PATH...",
		Short: "Fetch files and folders of a share that are not here",
		Long: "Fetch files and folders of a share that are not here, and keep them in it from now on. With -o they are copied\n" +
			"elsewhere instead.",
		Example: "  shoal share get films:2026/one.mkv\n  shoal share get -o - notes:todo.txt | less",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.checkGet(g, args); err != nil {
				return err
			}
			return runShareGet(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd.Flags())
	accept(cmd, shareAliases, networkAliases)
	cmd.Flags().StringVarP(&opts.output, "output", "o", "", "copy what is named exactly to `PATH`, or several into that folder; - is standard output")
	cmd.Flags().BoolVar(&opts.failFast, "fail-fast", false, "stop when one cannot be fetched")
	return cmd
}

// checkPlaces checks arguments that name paths in shares.
func checkPlaces(args []string) error {
	if len(args) == 0 {
		return withHint(usageErrorf("no NAME:PATH given"), "\"shoal share ls NAME\" lists the paths")
	}
	for _, arg := range args {
		if _, err := parsePath(arg); err != nil {
			return err
		}
	}
	return nil
}

func (o *getOptions) checkGet(g *globals, args []string) error {
	if err := checkPlaces(args); err != nil {
		return err
	}
	switch {
	case o.output == "-" && g.json:
		return usageErrorf("--json and -o - both want standard output")
	case o.output == "-" && len(args) > 1:
		return usageErrorf("-o - is for a single file, and there are %d", len(args))
	case o.output == "-" && g.output().OnTerminal():
		return withHint(usageErrorf("-o - would write to a terminal what is not meant for one"), "send it to a file or a program")
	}
	names := map[string]bool{}
	for _, arg := range args {
		at, _ := parsePath(arg) // it was checked
		name := path.Base(at.path)
		if o.output != "" && len(args) > 1 && names[name] {
			return usageErrorf("two are called %s, and -o wants them in one folder", name)
		}
		names[name] = true
	}
	return nil
}

func runShareGet(ctx context.Context, g *globals, args []string, opts getOptions) error {
	local, err := opts.node(g, toMeet)
	if err != nil {
		return err
	}
	out := opts.output
	if out != "" && out != "-" {
		if out, err = absolute(out); err != nil {
			return err
		}
	}
	return g.withShares(ctx, local, func(n *shareNode) error {
		if out == "-" {
			return getToOutput(ctx, g, n, args[0])
		}
		return g.eachPlace(ctx, args, opts.failFast, "got", func(ctx context.Context, at place) ([]api.FileInfo, error) {
			to := out
			if out != "" && len(args) > 1 {
				to = filepath.Join(out, path.Base(cmp.Or(at.path, at.share)))
			}
			return n.Get(ctx, at.share, []string{at.path}, to)
		})
	})
}

// getToOutput writes one file to standard output, once it is all there.
func getToOutput(ctx context.Context, g *globals, n *shareNode, arg string) (err error) {
	at, err := parsePath(arg)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "shoal-get-")
	if err != nil {
		return fmt.Errorf("making a place for %s: %w", arg, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	temp := filepath.Join(dir, "file")
	ctx, done := showProgress(ctx, g)
	files, err := n.Get(ctx, at.share, []string{at.path}, temp)
	done()
	if err != nil {
		return err
	}
	if len(files) != 1 || files[0].Type != "file" {
		return usageErrorf("%s is not a single file, which -o - wants", arg)
	}
	f, err := os.Open(temp)
	if err != nil {
		return fmt.Errorf("reading %s: %w", arg, err)
	}
	defer f.Close()
	_, err = io.Copy(g.output().Bytes(), f)
	return err
}

// dropOptions are the flags of share drop.
type dropOptions struct {
	shareNetworkOptions
	force, failFast bool
}

func newShareDropCmd(g *globals) *cobra.Command {
	var opts dropOptions
	cmd := &cobra.Command{
		Use:   "drop [flags] NAME:PATH...",
		Short: "Give up the copies of files here that others keep",
		Long: "Give up the copies of files and folders on this machine. They stay in the share, and can be fetched again. Unless\n" +
			"another machine that belongs to the share promises to keep a copy, that is refused.",
		Example: "  shoal share drop films:2025",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPlaces(args); err != nil {
				return err
			}
			return runShareDrop(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd.Flags())
	accept(cmd, shareAliases, networkAliases)
	cmd.Flags().BoolVarP(&opts.force, "force", "f", false, "give them up although nobody promises to keep a copy")
	cmd.Flags().BoolVar(&opts.failFast, "fail-fast", false, "stop when one cannot be given up")
	return cmd
}

func runShareDrop(ctx context.Context, g *globals, args []string, opts dropOptions) error {
	local, err := opts.node(g, toMeet)
	if err != nil {
		return err
	}
	return g.withShares(ctx, local, func(n *shareNode) error {
		return g.eachPlace(ctx, args, opts.failFast, "dropped", func(ctx context.Context, at place) ([]api.FileInfo, error) {
			return n.Drop(ctx, at.share, []string{at.path}, opts.force)
		})
	})
}

// showProgress shows what calls under the context tell of how they get on, until the function that it returns is called.
func showProgress(ctx context.Context, g *globals) (context.Context, func()) {
	display := g.output().NewDisplay()
	return api.WithProgress(ctx, func(p api.Progress) { display.Update(p.Share, displayed(p)) }), display.Close
}

// displayed is progress in the words of the display.
func displayed(p api.Progress) bt.Progress {
	d := bt.Progress{Name: p.Share, State: p.State, Done: p.Done, Total: p.Total, Down: float64(p.Down), Up: float64(p.Up), Peers: p.Peers, ETA: -1}
	switch p.State {
	case api.StateSyncing:
		d.State = "downloading"
	case api.StateScanning:
		d.State = "checking"
	}
	if p.Down > 0 {
		d.ETA = etaOf(p.Total-p.Done, p.Down)
	}
	return d
}
