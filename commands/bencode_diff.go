package commands

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/bt/bencode"
	"shoal/commands/internal/ui"
)

func newBencodeDiffCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "diff [flags] A B",
		Short: "Say where two files of bencode differ",
		Long: "Say where two files of bencode differ, and whether that changes the infohash. The status is 0 when their\n" +
			"bytes are the same, and 5 when not. One of them may be -, standard input.",
		Example: "  shoal bencode diff old.torrent new.torrent",
		Args:    exactArgs(2, "two files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" && args[1] == "-" {
				return usageErrorf("standard input can be read only once")
			}
			return runDiff(cmd.Context(), g, args[0], args[1])
		},
	}
}

// A diffDoc is the result of bencode diff.
type diffDoc struct {
	Same            bool            `json:"same"`
	InfoHashChanges *bool           `json:"infohash_changes,omitempty"` // absent unless both have an info dictionary
	Differences     []differenceDoc `json:"differences"`
	failure
}

// A differenceDoc is a place where two files differ.
type differenceDoc struct {
	Path         string          `json:"path"`
	Change       string          `json:"change"` // added, removed, changed, or form: the same, written otherwise
	A            json.RawMessage `json:"a,omitempty"`
	B            json.RawMessage `json:"b,omitempty"`
	PiecesDiffer int             `json:"pieces_differ,omitempty"`
	Pieces       int             `json:"pieces,omitempty"`
}

func runDiff(ctx context.Context, g *globals, nameA, nameB string) error {
	a, err := readBencode(ctx, g, nameA)
	if err != nil {
		return err
	}
	b, err := readBencode(ctx, g, nameB)
	if err != nil {
		return err
	}
	doc := diffDoc{Same: true, Differences: []differenceDoc{}, failure: failure{Code: bt.OK}}
	all := bencode.Diff(a, b)
	if infoA, infoB := infoOf(a), infoOf(b); infoA != nil && infoB != nil {
		changes := !bytes.Equal(infoA, infoB)
		doc.InfoHashChanges = &changes
	}
	if g.json {
		for _, d := range all {
			doc.Differences = append(doc.Differences, newDifferenceDoc(d))
		}
	}
	status := 0
	if len(all) > 0 {
		doc.Same = false
		doc.failure = failure{Code: bt.Differs, Message: fmt.Sprintf("%s and %s differ in %s", nameA, nameB, ui.Count(len(all), "place"))}
		status = statuses[bt.Differs]
	}
	return errors.Join(g.output().Result(doc, func(w io.Writer) error { return doc.write(w, all) }), shownStatus(status))
}

func readBencode(ctx context.Context, g *globals, name string) ([]byte, error) {
	in, err := openBencode(ctx, g, name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return in.readAll()
}

// infoOf is the info dictionary of a metainfo, nil when there is none.
func infoOf(b []byte) []byte {
	path, err := bencode.ParsePath("info")
	if err != nil {
		return nil
	}
	info, err := path.Find(b)
	if err != nil || bencode.NewCursor(info).Kind() != bencode.Dict {
		return nil
	}
	return info
}

func newDifferenceDoc(d bencode.Difference) differenceDoc {
	return differenceDoc{Path: d.Path.String(), Change: changeOf(d), A: rawJSON(d.A), B: rawJSON(d.B), PiecesDiffer: d.PiecesDiffer, Pieces: d.Pieces}
}

func changeOf(d bencode.Difference) string {
	switch {
	case d.A == nil:
		return "added"
	case d.B == nil:
		return "removed"
	case d.Form:
		return "form"
	}
	return "changed"
}

// rawJSON is the JSON of a node, nil for none.
func rawJSON(node []byte) json.RawMessage {
	if node == nil {
		return nil
	}
	var b bytes.Buffer
	if err := bencode.WriteJSON(&b, node, bencode.JSONOptions{}); err != nil {
		panic(err) // it was checked, and a buffer takes all
	}
	return b.Bytes()
}

// write writes a line for each difference. Errors of w, which is buffered, come to light when it is flushed.
func (doc *diffDoc) write(w io.Writer, all []bencode.Difference) error {
	for _, d := range all {
		path := ui.Quote(cmp.Or(d.Path.String(), "(all)"))
		switch changeOf(d) {
		case "added":
			fmt.Fprintf(w, "+ %s: %s\n", path, shortJSON(d.B))
		case "removed":
			fmt.Fprintf(w, "- %s: %s\n", path, shortJSON(d.A))
		case "form":
			fmt.Fprintf(w, "~ %s: the same, written otherwise\n", path)
		default:
			if d.Pieces > 0 {
				fmt.Fprintf(w, "~ %s: %d of %d differ\n", path, d.PiecesDiffer, d.Pieces)
				continue
			}
			fmt.Fprintf(w, "~ %s: %s -> %s\n", path, shortJSON(d.A), shortJSON(d.B))
		}
	}
	switch {
	case doc.InfoHashChanges == nil:
	case *doc.InfoHashChanges:
		fmt.Fprintln(w, "the infohash changes")
	default:
		fmt.Fprintln(w, "the infohash stays the same")
	}
	return nil
}

// shortJSON is a node for people: what is long is summarised, and then cut.
func shortJSON(node []byte) string {
	const most = 300
	b := clipWriter{most: most}
	// The only error is the one that ends what would be cut anyway.
	_ = bencode.WriteJSON(&b, node, bencode.JSONOptions{Binary: bencode.Summary, Graphic: true})
	if len(b.b) > most {
		return strings.ToValidUTF8(string(b.b[:most]), "") + "…"
	}
	return string(b.b)
}

// A clipWriter keeps what comes first.
type clipWriter struct {
	b    []byte
	most int
}

func (c *clipWriter) Write(p []byte) (int, error) {
	c.b = append(c.b, p...)
	if len(c.b) > c.most {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}
