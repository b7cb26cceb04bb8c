package commands

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

func newSharePeersCmd(g *globals) *cobra.Command {
	return oneShare("peers", "List the machines of a share that are connected, or were met",
		"List the machines of a share that are connected, or were met: node, address, whether it is in sync, what it lacks.",
		func(ctx context.Context, name string) error {
			return listFrom(ctx, g, "nobody was met yet", func(n *shareNode) ([]api.PeerInfo, error) { return n.Peers(ctx, name) }, writePeers)
		})
}

func writePeers(w io.Writer, peers []api.PeerInfo) error {
	if len(peers) == 0 {
		return nil
	}
	rows := [][]string{{"node", "name", "address", "state", "\tlacks", "\tsent", "\treceived", "last seen"}}
	for _, p := range peers {
		state := "away"
		switch {
		case p.Connected && p.InSync:
			state = "in sync"
		case p.Connected:
			state = "connected"
		}
		rows = append(rows, []string{shortKey(p.Node), p.Name, p.Addr, state, "\t" + ui.Size(p.Missing), "\t" + ui.Size(p.Sent),
			"\t" + ui.Size(p.Received), localTime(p.Last)})
	}
	return ui.Table(w, rows)
}

// shortKey is the beginning of a key that tells it from others.
func shortKey(hex string) string {
	if hex == "" {
		return "-"
	}
	return hex[:min(len(hex), 16)]
}

// localTime is a time for people.
func localTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func newShareMembersCmd(g *globals) *cobra.Command {
	return oneShare("members", "List the machines that belong to a share, and who admitted them",
		"List the machines that belong to a share, who admitted each, and those that came with a token and are not listed yet.",
		func(ctx context.Context, name string) error {
			return listFrom(ctx, g, "there are no members", func(n *shareNode) ([]api.MemberInfo, error) {
				members, err := n.Members(ctx, name)
				for i := range members {
					members[i].By = orEmpty(members[i].By)
				}
				return members, err
			}, writeMembers)
		})
}

func writeMembers(w io.Writer, members []api.MemberInfo) error {
	if len(members) == 0 {
		return nil
	}
	rows := [][]string{{"node", "label", "role", "joined by", "admitted by"}}
	for _, m := range members {
		var by []string
		for _, key := range m.By {
			by = append(by, shortKey(key))
		}
		chain := strings.Join(by, " < ")
		if !m.Listed {
			chain = "nobody"
		}
		label := m.Label
		if m.Self {
			label = strings.TrimSpace(label + " (this machine)")
		}
		rows = append(rows, []string{shortKey(m.Node), label, m.Role, m.How, chain})
	}
	return ui.Table(w, rows)
}

func newShareAdmitCmd(g *globals) *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "admit [flags] NAME NODE",
		Short: "Make a machine a member that came with a token",
		Long: "Make a machine a member of a share that came with a token. NODE is its key, as \"shoal share members\" shows it.\n" +
			"Only members count as keepers of copies, and only members get the keys of the share when \"shoal share rekey\" changes\n" +
			"them: those of --role. Without it that is what the machine says that it is, a store or a reader.",
		Example: "  shoal share admit photos 3b6a27bcceb6a42d",
		Args:    exactArgs(2, "the NAME of a share and the key of a NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name, key := cmd.Context(), args[0], strings.ToLower(args[1])
			if err := checkShareName(name); err != nil {
				return err
			}
			if len(key) < 8 || len(key) > 64 || strings.Trim(key, "0123456789abcdef") != "" {
				return withHint(usageErrorf("%q is not the key of a node", args[1]), "\"shoal share members %s\" shows them", name)
			}
			return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
				if err := n.Admit(ctx, name, key, role); err != nil {
					return err
				}
				return shareDoc{Share: name, Node: key, Code: bt.OK}.show(g, "%s is a member of %s", shortKey(key), name)
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "what it is listed as: read, write or store")
	return cmd
}
