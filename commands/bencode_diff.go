package commands

import (
	"bufio"
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

// A differenceDoc is a place where two files differ. It is written by diffWriter, which holds no values.
type differenceDoc struct {
	Path         string          `json:"path"`
	Change       string          `json:"change"` // added, removed, changed, or form: the same, written otherwise
	A            json.RawMessage `json:"a,omitempty"`
	B            json.RawMessage `json:"b,omitempty"`
	PiecesDiffer int             `json:"pieces_differ,omitempty"`
	Pieces       int             `json:"pieces,omitempty"`
}

func runDiff(ctx context.Context, g *globals, nameA, nameB string) error {
	a, inA, err := openDocument(ctx, g, nameA)
	if err != nil {
		return err
	}
	defer inA.Close()
	defer a.Close()
	b, inB, err := openDocument(ctx, g, nameB)
	if err != nil {
		return err
	}
	defer inB.Close()
	defer b.Close()
	changes, err := infoHashChanges(a.Root(), b.Root())
	if err != nil {
		return err
	}
	same, err := bencode.SameBytes(a.Root(), b.Root())
	if err != nil {
		return err
	}
	doc := diffDoc{Same: same, InfoHashChanges: changes, Differences: []differenceDoc{}, failure: failure{Code: bt.OK}}
	if same {
		return g.output().Result(doc, func(w io.Writer) error { return writeChange(w, changes) })
	}
	w := diffWriter{w: bufio.NewWriter(g.output().Bytes())}
	write, end := w.text, func() error { return writeChange(w.w, changes) }
	if g.json {
		write, end = w.json, func() error {
			doc.failure = failure{Code: bt.Differs, Message: fmt.Sprintf("%s and %s differ in %s", nameA, nameB, ui.Count(w.count, "place"))}
			return w.jsonEnd(doc)
		}
		w.jsonBegin(doc)
	}
	err = bencode.Diff(a.Root(), b.Root(), write)
	if err == nil {
		err = end()
	}
	if err = errors.Join(err, w.w.Flush()); err != nil {
		return err
	}
	return shownStatus(statuses[bt.Differs])
}

// infoHashChanges compares the info dictionaries; nil unless both have one.
func infoHashChanges(a, b bencode.Node) (*bool, error) {
	infoA, errA := infoOf(a)
	infoB, errB := infoOf(b)
	if errA != nil || errB != nil || !infoA.Exists() || !infoB.Exists() {
		return nil, errors.Join(errA, errB)
	}
	same, err := bencode.SameBytes(infoA, infoB)
	changes := !same
	return &changes, err
}

// infoOf is the info dictionary of a metainfo, none when there is none.
func infoOf(n bencode.Node) (bencode.Node, error) {
	info, err := bencode.Path(nil).Key("info").Find(n)
	var nowhere *bencode.NotFoundError
	if errors.As(err, &nowhere) || err == nil && info.Kind() != bencode.Dict {
		return bencode.Node{}, nil
	}
	return info, err
}

func changeOf(d bencode.Difference) string {
	switch {
	case !d.A.Exists():
		return "added"
	case !d.B.Exists():
		return "removed"
	case d.Form:
		return "form"
	}
	return "changed"
}

// A diffWriter writes differences as they are found. Errors of w, which is buffered, come to light when it is flushed.
type diffWriter struct {
	w     *bufio.Writer
	count int
}

// text writes a line for a difference.
func (d *diffWriter) text(diff bencode.Difference) error {
	path := ui.Quote(cmp.Or(diff.Path.String(), "(all)"))
	switch changeOf(diff) {
	case "added":
		fmt.Fprintf(d.w, "+ %s: %s\n", path, shortJSON(diff.B))
	case "removed":
		fmt.Fprintf(d.w, "- %s: %s\n", path, shortJSON(diff.A))
	case "form":
		fmt.Fprintf(d.w, "~ %s: the same, written otherwise\n", path)
	default:
		if diff.Pieces > 0 {
			fmt.Fprintf(d.w, "~ %s: %d of %d differ\n", path, diff.PiecesDiffer, diff.Pieces)
			break
		}
		fmt.Fprintf(d.w, "~ %s: %s -> %s\n", path, shortJSON(diff.A), shortJSON(diff.B))
	}
	return nil
}

// writeChange writes the line that says what becomes of the infohash.
func writeChange(w io.Writer, changes *bool) error {
	if changes == nil {
		return nil
	}
	line := "the infohash stays the same"
	if *changes {
		line = "the infohash changes"
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// jsonBegin writes what a diffDoc has before the differences, and json and jsonEnd the rest: each value as it is read,
// however large.
func (d *diffWriter) jsonBegin(doc diffDoc) {
	fmt.Fprintf(d.w, "{\n  \"same\": %v,\n", doc.Same)
	if doc.InfoHashChanges != nil {
		fmt.Fprintf(d.w, "  \"infohash_changes\": %v,\n", *doc.InfoHashChanges)
	}
	d.w.WriteString(`  "differences": [`)
}

func (d *diffWriter) json(diff bencode.Difference) error {
	if d.count > 0 {
		d.w.WriteString(",")
	}
	d.count++
	fmt.Fprintf(d.w, "\n    {\n      \"path\": %s,\n      \"change\": %q", jsonText(diff.Path.String()), changeOf(diff))
	for _, side := range []struct {
		name string
		node bencode.Node
	}{{"a", diff.A}, {"b", diff.B}} {
		if !side.node.Exists() {
			continue
		}
		fmt.Fprintf(d.w, ",\n      %q: ", side.name)
		if err := side.node.WriteJSON(d.w, bencode.JSONOptions{}); err != nil {
			return err
		}
	}
	if diff.Pieces > 0 {
		fmt.Fprintf(d.w, ",\n      \"pieces_differ\": %d,\n      \"pieces\": %d", diff.PiecesDiffer, diff.Pieces)
	}
	d.w.WriteString("\n    }")
	return nil
}

func (d *diffWriter) jsonEnd(doc diffDoc) error {
	_, err := fmt.Fprintf(d.w, "\n  ],\n  \"code\": %q,\n  \"message\": %s\n}\n", doc.Code, jsonText(doc.Message))
	return err
}

// jsonText is a text as a JSON string.
func jsonText(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string can be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// shortJSON is a node for people: what is long is summarised, and then cut.
func shortJSON(node bencode.Node) string {
	const most = 300
	b := clipWriter{most: most}
	// The only error is the one that ends what would be cut anyway.
	_ = node.WriteJSON(&b, bencode.JSONOptions{Binary: bencode.Summary, Graphic: true})
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
