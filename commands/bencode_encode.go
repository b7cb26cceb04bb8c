package commands

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt/bencode"
)

func newBencodeEncodeCmd(g *globals) *cobra.Command {
	var seq bool
	cmd := &cobra.Command{
		Use:   "encode [flags] [FILE]",
		Short: "Turn JSON into bencode",
		Long: "Turn JSON, as shoal bencode writes it, into bencode; keys are sorted. A FILE that is not given, or -, is\n" +
			"standard input. Nothing is written of a value unless all of it is right.",
		Example: "  shoal bencode x.torrent | jq 'del(.\"url-list\")' | shoal bencode encode > y.torrent",
		Args:    atMostArgs(1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := fileArg(args)
			if err != nil {
				return err
			}
			if g.json {
				return usageErrorf("--json asks for JSON, and encode writes bencode")
			}
			return runEncode(cmd.Context(), g, name, seq)
		},
	}
	cmd.Flags().BoolVar(&seq, "seq", false, "read several values in a row, and write them so")
	return cmd
}

func runEncode(ctx context.Context, g *globals, name string, seq bool) (err error) {
	in, err := openBencode(ctx, g, name)
	if err != nil {
		return err
	}
	defer in.Close()
	e := bencode.NewEncoder(in.Reader, bencodeLimits)
	defer func() { err = errors.Join(err, e.Close()) }()
	w, end := resultBytes(g.output())
	for {
		switch err := e.Next(); {
		case err == io.EOF && seq:
			return end()
		case err == io.EOF:
			return in.wrong(&bencode.SyntaxError{Offset: e.Offset(), Want: "JSON", Got: "the end of the input"})
		case err != nil:
			return in.wrong(err)
		}
		if !seq {
			if err := e.End(); err != nil {
				return in.trailing(err)
			}
		}
		if _, err := e.WriteTo(w); err != nil {
			return err
		}
		if !seq {
			return end()
		}
	}
}
