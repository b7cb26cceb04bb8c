package commands

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// configOptions are the flags that say how this machine meets the others of a share, and what room it gives.
type configOptions struct {
	lanOnly         bool
	hosts, trackers []string
	room            roomOptions
}

// roomOptions are the flags that say how much of a share this machine holds.
type roomOptions struct{ quota, reserve sizeValue }

func (o *roomOptions) register(fs *pflag.FlagSet) {
	fs.Var(&o.quota, "quota", "hold no more than `SIZE` of the share here; 0 is no limit")
	fs.Var(&o.reserve, "reserve", "leave `SIZE` of the disk free; 0 is 16M")
}

func (o *configOptions) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&o.lanOnly, "lan-only", false, "local addresses only, found by --host and in the local network: no DHT, no trackers")
	registerHosts(fs, &o.hosts)
	fs.StringArrayVarP(&o.trackers, "tracker", "t", nil, "meet at the tracker at `URL` too")
	o.room.register(fs)
	accept(cmd, shareAliases)
}

func (o *configOptions) config() (api.ShareConfig, error) {
	return shareConfig(o.lanOnly, o.hosts, o.trackers, o.room)
}

func shareConfig(lanOnly bool, hosts, trackers []string, room roomOptions) (api.ShareConfig, error) {
	trackers = splitTrackers(trackers)
	return api.ShareConfig{LANOnly: lanOnly, Hosts: hosts, Trackers: trackers, Quota: int64(room.quota), Reserve: int64(room.reserve)},
		checkHosts(hosts, trackers)
}

func newShareCreateCmd(g *globals) *cobra.Command {
	var opts configOptions
	cmd := &cobra.Command{
		Use:   "create [flags] NAME [DIR]",
		Short: "Make a share of a folder",
		Long: "Make a new share of the files in DIR, which stay where they are. Without DIR it holds only links. The other\n" +
			"machines join with what \"shoal share token\" prints.",
		Example: "  shoal share create photos ~/Photos\n  shoal share create --lan-only --host 192.168.1.20:6881 team /srv/team",
		Args:    rangeArgs(1, 2, "a NAME and perhaps a DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShareCreate(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd)
	return cmd
}

func runShareCreate(ctx context.Context, g *globals, args []string, opts configOptions) error {
	if err := api.CheckName(args[0]); err != nil {
		return err
	}
	create := api.CreateOptions{Name: args[0]}
	var err error
	if create.Options, err = opts.config(); err != nil {
		return err
	}
	if len(args) == 2 {
		if create.Dir, err = absolute(args[1]); err != nil {
			return err
		}
	}
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		info, err := n.Create(ctx, create)
		if err != nil {
			return err
		}
		return showShare(g, n, info, fmt.Sprintf("\"shoal share token %s\" prints what others join with", info.Name))
	})
}

// absolute is the absolute path of a file or folder that the user named.
func absolute(name string) (string, error) {
	if name == "" {
		return "", usageErrorf("an empty path names no folder")
	}
	return filepath.Abs(name)
}

// showShare shows a share that is new here, and what to do next.
func showShare(g *globals, n *shareNode, info *api.ShareInfo, next string) error {
	err := g.output().Result(info, func(w io.Writer) error { return writeShares(w, []api.ShareInfo{*info}) })
	if n.running {
		g.output().Note("%s", next)
	} else {
		g.output().Note("%s; \"shoal serve\" keeps it in sync", next)
	}
	return err
}

// writeShares writes a line for each share.
func writeShares(w io.Writer, shares []api.ShareInfo) error {
	var rows [][]string
	for _, s := range shares {
		dir := s.Dir
		if dir == "" {
			dir = "-"
		}
		rows = append(rows, []string{s.Name, s.Role, s.State, dir})
	}
	return ui.Table(w, rows)
}

func newShareListCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the shares of this machine",
		Long:    "List the shares of this machine: name, role, state, folder.",
		Example: "  shoal share list\n  shoal share list --json | jq -r '.results[].name'",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return listFrom(ctx, g, "there are no shares", func(n *shareNode) ([]api.ShareInfo, error) { return n.List(ctx) }, writeShares)
		},
	}
}

func newShareRmCmd(g *globals) *cobra.Command {
	return oneShare("rm", "Leave a share, and keep its files",
		"Forget a share on this machine. Its files stay; other machines keep theirs. What only this machine had is theirs no more.",
		func(ctx context.Context, name string) error {
			return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
				if err := n.Remove(ctx, name); err != nil {
					return err
				}
				return shareDoc{Share: name}.show(g, "%s is no share of this machine any more; its files stay", name)
			})
		})
}

// globFlags registers flags that say which files of a share are kept here.
func globFlags(fs *pflag.FlagSet, include, exclude *[]string) {
	fs.StringArrayVar(include, "select", nil, "keep only files and folders that match `GLOB` here")
	fs.StringArrayVar(exclude, "exclude", nil, "keep nothing that matches `GLOB` here")
}
