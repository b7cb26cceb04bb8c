package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
	"shoal/share/secret"
	"shoal/share/vault"
)

// maxTokenText bounds what is read as a token, in bytes.
const maxTokenText = 16 << 10

// addOptions are the flags of share add.
type addOptions struct {
	shareNetworkOptions
	room             roomOptions
	name, secret     string
	include, exclude []string
	onDemand         bool
	look             durationValue
}

func newShareAddCmd(g *globals) *cobra.Command {
	var opts addOptions
	cmd := &cobra.Command{
		Use:   "add [flags] [TOKEN-FILE|-] DIR",
		Short: "Join a share with a token or an invite",
		Long: "Join a share with a token or the code of an invite, which is read from a file, from standard input (-), from the\n" +
			"environment variable SHOAL_TOKEN or, typed or pasted unseen, from a terminal. Files that are in DIR already are\n" +
			"taken into account: nothing is fetched twice, and nothing is lost. With a store token, DIR gets what cannot be\n" +
			"read. An invite asks the machine that made it, which must be on.",
		Example: "  shoal share add photos.token ~/Photos\n" +
			"  ssh desk shoal share token photos | shoal share add - ~/Photos\n" +
			"  shoal share add --on-demand --name films ~/Films",
		Args: rangeArgs(1, 2, "perhaps a TOKEN-FILE, and a DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareAdd(cmd.Context(), g, args, &opts)
		},
	}
	fs := cmd.Flags()
	opts.register(fs)
	fs.Lookup("lan-only").Usage = "local addresses only, found by --host and in the local network: no DHT, no trackers"
	fs.Lookup("tracker").Usage = "meet at the tracker at `URL` too"
	opts.room.register(fs)
	accept(cmd, shareAliases, networkAliases)
	fs.StringVar(&opts.name, "name", "", "call the share `NAME` here (default as its folder)")
	fs.StringVar(&opts.secret, "secret", "", "join with the token that the store of secrets has as `NAME`")
	globFlags(fs, &opts.include, &opts.exclude)
	fs.BoolVar(&opts.onDemand, "on-demand", false, "fetch nothing by itself: \"share ls\" shows all, \"share get\" fetches")
	fs.Var(&opts.look, "for", "with an invite, look for who made it for `DUR` (default 2m)")
	return cmd
}

// options are what the flags and the last argument say.
func (o *addOptions) options(args []string) (add api.AddOptions, err error) {
	if o.name != "" {
		if err := api.CheckName(o.name); err != nil {
			return add, err
		}
	}
	for _, glob := range append(append([]string{}, o.include...), o.exclude...) {
		if !doublestar.ValidatePattern(glob) {
			return add, usageErrorf("%q is no pattern for names", glob)
		}
	}
	if err := noSecretInArgs(args); err != nil {
		return add, err
	}
	if add.Options, err = shareConfig(o.cfg.LANOnly, o.hosts, o.trackers, o.room); err != nil {
		return add, err
	}
	add.Options.Select, add.Options.Exclude, add.Options.OnDemand = o.include, o.exclude, o.onDemand
	add.Name, add.Seconds = o.name, time.Duration(o.look).Seconds()
	add.Dir, err = absolute(args[len(args)-1])
	return add, err
}

func runShareAdd(ctx context.Context, g *globals, args []string, opts *addOptions) error {
	add, err := opts.options(args)
	if err != nil {
		return err
	}
	if add.Token, err = opts.token(ctx, g, args[:len(args)-1], &add); err != nil {
		return err
	}
	local := nodeOptions{access: toWrite}
	if isInvite(add.Token) {
		if local, err = opts.node(g, toMeet); err != nil {
			return err
		}
	}
	ctx = api.WithProgress(ctx, func(p api.Progress) {
		if p.Words != "" {
			g.output().Note("the other side is being asked; it must see these words: %s", p.Words)
		}
	})
	return g.withShares(ctx, local, func(n *shareNode) error {
		info, err := n.Add(ctx, add)
		if err != nil {
			return err
		}
		return showShare(g, n, info, fmt.Sprintf("\"shoal share status %s\" shows how far it is", info.Name))
	})
}

// token is the token to join with: of the store of secrets, or as [readToken] finds one.
func (o *addOptions) token(ctx context.Context, g *globals, args []string, add *api.AddOptions) (string, error) {
	if o.secret == "" {
		return readToken(ctx, g, args)
	}
	if len(args) > 0 {
		return "", usageErrorf("--secret and a TOKEN-FILE: want one of them")
	}
	v, password, err := g.vault(ctx)
	if err != nil {
		return "", err
	}
	list, err := v.Read(password)
	if err != nil {
		return "", err
	}
	e, err := vault.Find(list, o.secret)
	if err != nil {
		return "", err
	}
	if e.Secret.Kind == vault.Node {
		return "", usageErrorf("%s is the key of a machine, and no token", o.secret)
	}
	if add.Name == "" && api.CheckName(e.Label) == nil {
		add.Name = e.Label
	}
	return e.Secret.Text(), nil
}

// looksLikeToken reports whether an argument is a secret rather than the name of a file.
func looksLikeToken(arg string) bool {
	arg = strings.ToLower(strings.TrimSpace(arg))
	for _, prefix := range []string{"shoala1", "shoalw1", "shoalr1", "shoals1", "shoali1", "shoaln1", "shoal:?"} {
		if strings.HasPrefix(arg, prefix) && len(arg) > 32 {
			return true
		}
	}
	return false
}

// isInvite reports whether a text is the code of an invite rather than a token.
func isInvite(text string) bool { return strings.HasPrefix(strings.ToLower(text), "shoali1") }

// readToken reads a token, its URL form or the code of an invite from where the arguments say, and checks it.
func readToken(ctx context.Context, g *globals, args []string) (string, error) {
	return readSecret(ctx, g, args, checkToken)
}

// readSecret reads a secret from where the arguments say, and checks it.
func readSecret(ctx context.Context, g *globals, args []string, check func(text string) error) (string, error) {
	text, from := os.Getenv("SHOAL_TOKEN"), "SHOAL_TOKEN"
	switch {
	case len(args) == 1:
		var err error
		if from = args[0]; from == "-" {
			from = "standard input"
		}
		if text, err = readTokenFile(ctx, g, args[0]); err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
	case text == "":
		var err error
		text, err = g.output().Secret(ctx, g.in, "token")
		if errors.Is(err, ui.ErrNoTerminal) {
			return "", withHint(usageErrorf("no token given"), "\"-\" before DIR reads it from standard input")
		}
		if err != nil {
			return "", err
		}
		from = "what was typed"
	}
	text = strings.TrimSpace(text)
	if err := check(text); err != nil {
		return "", &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading %s: %w", from, err)}
	}
	return text, nil
}

// readTokenFile reads a small file, or standard input to its end.
func readTokenFile(ctx context.Context, g *globals, name string) (string, error) {
	f, err := g.open(name)
	if err != nil {
		return "", &bt.Error{Code: bt.BadInput, Err: err}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(untilDone(ctx, f), maxTokenText+1))
	if err == nil && len(b) > maxTokenText {
		err = &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("%s is too long for one", name)}
	}
	return string(b), err
}

// checkToken checks a token, its URL form, or the code of an invite.
func checkToken(text string) error {
	if isInvite(text) {
		_, err := secret.ParseInvite(text)
		return err
	}
	if strings.HasPrefix(strings.ToLower(text), "shoal:") {
		_, err := secret.ParseURL(text)
		return err
	}
	_, err := secret.ParseToken(text)
	return err
}
