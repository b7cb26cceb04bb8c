package commands

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
)

// scrapeOptions are the flags of scrape.
type scrapeOptions struct {
	networkOptions

	dht      bool
	minSeeds int
	timeout  durationValue
	hashes   []string
}

func newScrapeCmd(g *globals) *cobra.Command {
	opts := scrapeOptions{timeout: durationValue(15 * time.Second)}
	cmd := &cobra.Command{
		Use:   "scrape [flags] SOURCE...",
		Short: "Ask trackers how many peers a torrent has",
		Long: "Ask all trackers of torrents at once how many peers have everything, how many are at it, and how many\n" +
			"downloads ended. A SOURCE is a .torrent file, the http(s) URL of one, a magnet, an infohash, or - for a\n" +
			".torrent on standard input.",
		Example: "  shoal scrape debian.torrent\n" +
			"  shoal scrape -t udp://tracker.example:6969 0123456789abcdef0123456789abcdef01234567\n" +
			"  shoal scrape -q --min-seeds 3 --dht 'magnet:?xt=urn:btih:…' || echo 'hardly anybody has it'",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := opts.sources(args)
			if err != nil {
				return err
			}
			return runScrape(cmd.Context(), g, sources, opts)
		},
	}
	fs := cmd.Flags()
	opts.registerAsking(fs)
	fs.BoolVar(&opts.cfg.LANOnly, "lan-only", false, "ask nobody but trackers at local addresses")
	fs.BoolVar(&opts.dht, "dht", false, "ask the DHT too, which estimates")
	fs.IntVar(&opts.minSeeds, "min-seeds", 0, "fail when nobody counts `N` seeders or more")
	fs.Var(&opts.timeout, "timeout", "give up on a tracker after `DUR`")
	fs.StringArrayVarP(&opts.hashes, "from-infohash", "i", nil, "`HASH,HASH` to ask about, as if each were a SOURCE")
	_ = fs.MarkHidden("from-infohash")
	accept(cmd, networkAliases)
	return cmd
}

// sources are what the arguments and -i name.
func (o *scrapeOptions) sources(args []string) ([]string, error) {
	if err := o.networkOptions.check(); err != nil {
		return nil, err
	}
	for _, list := range o.hashes {
		for hash := range strings.SplitSeq(list, ",") {
			args = append(args, strings.TrimSpace(hash))
		}
	}
	switch {
	case o.minSeeds < 0:
		return nil, usageErrorf("--min-seeds %d: want a number from 0", o.minSeeds)
	case o.dht && o.cfg.LANOnly:
		return nil, usageErrorf("--dht and --lan-only exclude each other")
	case len(args) == 0:
		return nil, withHint(usageErrorf("no SOURCE given"), "a .torrent file, a URL, a magnet or an infohash; see \"shoal scrape --help\"")
	}
	return args, nil
}

func runScrape(ctx context.Context, g *globals, sources []string, opts scrapeOptions) error {
	client, err := opts.open(ctx, g)
	if err != nil {
		return err
	}
	defer client.Close()
	var targets []bt.ScrapeTarget
	failed := make([]error, len(sources))
	for i, source := range sources {
		var t bt.ScrapeTarget
		src, err := bt.ParseSource(source)
		if err == nil {
			t, err = client.ScrapeTarget(ctx, src, bt.LoadOptions{Stdin: g.in})
		}
		failed[i], targets = err, append(targets, t)
	}
	rows := client.Scrape(ctx, targets, bt.ScrapeOptions{
		Trackers: opts.trackers, DHT: opts.dht, Timeout: time.Duration(opts.timeout), MinSeeders: opts.minSeeds,
	})
	doc, worst := scrapeDoc{Results: []scrapeItem{}}, 0
	for i, source := range sources {
		end := 0
		for end < len(rows) && rows[end].Target == i {
			end++
		}
		err := failed[i]
		if err == nil {
			err = bt.ScrapeVerdict(rows[:end])
		}
		f, status := g.tell(ctx, source, len(sources) > 1, err)
		worst = max(worst, status)
		doc.add(ctx, source, rows[:end], f)
		rows = rows[end:]
	}
	return cmp.Or(doc.show(g.output()), shownStatus(worst))
}
