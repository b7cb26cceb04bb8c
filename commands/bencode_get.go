package commands

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/bt/bencode"
)

func newBencodeGetCmd(g *globals) *cobra.Command {
	var text bool
	cmd := &cobra.Command{
		Use:   "get [flags] PATH [FILE]",
		Short: "Print one node of bencode, as it stands",
		Long: "Print the bytes of one node of bencode. PATH is like info.files[0].path[1], or a JSON pointer such as\n" +
			"/info/files/0/path/1. A FILE that is not given, or -, is standard input.",
		Example: "  shoal bencode get info x.torrent | sha1sum        # the infohash\n" +
			"  shoal bencode get --text info.name x.torrent\n" +
			"  shoal bencode get --json 'info.files[0]' x.torrent",
		Args: rangeArgs(1, 2, "PATH and at most one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if text && g.json {
				return usageErrorf("--text and --json exclude each other")
			}
			path, err := bencode.ParsePath(args[0])
			if err != nil {
				return withHint(usageErrorf("%w", err), "a path is like info.files[0].path[1] or /info/files/0/path/1")
			}
			name, err := fileArg(args[1:])
			if err != nil {
				return err
			}
			return runGet(cmd.Context(), g, name, path, text)
		},
	}
	cmd.Flags().BoolVar(&text, "text", false, "print what a string or an integer says, and a line break")
	return cmd
}

func runGet(ctx context.Context, g *globals, name string, path bencode.Path, text bool) error {
	doc, in, err := openDocument(ctx, g, name)
	if err != nil {
		return err
	}
	defer in.Close()
	defer doc.Close()
	node, err := path.Find(doc.Root())
	var nowhere *bencode.NotFoundError
	switch {
	case errors.As(err, &nowhere):
		return &bt.Error{Code: bt.NotFound, Err: in.wrong(err)}
	case err != nil:
		return in.wrong(err)
	case g.json:
		w := g.output().Bytes()
		if err := node.WriteJSON(w, jsonOptions(g.output(), autoBinary)); err != nil {
			return err
		}
		_, err = io.WriteString(w, "\n")
		return err
	case text:
		return writeNodeText(g, in, path, node)
	}
	w, end := resultBytes(g.output())
	if _, err := io.Copy(w, struct{ io.Reader }{node.Reader()}); err != nil {
		return err
	}
	return end()
}

// writeNodeText writes the bytes of a string, or the digits of an integer.
func writeNodeText(g *globals, in *bencodeInput, path bencode.Path, node bencode.Node) error {
	if k := node.Kind(); k != bencode.String && k != bencode.Int {
		return withHint(&bt.Error{Code: bt.BadInput, Err: usageErrorf("reading %s: %q is a %s, which has no text", in.name, path, k).Err},
			"--json shows it")
	}
	w, _ := resultBytes(g.output())
	if err := node.WriteText(w); err != nil {
		return err
	}
	_, err := io.WriteString(g.output().Bytes(), "\n")
	return err
}
