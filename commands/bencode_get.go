package commands

import (
	"context"
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
	in, err := openBencode(ctx, g, name)
	if err != nil {
		return err
	}
	defer in.Close()
	whole, err := in.readAll()
	if err != nil {
		return err
	}
	node, err := path.Find(whole)
	if err != nil {
		return &bt.Error{Code: bt.NotFound, Err: in.wrong(err)}
	}
	switch {
	case g.json:
		w := g.output().Bytes()
		if err := bencode.WriteJSON(w, node, jsonOptions(g.output(), autoBinary)); err != nil {
			return err
		}
		_, err = io.WriteString(w, "\n")
		return err
	case text:
		return writeNodeText(g, in, path, node)
	}
	w, end := resultBytes(g.output())
	if _, err := w.Write(node); err != nil {
		return err
	}
	return end()
}

// writeNodeText writes the bytes of a string, or the digits of an integer.
func writeNodeText(g *globals, in *bencodeInput, path bencode.Path, node []byte) error {
	v, err := bencode.Parse(node, memoryLimits)
	if err != nil {
		return in.wrong(err)
	}
	if k := v.Kind(); k != bencode.String && k != bencode.Int {
		return withHint(&bt.Error{Code: bt.BadInput, Err: usageErrorf("reading %s: %q is a %s, which has no text", in.name, path, k).Err},
			"--json shows it")
	}
	w, _ := resultBytes(g.output())
	if _, err := w.Write(v.Bytes()); err != nil {
		return err
	}
	_, err = io.WriteString(g.output().Bytes(), "\n")
	return err
}
