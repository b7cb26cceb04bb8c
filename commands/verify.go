package commands

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
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

// writeVerified writes a line for each file, or only for those that are not good.
func writeVerified(w io.Writer, r *bt.VerifyResult, onlyBad bool) error {
	for i := range r.Files {
		f := &r.Files[i]
		if f.State == bt.FileOK && onlyBad {
			continue
		}
		fmt.Fprintf(w, "%-10s  %s%s\n", f.State, ui.Quote(f.Path), ui.Quote(whatIsWrong(f)))
	}
	if onlyBad {
		return nil
	}
	said := fmt.Sprintf("all %s good", ui.Size(r.Bytes))
	if r.Err() != nil {
		said = fmt.Sprintf("%s of %s good (%s), %d of %s damaged or missing", ui.Size(r.GoodBytes), ui.Size(r.Bytes),
			percent(r.GoodBytes, r.Bytes), r.Pieces-r.GoodPieces, ui.Count(r.Pieces, "piece"))
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", ui.Quote(r.Name), said)
	return err
}

// percent is rounded down: 100 % is all of it.
func percent(part, whole int64) string {
	return fmt.Sprintf("%.2f%%", math.Floor(float64(part)/float64(max(whole, 1))*1e4)/100)
}

// whatIsWrong says what is to be known about a file beside its state.
func whatIsWrong(f *bt.VerifiedFile) string {
	var parts []string
	if f.State == bt.FileWrongSize {
		parts = append(parts, fmt.Sprintf("%d bytes, not %d", f.FoundBytes, f.Bytes))
	}
	if f.Message != "" {
		parts = append(parts, f.Message)
	}
	if len(f.DamagedPieces) > 0 && f.State != bt.FileMissing {
		said := fmt.Sprintf("%s in %s", ui.Size(f.DamagedBytes), pieceList(f.DamagedPieces))
		if len(f.SharedPieces) > 0 {
			said += fmt.Sprintf(", of which others share %s", pieceList(f.SharedPieces))
		}
		parts = append(parts, said)
	}
	if f.UnverifiedBytes > 0 {
		parts = append(parts, fmt.Sprintf("%s share a piece with a file that is not whole", ui.Size(f.UnverifiedBytes)))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, "; ")
}

// mostRanges is how many ranges of pieces a line names.
const mostRanges = 8

// pieceList names pieces: "pieces 3-5 9".
func pieceList(ranges []bt.PieceRange) string {
	list := "pieces"
	if len(ranges) == 1 && ranges[0][0] == ranges[0][1] {
		list = "piece"
	}
	for i, r := range ranges {
		switch {
		case i == mostRanges:
			return fmt.Sprintf("%s and %d more places", list, len(ranges)-i)
		case r[0] == r[1]:
			list += fmt.Sprintf(" %d", r[0])
		default:
			list += fmt.Sprintf(" %d-%d", r[0], r[1])
		}
	}
	return list
}
