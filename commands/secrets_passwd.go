package commands

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/vault"
)

// passwdOptions are the flags of secrets passwd.
type passwdOptions struct{ lock, password string }

// A passwdDoc is the result of secrets passwd and unlock.
type passwdDoc struct {
	Lock string  `json:"lock"` // on or off
	Code bt.Code `json:"code"`
}

func newSecretsPasswdCmd(g *globals) *cobra.Command {
	var opts passwdOptions
	cmd := &cobra.Command{
		Use:   "passwd [flags]",
		Short: "Set or change the master password, or the lock",
		Long: "Put the store under a master password, or under another one. With the lock off, as it is at first, this machine\n" +
			"keeps the secrets of its own shares where the node can read them (mode 0600), so that cron and a reboot need\n" +
			"nobody. With the lock on, nothing opens without the password: a node waits for \"secrets unlock\" when it starts.\n" +
			"--lock alone leaves the password as it is.",
		Example: "  shoal secrets passwd\n  shoal secrets passwd --lock on",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSecretsPasswd(cmd.Context(), g, opts)
		},
	}
	cmd.Flags().Var(newChoice(&opts.lock, "", "on", "off"), "lock", "whether a node needs the password to start: `on|off`")
	cmd.Flags().StringVar(&opts.password, "new-password-file", "", "the new password is the first line of `FILE|-` (or $SHOAL_NEW_PASSWORD)")
	return cmd
}

func runSecretsPasswd(ctx context.Context, g *globals, opts passwdOptions) error {
	home, err := g.stateHome()
	if err != nil {
		return err
	}
	form, err := vault.At(home).Form()
	if err != nil {
		return err
	}
	v, c := vault.At(home), vault.Change{Lock: opts.lock == "on" || opts.lock == "" && form == vault.Locked}
	if c.Used, err = g.usedSecrets(ctx); err != nil {
		return err
	}
	if form != vault.Open {
		if v, c.Old, err = g.vault(ctx); err != nil {
			return err
		}
	}
	if c.New, err = g.nextPassword(ctx, form, opts); err != nil {
		return err
	}
	if err := v.Secure(ctx, c); err != nil {
		return err
	}
	if err := tellNode(ctx, home, c); err != nil {
		return err
	}
	doc := passwdDoc{Lock: "off", Code: bt.OK}
	text := "the store of secrets is under the password; this machine's own shares open without it (--lock off)"
	if c.Lock {
		doc.Lock, text = "on", "the store of secrets is under the password; a node waits for \"shoal secrets unlock\" (--lock on)"
	}
	return g.output().Result(doc, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, text)
		return err
	})
}

// nextPassword is the new password; "" for none, where only the lock changes.
func (g *globals) nextPassword(ctx context.Context, form vault.Form, opts passwdOptions) (string, error) {
	from := passwordSource{opts.password, "SHOAL_NEW_PASSWORD"}
	password, err := g.givenPassword(ctx, from)
	if err != nil || password != "" || form != vault.Open && opts.lock != "" {
		return password, err
	}
	if form == vault.Open { // there is no other that could be meant
		from = g.master()
	}
	return g.newPassword(ctx, from, "new master password")
}

// tellNode tells the node that runs of a password that is new.
func tellNode(ctx context.Context, home string, c vault.Change) error {
	client, err := api.Dial(ctx, home)
	if errors.Is(err, api.ErrNoNode) {
		return nil
	}
	if err == nil {
		password := c.New
		if password == "" {
			password = c.Old
		}
		err = client.Unlock(ctx, password)
	}
	if err != nil {
		return fmt.Errorf("telling the node of the new password: %w", err)
	}
	return nil
}

func newSecretsUnlockCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Give the node that runs the master password",
		Long: "Give the node that runs the master password: with the lock on it has started without its shares. Once is enough,\n" +
			"until it ends. A node that asks itself, or has --password-file, needs none of this.",
		Example: "  shoal secrets unlock",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSecretsUnlock(cmd.Context(), g)
		},
	}
}

func runSecretsUnlock(ctx context.Context, g *globals) error {
	home, err := g.stateHome()
	if err != nil {
		return err
	}
	client, err := api.Dial(ctx, home)
	if errors.Is(err, api.ErrNoNode) {
		return withHint(&bt.Error{Code: bt.NotFound, Err: errors.New("no node runs that could be unlocked")}, "\"shoal serve\" asks for the password, or takes --password-file")
	}
	if err != nil {
		return err
	}
	form, err := vault.At(home).Form()
	if err != nil {
		return err
	}
	doc, password := passwdDoc{Lock: "off", Code: bt.OK}, ""
	if form == vault.Locked {
		doc.Lock = "on"
		if password, err = g.askPassword(ctx, g.master(), "master password"); err != nil {
			return err
		}
	}
	if err := client.Unlock(ctx, password); err != nil {
		return err
	}
	return g.output().Result(doc, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "the node has its secrets")
		return err
	})
}
