package commands

import (
	"cmp"
	"context"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"shoal/bt"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	dir      string
	failFast bool
}

func newVerifyCmd(g *globals) *cobra.Command {
	var opts verifyOptions
	cmd := &cobra.Command{
		Use:   "verify [flags] TORRENT...",
		Short: "Compare what is on disk with what torrents say",
		Long: "Hash what is on disk of torrents, on all processors, and say of each file whether it is good, missing, of the\n" +
			"wrong size, or which of its pieces are damaged. A TORRENT is a .torrent file, the http(s) URL of one, or - for\n" +
			"standard input. The status is 0 when all is good, and 5 when anything is not.",
		Example: "  shoal verify -d /srv/films film.torrent\n" +
			"  shoal verify -q *.torrent\n" +
			"  shoal verify --json film.torrent | jq '.results[].files[] | select(.state != \"ok\")'",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(usageErrorf("no TORRENT given"), "a .torrent file or the URL of one; see \"shoal verify --help\"")
			}
			return runVerify(cmd.Context(), g, args, opts)
		},
	}
	cmd.Flags().StringVarP(&opts.dir, "dir", "d", ".", "the data is in `DIR`, under the name of the torrent")
	cmd.Flags().BoolVar(&opts.failFast, "fail-fast", false, "stop when one torrent fails")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

// A verifyDoc is the result of verify.
type verifyDoc struct {
	Results []verifyItem `json:"results"`
}

// A verifyItem is what of one torrent is there, or why that cannot be known.
type verifyItem struct {
	Source string `json:"source"`
	*bt.VerifyResult
	failure
}

func runVerify(ctx context.Context, g *globals, sources []string, opts verifyOptions) error {
	collectLess()
	out := g.output()
	var doc verifyDoc
	var failed error
	worst := 0
	for _, source := range sources {
		res, err := opts.one(ctx, g, source)
		if res != nil && !out.JSON() {
			failed = cmp.Or(failed, out.Result(nil, func(w io.Writer) error { return writeVerified(w, res, out.Quiet()) }))
		}
		f, status := g.tell(ctx, source, len(sources) > 1, err)
		doc.Results = append(doc.Results, verifyItem{source, res, f})
		if worst = max(worst, status); worst != 0 && (opts.failFast || ctx.Err() != nil) {
			break
		}
	}
	if out.JSON() {
		failed = out.Result(doc, nil)
	}
	return cmp.Or(failed, shownStatus(worst))
}

// one verifies one torrent. The error says what is not good, or why that cannot be known.
func (o *verifyOptions) one(ctx context.Context, g *globals, source string) (*bt.VerifyResult, error) {
	src, err := bt.ParseSource(source)
	if err != nil {
		return nil, err
	}
	if src.Magnet != nil {
		return nil, withHint(usageErrorf("verifying %s: a magnet has no hashes of pieces", source), "\"shoal metainfo -O FILE.torrent MAGNET\" fetches them")
	}
	m, err := src.Load(ctx, bt.LoadOptions{Stdin: g.in, HTTP: http.DefaultClient})
	if err != nil {
		return nil, err
	}
	display := g.output().NewDisplay()
	defer display.Close()
	res, err := bt.Verify(ctx, m, bt.VerifyOptions{Dir: o.dir, Progress: func(p bt.Progress) { display.Update(source, p) }})
	if err != nil {
		return nil, err
	}
	return res, res.Err()
}
