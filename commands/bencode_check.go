package commands

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/bt/bencode"
	"shoal/commands/internal/ui"
)

// maxProblems is how many places are listed; more are counted.
const maxProblems = 1000

func newBencodeCheckCmd(g *globals) *cobra.Command {
	var seq bool
	cmd := &cobra.Command{
		Use:   "check [flags] [FILE]",
		Short: "Say whether bencode is canonical, and where not",
		Long: "Say whether bencode is canonical: keys sorted and unique, no zeros too many. The status is 5 when it is not,\n" +
			"and 3 when it is no bencode. A FILE that is not given, or -, is standard input.",
		Example: "  shoal bencode check x.torrent",
		Args:    atMostArgs(1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := fileArg(args)
			if err != nil {
				return err
			}
			return runCheck(cmd.Context(), g, name, seq)
		},
	}
	cmd.Flags().BoolVar(&seq, "seq", false, "read several values in a row")
	return cmd
}

// A checkDoc is the result of bencode check.
type checkDoc struct {
	Canonical    bool         `json:"canonical"`
	Bytes        int64        `json:"bytes"`
	Values       int          `json:"values"` // at the outermost level
	ProblemCount int          `json:"problem_count"`
	Problems     []problemDoc `json:"problems"`
	failure
}

// A problemDoc is a place where bencode is not canonical.
type problemDoc struct {
	Offset int64  `json:"offset"`
	What   string `json:"what"`
}

func runCheck(ctx context.Context, g *globals, name string, seq bool) error {
	in, err := openBencode(ctx, g, name)
	if err != nil {
		return err
	}
	defer in.Close()
	doc := checkDoc{Problems: []problemDoc{}, failure: failure{Code: bt.OK}}
	d := bencode.NewDecoder(in.Reader, bencode.DecoderOptions{Limits: bencodeLimits, Once: true})
	for doc.Values == 0 || seq {
		err := d.Next(func(p bencode.Problem) bool {
			if len(doc.Problems) < maxProblems {
				doc.Problems = append(doc.Problems, problemDoc{p.Offset, p.What})
			}
			return len(doc.Problems) < maxProblems
		})
		doc.ProblemCount += d.ProblemCount()
		if err == io.EOF && seq {
			break
		}
		if err == io.EOF {
			err = &bencode.SyntaxError{Offset: d.Offset(), Want: "a value", Got: "the end of the input"}
		}
		if err != nil {
			return in.wrong(err)
		}
		doc.Values++
	}
	if !seq {
		if err := d.End(); err != nil {
			return in.trailing(err)
		}
	}
	doc.Bytes, doc.Canonical = d.Offset(), doc.ProblemCount == 0
	status := 0
	if !doc.Canonical {
		doc.failure = failure{Code: bt.Differs, Message: fmt.Sprintf("%s is not canonical in %s", in.name, ui.Count(doc.ProblemCount, "place"))}
		status = statuses[bt.Differs]
	}
	return errors.Join(g.output().Result(doc, doc.write), shownStatus(status))
}

func (d *checkDoc) write(w io.Writer) error {
	if d.Canonical {
		_, err := fmt.Fprintln(w, "canonical")
		return err
	}
	fmt.Fprintln(w, "not canonical")
	for _, p := range d.Problems {
		fmt.Fprintf(w, "byte %d: %s\n", p.Offset, ui.Quote(p.What))
	}
	if more := d.ProblemCount - len(d.Problems); more > 0 {
		fmt.Fprintf(w, "and %s more\n", ui.Count(more, "place"))
	}
	return nil
}
