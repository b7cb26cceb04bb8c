package commands

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shoal/annex"
	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// An annexSeedItem is a torrent that annex seed gave to the node, or why it did not.
type annexSeedItem struct {
	Name       string   `json:"name"`
	InfoHash   string   `json:"infohash,omitempty"`
	InfoHashV2 string   `json:"infohash_v2,omitempty"`
	Magnet     string   `json:"magnet,omitempty"`
	Made       bool     `json:"made"`  // of content that came from no torrent
	Files      []string `json:"files"` // of the torrent that are here
	Bytes      int64    `json:"bytes"` // of these
	Total      int64    `json:"total"` // of the torrent
	State      string   `json:"state,omitempty"`
	failure
}

func newAnnexSeedCmd(g *globals) *cobra.Command {
	var opts annexOptions
	cmd := &cobra.Command{
		Use:   "seed [flags] [PATH...]",
		Short: "Have the node seed annexed content",
		Long: "Have the node (\"shoal serve\") seed the annexed content below PATH, or below the current folder, where it lies in the\n" +
			"annex, without another copy. What came from torrents is seeded as these torrents, also when only some of their files\n" +
			"are here. What did not is seeded only when PATH is given: each PATH becomes a torrent. What is dropped is not seeded\n" +
			"any more, and is again when it comes back. With --register the torrents that are made are recorded in the repository,\n" +
			"so that its clones get the content from here.",
		Example: "  shoal annex seed\n  shoal annex seed --register holiday.mkv",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnnexSeed(cmd.Context(), g, args, opts)
		},
	}
	opts.register(cmd.Flags())
	cmd.Flags().BoolVar(&opts.record, "register", false, "record the torrents that are made, for clones")
	return cmd
}

func runAnnexSeed(ctx context.Context, g *globals, paths []string, opts annexOptions) error {
	dir, err := currentDir()
	if err != nil {
		return err
	}
	r, err := annex.OpenRepository(ctx, dir)
	if err != nil {
		return err
	}
	if err := opts.network.check(); err != nil {
		return err
	}
	if _, err := opts.network.sources(nil); err != nil {
		return err
	}
	seeds, err := findSeeds(ctx, g, r, paths, opts)
	if err != nil {
		return err
	}
	return g.withShares(ctx, nodeOptions{access: toWrite}, func(n *shareNode) error {
		doc, worst := listDoc[annexSeedItem]{}, 0
		for _, s := range seeds {
			item, err := giveSeed(ctx, r, n, s)
			if err == nil && s.Made && opts.record {
				err = recordSeed(ctx, r, s, opts.remote)
			}
			var status int
			item.failure, status = g.tell(ctx, s.Name, len(seeds) > 1, err)
			doc.Results = append(doc.Results, item)
			if worst = max(worst, status); ctx.Err() != nil {
				break
			}
		}
		err := g.output().Result(doc, func(w io.Writer) error { return writeSeeds(w, doc.Results) })
		if err == nil && !n.running {
			g.output().Note("no node runs: \"shoal serve\" begins to seed")
		}
		return cmp.Or(err, shownStatus(worst))
	})
}

// findSeeds looks for what there is to seed. The torrents of strangers that are asked about may be at local addresses only
// where the repository allows that.
func findSeeds(ctx context.Context, g *globals, r *annex.Repository, paths []string, opts annexOptions) ([]annex.Seed, error) {
	display := g.output().NewDisplay()
	defer display.Close()
	var client *bt.Client
	defer func() {
		if client != nil {
			client.Close()
		}
	}()
	return r.Seeds(ctx, annex.SeedOptions{
		Paths: paths, Trackers: opts.network.trackers, Progress: func(p bt.Progress) { display.Update("the annex", p) },
		Fetch: func(ctx context.Context, src *bt.Source, local bool) (*bt.Metainfo, error) {
			if client == nil {
				cfg, err := opts.network.config(g)
				if err != nil {
					return nil, err
				}
				cfg.NoLocal = !local && !cfg.LANOnly
				if client, err = bt.NewClient(ctx, cfg); err != nil {
					return nil, err
				}
			}
			return client.FetchMetainfo(ctx, src, bt.MetadataOptions{Peers: opts.network.peers, Trackers: opts.network.trackers,
				Timeout: time.Duration(opts.metadata), Progress: func(p bt.Progress) { display.Update(src.Arg, p) }})
		},
	})
}

// giveSeed has the node seed what is here of a torrent.
func giveSeed(ctx context.Context, r *annex.Repository, n *shareNode, s annex.Seed) (item annexSeedItem, err error) {
	item = annexSeedItem{Name: s.Name, Made: s.Made, Files: []string{}}
	if s.Err != nil {
		return item, s.Err
	}
	item.Total = s.Torrent.Length
	for i, f := range s.Torrent.Files {
		if s.Files[i] != "" {
			item.Files, item.Bytes = append(item.Files, f.Path), item.Bytes+f.Length
		}
	}
	info, err := n.AddTorrent(ctx, api.TorrentOptions{Metainfo: s.Torrent.Bytes(), Dir: r.GitDir, Files: s.Files})
	if err != nil {
		return item, err
	}
	item.InfoHash, item.InfoHashV2, item.Magnet, item.State = info.InfoHash, info.InfoHashV2, info.Magnet, info.State
	return item, nil
}

// recordSeed notes in the repository that content is of a torrent that was made of it.
func recordSeed(ctx context.Context, r *annex.Repository, s annex.Seed, remote string) error {
	added, err := r.Register(ctx, annex.RegisterOptions{Torrent: s.Torrent, Remote: remote,
		Source: &bt.Source{Arg: s.Name, Magnet: bt.MagnetOf(s.Torrent, bt.MagnetOptions{})}})
	return cmp.Or(err, annex.Failures(added))
}

// writeSeeds writes a line for each torrent.
func writeSeeds(w io.Writer, items []annexSeedItem) error {
	var rows [][]string
	for _, i := range items {
		if i.Code != bt.OK {
			continue
		}
		rows = append(rows, []string{i.State, "\t" + ui.Count(len(i.Files), "file"), "\t" + ui.Size(i.Bytes), "of " + ui.Size(i.Total), cmp.Or(i.InfoHash, i.InfoHashV2), i.Name})
	}
	if rows == nil {
		return nil
	}
	return ui.Table(w, rows)
}
