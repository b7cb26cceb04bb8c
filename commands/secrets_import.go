package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
	"shoal/share/vault"
)

// importOptions are the flags of secrets import.
type importOptions struct {
	password string
	nodeKey  bool
}

func newSecretsImportCmd(g *globals) *cobra.Command {
	var opts importOptions
	cmd := &cobra.Command{
		Use:   "import [flags] FILE|-",
		Short: "Take back what export wrote",
		Long: "Take back what \"secrets export\" wrote, in any of its formats, also after KeePassXC changed it. Only what is not in\n" +
			"the store is added. The key by which others know a machine stays behind, lest two machines have the same:\n" +
			"--node-key takes it over, when the machine that had it is gone.",
		Example: "  shoal secrets import backup.age\n  shoal secrets import --node-key shoal.kdbx",
		Args:    exactArgs(1, "the FILE that was exported"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSecretsImport(cmd.Context(), g, args[0], opts)
		},
	}
	cmd.Flags().StringVar(&opts.password, "export-password-file", "", exportPasswordHelp)
	cmd.Flags().BoolVar(&opts.nodeKey, "node-key", false, "be the machine that FILE is from, which is gone")
	return cmd
}

// An importedItem is what became of a secret of an imported file.
type importedItem struct {
	Label   string `json:"label"`
	Role    string `json:"role"`
	Outcome string `json:"outcome"`
}

func runSecretsImport(ctx context.Context, g *globals, name string, opts importOptions) error {
	b, err := readExport(ctx, g, name)
	if err != nil {
		return err
	}
	v, master, err := g.vault(ctx)
	if err != nil {
		return err
	}
	list, err := g.opening(ctx, b, opts.password, master)
	if err != nil {
		return err
	}
	for i := range list { // it was the other node that put it there
		list[i].Tags = slices.DeleteFunc(list[i].Tags, func(tag string) bool { return tag == vault.TagNode })
	}
	if !opts.nodeKey {
		list = withoutNodeKey(g, list)
	}
	var done []vault.Merged
	err = v.Update(ctx, master, func(have []vault.Entry) (_ []vault.Entry, err error) {
		if i := slices.IndexFunc(list, isNodeKey); i >= 0 && slices.ContainsFunc(have, func(e vault.Entry) bool { return isNodeKey(e) && !e.Secret.Is(list[i].Secret) }) {
			if err := g.checkFresh(ctx); err != nil {
				return nil, err
			}
			have = slices.DeleteFunc(have, isNodeKey)
		}
		have, done, err = vault.Merge(have, list)
		return have, err
	})
	if err != nil {
		return err
	}
	return showImported(g, done)
}

func isNodeKey(e vault.Entry) bool { return e.Secret.Kind == vault.Node }

// withoutNodeKey leaves the key of another machine behind, and says so.
func withoutNodeKey(g *globals, list []vault.Entry) []vault.Entry {
	if slices.ContainsFunc(list, isNodeKey) {
		g.output().Note("the key of the machine that the file is from stays behind; --node-key takes it over, when that machine is gone")
	}
	return slices.DeleteFunc(list, isNodeKey)
}

// readExport reads a file that was exported, or standard input.
func readExport(ctx context.Context, g *globals, name string) ([]byte, error) {
	f, err := g.open(name)
	if err != nil {
		return nil, &bt.Error{Code: bt.BadInput, Err: err}
	}
	defer f.Close()
	return vault.ReadAll(untilDone(ctx, f))
}

// opening reads what was exported: with the password given for it, else the master password, else one that is asked for.
func (g *globals) opening(ctx context.Context, b []byte, file, master string) ([]vault.Entry, error) {
	if !vault.FormatOf(b).Sealed() {
		return vault.Decode(b, "")
	}
	const question = "password of the exported file"
	from := exportPassword(file)
	password, err := g.givenPassword(ctx, from)
	switch {
	case err != nil:
		return nil, err
	case password == "" && master != "":
		list, err := vault.Decode(b, master)
		if bt.CodeOf(err) != api.Denied {
			return list, err
		}
		if password, err = g.output().Secret(ctx, g.in, question); errors.Is(err, ui.ErrNoTerminal) {
			return nil, withHint(&bt.Error{Code: api.Denied, Err: errors.New("the file does not open with the master password")},
				"--export-password-file or SHOAL_EXPORT_PASSWORD has that of the file")
		} else if err != nil {
			return nil, err
		}
	case password == "":
		if password, err = g.askPassword(ctx, g.master(), question); err != nil {
			return nil, err
		}
	}
	return vault.Decode(b, password)
}

// checkFresh refuses another key for a machine that others know already.
func (g *globals) checkFresh(ctx context.Context) error {
	home, err := g.stateHome()
	if err != nil {
		return err
	}
	if _, err := api.Dial(ctx, home); err == nil {
		return withHint(&bt.Error{Code: bt.Busy, Err: errors.New("a node runs, with the key of this machine")}, "stop it first")
	}
	any := false
	closed := func(context.Context) (string, error) { return "", nil }
	err = g.withShares(ctx, nodeOptions{access: toRead, password: closed}, func(n *shareNode) error {
		shares, err := n.List(ctx)
		any = len(shares) > 0
		return err
	})
	if err == nil && any {
		return &bt.Error{Code: bt.Exists, Err: errors.New("this machine has shares, in which others know it by its own key")}
	}
	return err
}

func showImported(g *globals, done []vault.Merged) error {
	items := make([]importedItem, len(done))
	added := 0
	for i, m := range done {
		items[i] = importedItem{m.Entry.Label, m.Entry.Secret.Role(), string(m.What)}
		switch m.What {
		case vault.Added:
			added++
		case vault.Refused:
			g.output().Note("%s is left out: another secret here says to be the %s secret of the same share", g.output().Name(m.Entry.Label), items[i].Role)
		}
	}
	g.output().Note("%d of %s added", added, ui.Count(len(done), "secret"))
	return g.output().Result(listDoc[importedItem]{items}, func(w io.Writer) error {
		for _, i := range items {
			if i.Outcome != string(vault.Added) {
				continue
			}
			if _, err := fmt.Fprintf(w, "added %s (%s)\n", g.output().Name(i.Label), i.Role); err != nil {
				return err
			}
		}
		return nil
	})
}
