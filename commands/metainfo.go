package commands

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
)

// defaultMetadataTimeout is how long to look for somebody who has the info dictionary of a magnet.
const defaultMetadataTimeout = 5 * time.Minute

// metainfoOptions are the flags of metainfo.
type metainfoOptions struct {
	networkOptions

	view            metainfoView
	save            string
	force           bool
	metadataTimeout durationValue
	failFast        bool
	magnets         []string
}

func newMetainfoCmd(g *globals) *cobra.Command {
	var opts metainfoOptions
	cmd := &cobra.Command{
		Use:   "metainfo [flags] SOURCE...",
		Short: "Show what a torrent says",
		Long: "Show what torrents say of themselves. A SOURCE is a .torrent file, the http(s) URL of one, a magnet, an\n" +
			"infohash, or - for a .torrent on standard input. What a magnet stands for is fetched from its peers.",
		Example: "  shoal metainfo --files debian.torrent\n" +
			"  shoal metainfo --json - < debian.torrent\n" +
			"  shoal metainfo -O film.torrent 'magnet:?xt=urn:btih:…'",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := opts.sources(g, args)
			if err != nil {
				return err
			}
			return runMetainfo(cmd.Context(), g, sources, opts)
		},
	}
	fs := cmd.Flags()
	opts.networkOptions.register(fs)
	opts.view.register(fs)
	fs.StringVarP(&opts.save, "save", "O", "", "write the .torrent to `FILE`; - is standard output")
	fs.BoolVarP(&opts.force, "force", "f", false, "overwrite a file that differs; write to a terminal with -O -")
	opts.metadataTimeout = durationValue(defaultMetadataTimeout)
	fs.Var(&opts.metadataTimeout, "metadata-timeout", "give up when no peer tells what the torrent holds within `DUR`")
	fs.BoolVar(&opts.failFast, "fail-fast", false, "stop when one source fails")
	fs.StringArrayVarP(&opts.magnets, "from-magnet", "m", nil, "a `MAGNET` to show, as if it were a SOURCE")
	_ = fs.MarkHidden("from-magnet")
	accept(cmd, networkAliases)
	return cmd
}

// sources are what the arguments, -t and -m name.
func (o *metainfoOptions) sources(g *globals, args []string) ([]string, error) {
	if err := cmp.Or(o.networkOptions.check(), o.view.check(g.json)); err != nil {
		return nil, err
	}
	args, err := o.networkOptions.sources(args)
	if err != nil {
		return nil, err
	}
	args = append(args, o.magnets...)
	switch {
	case len(args) == 0:
		return nil, withHint(usageErrorf("no SOURCE given"), "a .torrent file, a URL, a magnet or an infohash; see \"shoal metainfo --help\"")
	case o.save != "" && len(args) > 1:
		return nil, usageErrorf("--save is for a single source, and there are %d", len(args))
	case o.save == "-" && (g.json || o.view.given()):
		return nil, usageErrorf("--save - needs standard output for itself")
	case o.save == "-" && !o.force && g.output().OnTerminal():
		return nil, onTerminal("--save -")
	}
	return args, nil
}

// A metainfoDoc is the result of metainfo, and of download --list.
type metainfoDoc struct {
	Results []metainfoItem `json:"results"`
}

// A metainfoItem is what one source says, or why it cannot be known.
type metainfoItem struct {
	Source string `json:"source"`
	*torrentInfo
	failure
}

func runMetainfo(ctx context.Context, g *globals, sources []string, opts metainfoOptions) error {
	collectLess()
	reader := newMetainfoReader(g, &opts.networkOptions, opts.metadataTimeout)
	doc, worst := reader.readAll(ctx, sources, opts.failFast, func(_ int, _ *bt.Source, m *bt.Metainfo) (*torrentInfo, error) {
		return newTorrentInfo(m, nil), opts.store(g, m)
	})
	if opts.save == "-" {
		return shownStatus(worst)
	}
	return cmp.Or(opts.view.show(g.output(), doc), shownStatus(worst))
}

// store saves a metainfo where that was asked for.
func (o *metainfoOptions) store(g *globals, m *bt.Metainfo) error {
	switch o.save {
	case "":
		return nil
	case "-":
		_, err := m.WriteTo(g.output().Bytes())
		return err
	}
	return saveTorrent(o.save, m, o.force)
}

// A metainfoReader reads metainfos, and meets the network only when a source needs it.
type metainfoReader struct {
	g       *globals
	network *networkOptions
	timeout time.Duration
	client  *bt.Client
}

func newMetainfoReader(g *globals, network *networkOptions, timeout durationValue) *metainfoReader {
	return &metainfoReader{g: g, network: network, timeout: time.Duration(timeout)}
}

// readAll reads sources one after the other and ends the session. each says what to show of one; errors are told as
// they come, and the highest status of all is returned.
func (r *metainfoReader) readAll(ctx context.Context, sources []string, failFast bool,
	each func(i int, src *bt.Source, m *bt.Metainfo) (*torrentInfo, error)) (doc metainfoDoc, worst int) {
	for i, source := range sources {
		info, err := r.readOne(ctx, source, func(src *bt.Source, m *bt.Metainfo) (*torrentInfo, error) { return each(i, src, m) })
		f, status := r.g.tell(ctx, source, len(sources) > 1, err)
		doc.Results = append(doc.Results, metainfoItem{source, info, f})
		if worst = max(worst, status); worst != 0 && (failFast || ctx.Err() != nil) {
			break
		}
	}
	if r.client != nil {
		_ = r.client.Close() // everything is read: that leaving the session failed does not change it
	}
	return doc, worst
}

func (r *metainfoReader) readOne(ctx context.Context, source string, show func(*bt.Source, *bt.Metainfo) (*torrentInfo, error)) (*torrentInfo, error) {
	src, err := bt.ParseSource(source)
	if err != nil {
		return nil, err
	}
	m, err := r.read(ctx, src)
	if err != nil {
		return nil, why(ctx, err)
	}
	return show(src, m)
}

func (r *metainfoReader) read(ctx context.Context, src *bt.Source) (*bt.Metainfo, error) {
	if src.Path != "" || src.Stdin {
		return src.Load(ctx, bt.LoadOptions{Stdin: r.g.in, HTTP: http.DefaultClient})
	}
	if r.client == nil {
		var err error
		if r.client, err = r.network.open(ctx, r.g); err != nil {
			return nil, err
		}
	}
	display := r.g.output().NewDisplay()
	defer display.Close()
	return r.client.FetchMetainfo(ctx, src, bt.MetadataOptions{
		Peers: r.network.peers, Trackers: r.network.trackers, Timeout: r.timeout,
		LoadOptions: bt.LoadOptions{Stdin: r.g.in},
		Progress:    func(p bt.Progress) { display.Update(src.Arg, p) },
	})
}
