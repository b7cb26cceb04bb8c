package commands

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/share/vault"
)

func newSecretsCmd(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secrets COMMAND",
		Short: "Look after tokens and keys",
		Long: "All secrets of this machine are in one store in the state folder: tokens of shares, invites that are outstanding,\n" +
			"and the key by which others know this machine. At first nothing but mode 0600 guards it; \"secrets passwd\" puts it\n" +
			"under a master password. \"secrets export\" writes a backup; with that, and one machine that still has the files,\n" +
			"everything can be had back.",
		Example: "  shoal secrets list\n  shoal secrets export -o backup.age\n  shoal secrets import backup.age",
		Args:    cobra.ArbitraryArgs,
		RunE:    needsSub("secrets"),
	}
	g.registerPassword(cmd.PersistentFlags())
	cmd.AddCommand(
		newSecretsAddCmd(g),
		newSecretsExportCmd(g),
		newSecretsImportCmd(g),
		newSecretsListCmd(g),
		newSecretsPasswdCmd(g),
		newSecretsRmCmd(g),
		newSecretsShowCmd(g),
		newSecretsUnlockCmd(g),
	)
	return cmd
}

// needsSub is the run of a command that only has others below it.
func needsSub(name string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		err := usageErrorf("unknown command \"%s %s\"", name, args[0])
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		if near := nearest(args[0], names); near != "" {
			return withHint(err, "did you mean \"%s %s\"?", name, near)
		}
		return withHint(err, "\"shoal %s --help\" lists the commands", name)
	}
}

// A secretItem is a secret as it may be seen. Token is there only where it was asked for.
type secretItem struct {
	Label string    `json:"label"`
	Kind  string    `json:"kind"`
	Role  string    `json:"role"`
	Share string    `json:"share,omitempty"`
	Added time.Time `json:"added"`
	Note  string    `json:"note,omitempty"`
	Tags  []string  `json:"tags,omitempty"`
	Token string    `json:"token,omitempty"`
}

func itemOf(e *vault.Entry) secretItem {
	i := secretItem{Label: e.Label, Kind: e.Secret.Kind.String(), Role: e.Secret.Role(), Added: e.Added, Note: e.Note, Tags: e.Tags}
	if e.Secret.Kind == vault.Share {
		i.Share = e.Secret.Token.Share.String()
	}
	return i
}

// A secretDoc is the result of a command about one secret.
type secretDoc struct {
	secretItem
	Code bt.Code `json:"code"`
}

// vault is the store of secrets, and its master password where it has one.
func (g *globals) vault(ctx context.Context) (v *vault.Vault, password string, err error) {
	home, err := g.stateHome()
	if err != nil {
		return nil, "", err
	}
	v = vault.At(home)
	form, err := v.Form()
	if err == nil && form != vault.Open {
		password, err = g.askPassword(ctx, g.master(), "master password")
	}
	return v, password, err
}

// usedSecrets are the secrets of this machine's shares: what the node needs. They are asked without opening any.
func (g *globals) usedSecrets(ctx context.Context) (func(vault.Secret) bool, error) {
	used := map[string]bool{}
	closed := func(context.Context) (string, error) { return "", nil }
	err := g.withShares(ctx, nodeOptions{access: toRead, password: closed}, func(n *shareNode) error {
		shares, err := n.List(ctx)
		for _, s := range shares {
			used[s.ID+" "+s.Role] = true
		}
		return err
	})
	return func(s vault.Secret) bool { return used[s.Token.Share.String()+" "+s.Role()] }, err
}

// noSecretInArgs refuses a secret on the command line.
func noSecretInArgs(args []string) error {
	for _, arg := range args {
		if looksLikeToken(arg) {
			return withHint(usageErrorf("a token does not belong on the command line, where others can read it"),
				"put it into a file, or pipe it; your shell may have written it down")
		}
	}
	return nil
}

// showSecret shows what became of a secret.
func showSecret(g *globals, e *vault.Entry, format string, args ...any) error {
	return g.output().Result(secretDoc{itemOf(e), bt.OK}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, g.output().Name(fmt.Sprintf(format, args...)))
		return err
	})
}
