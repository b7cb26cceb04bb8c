package commands

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/share/vault"
)

// secretOptions are the flags of secrets add.
type secretOptions struct {
	note string
	tags []string
}

func newSecretsAddCmd(g *globals) *cobra.Command {
	var opts secretOptions
	cmd := &cobra.Command{
		Use:   "add [flags] [TOKEN-FILE|-] NAME",
		Short: "Put a token into the store",
		Long: "Put a token into the store, to have it: no share is joined. It is read as \"share add\" reads one: from a file, from\n" +
			"standard input (-), from SHOAL_TOKEN or, typed or pasted unseen, from a terminal. \"share add --secret NAME\" joins\n" +
			"with it later.",
		Example: "  shoal secrets add photos.token photos --note \"from Ben\" --tag family",
		Args:    rangeArgs(1, 2, "perhaps a TOKEN-FILE, and a NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSecretsAdd(cmd.Context(), g, args, opts)
		},
	}
	cmd.Flags().StringVar(&opts.note, "note", "", "what to remember about it: a `TEXT`")
	cmd.Flags().StringArrayVar(&opts.tags, "tag", nil, "a `WORD` to find it by")
	return cmd
}

func runSecretsAdd(ctx context.Context, g *globals, args []string, opts secretOptions) error {
	if err := noSecretInArgs(append(slices.Clone(args), opts.note)); err != nil {
		return err
	}
	name := args[len(args)-1]
	if name == "" {
		return usageErrorf("a secret needs a name")
	}
	text, err := readSecret(ctx, g, args[:len(args)-1], func(text string) error { _, err := vault.Parse(text); return err })
	if err != nil {
		return err
	}
	s, err := vault.Parse(text)
	if err != nil {
		return &bt.Error{Code: bt.BadInput, Err: err}
	}
	if s.Kind == vault.Node {
		return withHint(usageErrorf("a machine has one key, and this is that of another"), "\"secrets import --node-key\" takes it over with all else")
	}
	v, password, err := g.vault(ctx)
	if err != nil {
		return err
	}
	e := vault.Entry{Label: name, Secret: s, Added: time.Now(), Note: opts.note, Tags: opts.tags}
	err = v.Update(ctx, password, func(list []vault.Entry) ([]vault.Entry, error) {
		if _, err := vault.Find(list, name); err == nil {
			return nil, &bt.Error{Code: bt.Exists, Err: fmt.Errorf("there is a secret %q already", name)}
		}
		list, done, err := vault.Merge(list, []vault.Entry{e})
		if err != nil {
			return nil, err
		}
		e = done[0].Entry
		switch done[0].What {
		case vault.Known:
			return nil, &bt.Error{Code: bt.Exists, Err: fmt.Errorf("this secret is here already, as %s", e.Label)}
		case vault.Refused:
			return nil, &bt.Error{Code: bt.Exists, Err: fmt.Errorf("another secret is here that says to be the %s secret of this share: one of the two is wrong", s.Role())}
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	return showSecret(g, &e, "%s (%s) is in the store", e.Label, s.Role())
}

func newSecretsRmCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a secret from the store, for good",
		Long: "Remove a secret from the store. Without a copy elsewhere, what it opens is closed for good. One that a share of\n" +
			"this machine needs stays: \"share rm\" first.",
		Example: "  shoal secrets rm photos",
		Args:    exactArgs(1, "the NAME of a secret"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSecretsRm(cmd.Context(), g, args[0])
		},
	}
}

func runSecretsRm(ctx context.Context, g *globals, name string) error {
	v, password, err := g.vault(ctx)
	if err != nil {
		return err
	}
	used, err := g.usedSecrets(ctx)
	if err != nil {
		return err
	}
	var gone vault.Entry
	err = v.Update(ctx, password, func(list []vault.Entry) ([]vault.Entry, error) {
		e, err := vault.Find(list, name)
		if err != nil {
			return nil, err
		}
		switch gone = *e; {
		case e.Secret.Kind == vault.Node:
			return nil, &bt.Error{Code: bt.Busy, Err: fmt.Errorf("%s is the key of this machine", name)}
		case slices.Contains(e.Tags, vault.TagNode):
			return nil, withHint(&bt.Error{Code: bt.Busy, Err: fmt.Errorf("the node itself keeps %s", name)}, "it goes with the link or the invite that it is of")
		case used(e.Secret):
			return nil, withHint(&bt.Error{Code: bt.Busy, Err: fmt.Errorf("a share of this machine needs %s", name)}, "\"shoal share rm\" leaves the share")
		}
		return slices.DeleteFunc(list, func(e vault.Entry) bool { return e.Label == name }), nil
	})
	if err != nil {
		return err
	}
	return showSecret(g, &gone, "%s is not in the store any more", name)
}
