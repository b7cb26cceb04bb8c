package commands

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// maxTorrentFile is how many bytes of a .torrent the node takes.
const maxTorrentFile = 40 << 20

// A torrentItem is a torrent of the node, or why it is not.
type torrentItem struct {
	Source string `json:"source"`
	*api.TorrentInfo
	failure
}

// torrentsOptions are the flags of serve add and serve rm.
type torrentsOptions struct {
	dir      string
	failFast bool
}

func newServeAddCmd(g *globals) *cobra.Command {
	var opts torrentsOptions
	cmd := &cobra.Command{
		Use:   "add [flags] {SOURCE | PATH}...",
		Short: "Have the node seed or fetch torrents",
		Long: "Have the node seed files, folders and torrents, or fetch what torrents, magnets, infohashes and URLs name, from\n" +
			"now on and after each start.",
		Example: "  shoal serve add film.mkv\n  shoal serve add -d /srv/isos debian.torrent",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(usageErrorf("nothing to add"), "name a file, a folder, a .torrent, a magnet; see \"shoal serve add --help\"")
			}
			return g.eachTorrent(cmd.Context(), args, opts.failFast, "added", func(ctx context.Context, n *shareNode, arg string) (*api.TorrentInfo, error) {
				add, err := torrentOf(ctx, g, arg, opts.dir)
				if err != nil {
					return nil, err
				}
				return n.AddTorrent(ctx, add)
			})
		},
	}
	cmd.Flags().StringVarP(&opts.dir, "dir", "d", ".", "the data of torrents is in, or goes to, `DIR`")
	cmd.Flags().BoolVar(&opts.failFast, "fail-fast", false, "stop when one cannot be added")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

func newServeRmCmd(g *globals) *cobra.Command {
	var opts torrentsOptions
	cmd := &cobra.Command{
		Use:     "rm [flags] HASH...",
		Short:   "Have the node give up torrents, and keep their files",
		Long:    "Have the node neither seed nor fetch torrents any more. Files stay. HASH is an infohash or its beginning.",
		Example: "  shoal serve rm 0123456789abcdef0123456789abcdef01234567",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return withHint(usageErrorf("no HASH given"), "\"shoal serve list\" lists them")
			}
			for _, arg := range args {
				if len(arg) < 4 || strings.Trim(strings.ToLower(arg), "0123456789abcdef") != "" {
					return withHint(usageErrorf("%q is no infohash, nor the beginning of one", arg), "\"shoal serve list\" lists them")
				}
			}
			return g.eachTorrent(cmd.Context(), args, opts.failFast, "removed", func(ctx context.Context, n *shareNode, arg string) (*api.TorrentInfo, error) {
				return n.RemoveTorrent(ctx, strings.ToLower(arg))
			})
		},
	}
	cmd.Flags().BoolVar(&opts.failFast, "fail-fast", false, "stop when one cannot be removed")
	return cmd
}

// eachTorrent does something about each argument, and shows the torrents that it was about.
func (g *globals) eachTorrent(ctx context.Context, args []string, failFast bool, verb string, do func(context.Context, *shareNode, string) (*api.TorrentInfo, error)) error {
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		doc, worst := listDoc[torrentItem]{}, 0
		for _, arg := range args {
			info, err := do(ctx, n, arg)
			f, status := g.tell(ctx, arg, len(args) > 1, err)
			doc.Results = append(doc.Results, torrentItem{arg, info, f})
			if worst = max(worst, status); worst != 0 && (failFast || ctx.Err() != nil) {
				break
			}
		}
		err := g.output().Result(doc, func(w io.Writer) error {
			for _, r := range doc.Results {
				if r.TorrentInfo == nil {
					continue
				}
				if _, err := fmt.Fprintln(w, verb, ui.Quote(r.Name), cmp.Or(r.InfoHash, r.InfoHashV2)); err != nil {
					return err
				}
			}
			return nil
		})
		return cmp.Or(err, shownStatus(worst))
	})
}

// torrentOf is what an argument of serve add names: data to seed, the contents of a .torrent, or what the node looks for.
func torrentOf(ctx context.Context, g *globals, arg, dir string) (opts api.TorrentOptions, err error) {
	if opts.Dir, err = absolute(dir); err != nil {
		return opts, err
	}
	if info, err := os.Stat(arg); err == nil && (info.IsDir() || !isTorrentFile(arg) || !strings.HasSuffix(arg, ".torrent")) {
		path, err := absolute(arg)
		return api.TorrentOptions{Path: path}, err
	}
	src, err := bt.ParseSource(arg)
	if err != nil {
		return opts, err
	}
	if src.Path == "" && !src.Stdin {
		opts.Source = arg
		return opts, nil
	}
	opts.Metainfo, err = readTorrent(ctx, g, arg)
	return opts, err
}

// readTorrent reads a .torrent and checks that it is one.
func readTorrent(ctx context.Context, g *globals, name string) ([]byte, error) {
	f, err := g.open(name)
	if err != nil {
		return nil, &bt.Error{Code: bt.BadInput, Err: err}
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(untilDone(ctx, f), maxTorrentFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(b) > maxTorrentFile {
		return nil, &bt.Error{Code: bt.BadInput, Err: fmt.Errorf("reading %s: it is longer than %s", name, ui.Size(maxTorrentFile))}
	}
	if _, err := bt.ReadMetainfo(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return b, nil
}

func newServeListCmd(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the torrents of the node",
		Long:    "List the torrents that the node seeds and fetches: how much is there, what comes and goes, infohash, name.",
		Example: "  shoal serve list",
		Args:    exactArgs(0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return listFrom(ctx, g, "there are no torrents", func(n *shareNode) ([]api.TorrentInfo, error) { return n.ListTorrents(ctx) }, writeTorrents)
		},
	}
}

func writeTorrents(w io.Writer, torrents []api.TorrentInfo) error {
	if len(torrents) == 0 {
		return nil
	}
	rows := [][]string{{"state", "\tthere", "\tof", "\tdown", "\tup", "\tpeers", "infohash", "name"}}
	for _, t := range torrents {
		name := t.Name
		if t.Error != "" {
			name += ": " + t.Error
		}
		rows = append(rows, []string{t.State, "\t" + ui.Size(t.Done), "\t" + ui.Size(t.Total), "\t" + ui.Rate(float64(t.Down)),
			"\t" + ui.Rate(float64(t.Up)), fmt.Sprintf("\t%d", t.Peers), cmp.Or(t.InfoHash, t.InfoHashV2), name})
	}
	return ui.Table(w, rows)
}
