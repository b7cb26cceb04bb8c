package commands

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/secret"
	"shoal/share/vault"
)

func newSecretsListCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List what is in the store, and reveal nothing",
		Long:    "List the secrets of this machine: name, role, share, since when. What is secret of them is not shown.",
		Example: "  shoal secrets list\n  shoal secrets list --json | jq -r '.results[].label'",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, password, err := g.vault(cmd.Context())
			if err != nil {
				return err
			}
			list, err := v.Read(password)
			if err != nil {
				return err
			}
			vault.Sort(list)
			items := make([]secretItem, len(list))
			rows := make([][]string, len(list))
			for i := range list {
				items[i] = itemOf(&list[i])
				id := "-"
				if list[i].Secret.Kind == vault.Share {
					id = list[i].Secret.Token.Share.Short()
				}
				added := "-"
				if !list[i].Added.IsZero() {
					added = list[i].Added.Local().Format("2006-01-02")
				}
				rows[i] = []string{items[i].Label, items[i].Role, id, added}
			}
			return showList(g, items, "there are no secrets", func(w io.Writer) error { return ui.Table(w, rows) })
		},
	}
}

// showOptions are the flags of secrets show.
type showOptions struct {
	role       string
	reveal, qr bool
}

func newSecretsShowCmd(g *globals) *cobra.Command {
	var opts showOptions
	cmd := &cobra.Command{
		Use:   "show [flags] NAME",
		Short: "Print a secret, or draw it for a phone",
		Long: "Print a secret of the store (--reveal), or draw it as a QR symbol that a phone reads (--qr): one of the two has to\n" +
			"be said. --role gives the token of a weaker role instead.",
		Example: "  shoal secrets show photos --qr\n  shoal secrets show photos --reveal --role read",
		Args:    exactArgs(1, "the NAME of a secret"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSecretsShow(cmd.Context(), g, args[0], opts)
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&opts.reveal, "reveal", false, "print it")
	fs.BoolVar(&opts.qr, "qr", false, "draw it as a QR symbol")
	fs.Var(newChoice(&opts.role, "", "read", "write", "store", "admin"), "role", "the token of that role: `read|write|store|admin`")
	return cmd
}

func runSecretsShow(ctx context.Context, g *globals, name string, opts showOptions) error {
	switch {
	case opts.qr && g.json:
		return usageErrorf("--qr is for eyes, --json for programs")
	case !opts.reveal && !opts.qr:
		return withHint(usageErrorf("what is to be shown is secret"), "--reveal prints it, --qr draws it")
	}
	v, password, err := g.vault(ctx)
	if err != nil {
		return err
	}
	list, err := v.Read(password)
	if err != nil {
		return err
	}
	e, err := vault.Find(list, name)
	if err != nil {
		return err
	}
	if opts.role != "" {
		if err := weaken(e, opts.role); err != nil {
			return err
		}
	}
	doc := secretDoc{itemOf(e), bt.OK}
	doc.Token = e.Secret.Text()
	text := doc.Token + "\n"
	if opts.qr {
		if text, err = secret.QR(doc.Token, false); err != nil {
			return err
		}
	}
	return g.output().Result(doc, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// weaken makes a token that of a role.
func weaken(e *vault.Entry, role string) error {
	r, err := secret.ParseRole(role)
	if err != nil {
		return usageErrorf("%w", err)
	}
	if e.Secret.Kind != vault.Share {
		return usageErrorf("%s is no token: it has no roles", e.Label)
	}
	t, err := e.Secret.Token.Weaken(r)
	if err != nil {
		return &bt.Error{Code: bt.NotFound, Err: err}
	}
	e.Secret = vault.OfToken(t)
	return nil
}
