package commands

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/annex"
	"shoal/bt"
	"shoal/commands/internal/ui"
)

// An annexDoc is the result of annex add and annex register.
type annexDoc struct {
	Source     string        `json:"source"`
	Name       string        `json:"name"`
	InfoHash   string        `json:"infohash,omitempty"`
	InfoHashV2 string        `json:"infohash_v2,omitempty"`
	Files      []annex.Added `json:"files"`
}

// annexOptions are the flags of commands that give a torrent to git-annex.
type annexOptions struct {
	network  networkOptions
	metadata durationValue
	remote   string

	include []string
	dir     string
	fast    bool
	record  bool
}

func (o *annexOptions) register(fs *pflag.FlagSet) {
	o.network.register(fs)
	o.metadata = durationValue(5 * time.Minute)
	fs.Var(&o.metadata, "metadata-timeout", "give up a magnet when nobody tells what is in it for `DUR`")
	fs.StringVar(&o.remote, "remote", "", "use the remote `NAME` of the repository (default the first that fetches torrents)")
}

// currentDir is where the user is: git-annex names paths from there.
func currentDir() (string, error) { return filepath.Abs(".") }

func newAnnexAddCmd(g *globals) *cobra.Command {
	var opts annexOptions
	cmd := &cobra.Command{
		Use:   "add [flags] SOURCE",
		Short: "Add the files of a torrent to the annex",
		Long: "Add the files of a torrent to the git-annex repository that the current folder is in, under their exact names, which\n" +
			"\"git annex addurl\" of the torrent would change. The content is fetched and verified; what git-annex has then can\n" +
			"be dropped, and got again from the torrent.",
		Example:           "  shoal annex add debian.torrent\n  shoal annex add --include '*.iso' --dir images 'magnet:?xt=urn:btih:…'",
		Args:              exactArgs(1, "one SOURCE"),
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnnexAdd(cmd.Context(), g, args[0], opts)
		},
	}
	opts.register(cmd.Flags())
	cmd.Flags().StringArrayVar(&opts.include, "include", nil, "add only files that match `GLOB`")
	cmd.Flags().StringVarP(&opts.dir, "dir", "d", "", "put them into `DIR`, which is made if need be")
	cmd.Flags().BoolVar(&opts.fast, "fast", false, "only note where the files are, and fetch nothing")
	return cmd
}

func runAnnexAdd(ctx context.Context, g *globals, source string, opts annexOptions) error {
	return withAnnex(ctx, g, source, opts, func(r *annex.Repository, src *bt.Source, m *bt.Metainfo) ([]annex.Added, error) {
		return r.Add(ctx, annex.AddOptions{Source: src, Torrent: m, Select: bt.Selection{Include: opts.include},
			Dir: opts.dir, Fast: opts.fast, Remote: opts.remote})
	})
}

// withAnnex calls f with the repository that the current folder is in and what a source says, and shows what f did.
func withAnnex(ctx context.Context, g *globals, source string, opts annexOptions,
	f func(*annex.Repository, *bt.Source, *bt.Metainfo) ([]annex.Added, error)) error {
	dir, err := currentDir()
	if err != nil {
		return err
	}
	r, err := annex.OpenRepository(ctx, dir)
	if err != nil {
		return err
	}
	src, m, err := fetchForAnnex(ctx, g, source, opts)
	if err != nil {
		return err
	}
	files, err := f(r, src, m)
	if err != nil {
		return err
	}
	doc := annexDoc{Source: source, Name: m.Name, Files: files}
	if m.HasV1() {
		doc.InfoHash = m.InfoHash.String()
	}
	if m.HasV2() {
		doc.InfoHashV2 = m.InfoHashV2.String()
	}
	if err := g.output().Result(doc, func(w io.Writer) error { return writeAnnexed(w, files) }); err != nil {
		return err
	}
	failed := annex.Failures(files)
	if failed == nil {
		return nil
	}
	why := failureOf(ctx, failed)
	g.output().Error(why.Message, why.Hint)
	return shownStatus(exitCode(ctx, failed))
}

// fetchForAnnex gets the metainfo of a source.
func fetchForAnnex(ctx context.Context, g *globals, source string, opts annexOptions) (*bt.Source, *bt.Metainfo, error) {
	if err := opts.network.check(); err != nil {
		return nil, nil, err
	}
	if _, err := opts.network.sources(nil); err != nil {
		return nil, nil, err
	}
	src, err := bt.ParseSource(source)
	if err != nil {
		return nil, nil, err
	}
	client, err := opts.network.open(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	display := g.output().NewDisplay()
	defer display.Close()
	m, err := client.FetchMetainfo(ctx, src, bt.MetadataOptions{
		LoadOptions: bt.LoadOptions{Stdin: g.in}, Peers: opts.network.peers, Trackers: opts.network.trackers,
		Timeout: time.Duration(opts.metadata), Progress: func(p bt.Progress) { display.Update(source, p) },
	})
	return src, m, err
}

// writeAnnexed writes a line for each file.
func writeAnnexed(w io.Writer, files []annex.Added) error {
	var rows [][]string
	for _, f := range files {
		said := string(f.Code)
		if f.Message != "" {
			said += ": " + f.Message
		}
		rows = append(rows, []string{"\t" + ui.Size(f.Bytes), f.Path, said})
	}
	return ui.Table(w, rows)
}
