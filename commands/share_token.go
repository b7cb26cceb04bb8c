package commands

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"shoal/share/secret"
)

// tokenOptions are the flags of share token.
type tokenOptions struct {
	role       string
	reveal, qr bool
}

// A tokenDoc is the result of share token.
type tokenDoc struct {
	Share string `json:"share"`
	Role  string `json:"role"`
	Token string `json:"token"`
}

func newShareTokenCmd(g *globals) *cobra.Command {
	var opts tokenOptions
	cmd := &cobra.Command{
		Use:   "token [flags] NAME",
		Short: "Print what others join a share with",
		Long: "Print the token of a share: whoever has it can join. A reader sees all files, a writer changes them too, a store\n" +
			"keeps and passes on what it cannot read, an admin does what its maker can. Only a stronger token gives a weaker one.",
		Example: "  shoal share token photos > photos.token\n" +
			"  shoal share token photos --role write | ssh desk shoal share add - Photos\n" +
			"  shoal share token photos --qr",
		Args: exactArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareToken(cmd.Context(), g, args[0], opts)
		},
	}
	fs := cmd.Flags()
	fs.Var(newChoice(&opts.role, "read", "write", "store", "admin"), "role", "what it allows: `read|write|store|admin`")
	fs.BoolVar(&opts.reveal, "reveal", false, "show it on a terminal")
	fs.BoolVar(&opts.qr, "qr", false, "draw it as a QR symbol")
	return cmd
}

func runShareToken(ctx context.Context, g *globals, name string, opts tokenOptions) error {
	out := g.output()
	switch {
	case opts.qr && g.json:
		return usageErrorf("--qr is for eyes, --json for programs")
	case out.OnTerminal() && !opts.reveal && !opts.qr:
		return withHint(usageErrorf("a token is a secret, and standard output is a terminal"),
			"--reveal shows it, --qr draws it; \"> FILE\" writes it to a file")
	}
	if err := checkShareName(name); err != nil {
		return err
	}
	return g.withShares(ctx, nodeOptions{access: toRead}, func(n *shareNode) error {
		token, err := n.Token(ctx, name, opts.role)
		if err != nil {
			return err
		}
		text := token + "\n"
		if opts.qr {
			if text, err = secret.QR(token, false); err != nil {
				return err
			}
		}
		return out.Result(tokenDoc{name, opts.role, token}, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
	})
}
