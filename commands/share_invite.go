package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
	"shoal/share/secret"
)

// inviteOptions are the flags of share invite.
type inviteOptions struct {
	shareNetworkOptions
	role     string
	expires  durationValue
	approve  bool
	at       string
	qr, list bool
	revoke   string
}

func newShareInviteCmd(g *globals) *cobra.Command {
	var opts inviteOptions
	cmd := &cobra.Command{
		Use:   "invite [flags] NAME",
		Short: "Print a code with which one machine can join, once",
		Long: "Print a code with which one machine can join a share, once and within a day: \"shoal share add\" takes it. The\n" +
			"node must be up when it is used; where none runs this command is one, until somebody has joined. With --approve\n" +
			"you are asked before somebody is let in, and shown four words, which the other machine shows too.",
		Example: "  shoal share invite photos\n" +
			"  shoal share invite photos --role write --approve --expires 1h\n" +
			"  shoal share invite photos --list",
		Args: exactArgs(1, "the NAME of a share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareInvite(cmd.Context(), g, args[0], &opts)
		},
	}
	fs := cmd.Flags()
	opts.register(fs)
	accept(cmd, shareAliases, networkAliases)
	fs.Var(newChoice(&opts.role, "read", "write", "store"), "role", "what it allows: `read|write|store`")
	fs.Var(&opts.expires, "expires", "it is good for `DUR` (default 24h)")
	fs.BoolVar(&opts.approve, "approve", false, "ask before who comes is let in")
	fs.StringVar(&opts.at, "at", "", "write the address `IP:PORT` of this machine into the code, to be found by it")
	fs.BoolVar(&opts.qr, "qr", false, "draw it as a QR symbol too")
	fs.BoolVar(&opts.list, "list", false, "list the invites that there are, and what became of them")
	fs.StringVar(&opts.revoke, "revoke", "", "end the invite `ID` of that list")
	return cmd
}

func (o *inviteOptions) check(g *globals, name string) error {
	if err := checkShareName(name); err != nil {
		return err
	}
	switch {
	case o.list && o.revoke != "":
		return usageErrorf("--list and --revoke are two things")
	case o.qr && g.json:
		return usageErrorf("--qr is for eyes, --json for programs")
	}
	if o.at != "" {
		if a, err := netip.ParseAddrPort(o.at); err != nil || a.Port() == 0 || a.Addr().IsUnspecified() {
			return usageErrorf("--at %q: want IP:PORT", o.at)
		}
	}
	return nil
}

func runShareInvite(ctx context.Context, g *globals, name string, opts *inviteOptions) error {
	if err := opts.check(g, name); err != nil {
		return err
	}
	switch {
	case opts.list:
		return listInvites(ctx, g, name)
	case opts.revoke != "":
		return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
			if err := n.RevokeInvite(ctx, name, opts.revoke); err != nil {
				return err
			}
			return shareDoc{Share: name}.show(g, "nobody can join %s with that invite any more", name)
		})
	}
	local, err := opts.node(g, toMeet)
	if err != nil {
		return err
	}
	return g.withShares(ctx, local, func(n *shareNode) error {
		info, err := n.Invite(ctx, name, api.InviteOptions{Role: opts.role, Seconds: time.Duration(opts.expires).Seconds(), Approve: opts.approve, At: opts.at})
		if err != nil {
			return err
		}
		if err := showInvite(g, info, opts.qr); err != nil {
			return err
		}
		g.output().Note("whoever has this code can join %s, role %s, once, until %s", name, info.Role, localTime(info.Expires))
		if n.running && !opts.approve {
			return nil
		}
		if !n.running {
			g.output().Note("no node runs: this command waits until somebody has joined; when it is ended, \"shoal serve\" goes on with that")
		}
		return awaitInvite(ctx, g, n, info)
	})
}

// showInvite shows a code, and a symbol of it.
func showInvite(g *globals, info *api.InviteInfo, qr bool) error {
	text := info.Code + "\n"
	if qr {
		symbol, err := secret.QR(info.Code, false)
		if err != nil {
			return err
		}
		text = symbol + text
	}
	return g.output().Event(info, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// awaitInvite waits for what becomes of an invite, and asks when somebody is to be let in.
func awaitInvite(ctx context.Context, g *globals, n *shareNode, info *api.InviteInfo) error {
	in := bufio.NewReader(untilDone(ctx, g.in))
	name, others := info.Share, int64(0)
	for {
		var err error
		if info, err = n.AwaitInvite(ctx, name, info.ID, info.State); err != nil {
			return err
		}
		if err := g.output().Event(info, func(w io.Writer) error { return writeInviteNews(w, info) }); err != nil {
			return err
		}
		if info.Others > others {
			others = info.Others
			g.output().Note("another machine tried the same code, and was refused: \"already used\"")
		}
		switch info.State {
		case api.InviteAsked:
			if err := answerInvite(ctx, g, n, info, in); err != nil {
				return err
			}
		case api.InviteBound:
		case api.InviteDone:
			return nil
		default:
			return &bt.Error{Code: api.Denied, Err: errors.New("the invite is over, and nobody joined: it is " + info.State)}
		}
	}
}

// answerInvite asks whether who came is to be let in.
func answerInvite(ctx context.Context, g *globals, n *shareNode, info *api.InviteInfo, in *bufio.Reader) error {
	who := ui.Quote(info.Label)
	if info.Label == "" {
		who = shortKey(info.Node)
	}
	_, _ = fmt.Fprintf(g.output().Log(), "%s wants to join %s, role %s. It must show these words: %s\nLet it in? [y/N] ", who, ui.Quote(info.Share), info.Role, info.Words)
	line, err := in.ReadString('\n')
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && line == "" {
		return withHint(&bt.Error{Code: api.Held, Err: errors.New("there is nobody to ask")},
			"\"shoal share admit %s %s\" lets it in, \"shoal share invite --revoke %s %s\" does not", info.Share, shortKey(info.Node), shortKey(info.ID), info.Share)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return n.Admit(ctx, info.Share, info.Node, "")
	}
	return n.RevokeInvite(ctx, info.Share, info.ID)
}

// writeInviteNews says what became of an invite.
func writeInviteNews(w io.Writer, info *api.InviteInfo) error {
	if info.State != api.InviteDone {
		return nil
	}
	who := info.Label
	if who == "" {
		who = shortKey(info.Node)
	}
	_, err := fmt.Fprintf(w, "%s joined %s, role %s\n", ui.Quote(who), ui.Quote(info.Share), info.Role)
	return err
}

func listInvites(ctx context.Context, g *globals, name string) error {
	return listFrom(ctx, g, "there are no invites", func(n *shareNode) ([]api.InviteInfo, error) { return n.Invites(ctx, name) }, writeInvites)
}

func writeInvites(w io.Writer, all []api.InviteInfo) error {
	if len(all) == 0 {
		return nil
	}
	rows := [][]string{{"invite", "role", "state", "until", "who came", "words", "\tothers"}}
	for _, i := range all {
		who := i.Label
		if i.Node != "" {
			who = strings.TrimSpace(who + " " + shortKey(i.Node))
		}
		rows = append(rows, []string{shortKey(i.ID), i.Role, i.State, localTime(i.Expires), who, i.Words, fmt.Sprintf("\t%d", i.Others)})
	}
	return ui.Table(w, rows)
}
