package commands

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/bt"
	"shoal/bt/bencode"
	"shoal/commands/internal/ui"
)

// decodeOptions are the flags of bencode, and of bencode decode.
type decodeOptions struct {
	seq    bool
	strict bool
	binary bencode.BinaryForm
	file   string
}

// autoBinary is hex, but on a terminal what is long is summarised.
const autoBinary bencode.BinaryForm = "auto"

func newBencodeCmd(g *globals) *cobra.Command {
	cmd := newDecodeCmd(g, "bencode [flags] [FILE]", "Turn bencode into JSON and back, look into it, compare it",
		"  shoal bencode debian.torrent\n"+
			"  shoal bencode debian.torrent | jq '.comment = \"mine\"' | shoal bencode encode > my.torrent\n"+
			"  shoal bencode get info debian.torrent | sha1sum")
	cmd.AddCommand(
		newBencodeCheckCmd(g),
		newDecodeCmd(g, "decode [flags] [FILE]", "Turn bencode into JSON", "  shoal bencode decode --seq messages.bin | jq -c .y"),
		newBencodeDiffCmd(g),
		newBencodeEncodeCmd(g),
		newBencodeGetCmd(g),
	)
	return cmd
}

func newDecodeCmd(g *globals, use, short, example string) *cobra.Command {
	var opts decodeOptions
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + ". A FILE that is not given, or -, is standard input. Nothing is lost: what is\n" +
			"not text is \"hex:…\", what is not canonical is kept and its place is said on standard error.",
		Example: example,
		Args:    atMostArgs(1, "one FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.file != "" {
				args = append(args, opts.file)
			}
			name, err := fileArg(args)
			if err != nil {
				return err
			}
			return runDecode(cmd.Context(), g, name, opts)
		},
	}
	opts.register(cmd.Flags())
	return cmd
}

func (o *decodeOptions) register(fs *pflag.FlagSet) {
	fs.BoolVar(&o.seq, "seq", false, "read several values in a row, and write each as a line of JSON")
	fs.BoolVar(&o.strict, "strict", false, "refuse what is not canonical")
	fs.Var(newChoice(&o.binary, autoBinary, bencode.Hex, bencode.Base64, bencode.Omit, bencode.Summary), "binary",
		"how to write strings that are not text: `auto|hex|base64|omit|summary`; auto is hex, or summary on a terminal")
	fs.StringVarP(&o.file, "file", "f", "", "a `FILE` to read")
	_ = fs.MarkHidden("file")
}

// jsonOptions are how JSON of bencode looks where it goes.
func jsonOptions(out *ui.Output, binary bencode.BinaryForm) bencode.JSONOptions {
	opts := bencode.JSONOptions{Binary: binary, Indent: "  ", Graphic: out.OnTerminal()}
	if binary == autoBinary {
		opts.Binary = bencode.Hex
		if out.OnTerminal() {
			opts.Binary = bencode.Summary
		}
	}
	return opts
}

func runDecode(ctx context.Context, g *globals, name string, opts decodeOptions) (err error) {
	in, err := openBencode(ctx, g, name)
	if err != nil {
		return err
	}
	defer in.Close()
	d := bencode.NewDecoder(in.Reader, bencode.DecoderOptions{Limits: bencodeLimits})
	defer func() { err = errors.Join(err, d.Close()) }()
	found := problemNotes{out: g.output(), name: in.name, strict: opts.strict}
	form := jsonOptions(g.output(), opts.binary)
	if opts.seq {
		form.Indent = ""
	}
	for {
		switch err := d.Next(found.wanted()); {
		case err == io.EOF && opts.seq:
			return nil
		case err == io.EOF:
			return in.wrong(&bencode.SyntaxError{Offset: d.Offset(), Want: "a value", Got: "the end of the input"})
		case err != nil:
			return in.wrong(err)
		case found.first != nil:
			return &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading %s: it is not canonical: %s", in.name, found.first)}
		}
		if !opts.seq {
			if err := d.End(); err != nil {
				return in.trailing(err)
			}
		}
		w := g.output().Bytes()
		if err := d.WriteJSON(w, form); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n"); err != nil || !opts.seq {
			return err
		}
	}
}

// mostNotes is how many places are told.
const mostNotes = 10

// problemNotes tells where input is not canonical, the first places of many.
type problemNotes struct {
	out    *ui.Output
	name   string
	strict bool             // nothing is told, and
	first  *bencode.Problem // kept
	count  int
}

// wanted is note while more is wanted: of several values, each asks anew.
func (n *problemNotes) wanted() func(bencode.Problem) bool {
	if n.count > mostNotes {
		return nil
	}
	return n.note
}

func (n *problemNotes) note(p bencode.Problem) (more bool) {
	n.count++
	switch {
	case n.strict:
		n.first = &p
		return false
	case n.count > mostNotes:
		n.out.Note("%s: not canonical: in more places; shoal bencode check lists them", n.name)
		return false
	}
	n.out.Note("%s: not canonical: %s", n.name, p)
	return true
}
