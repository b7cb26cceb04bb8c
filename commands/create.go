package commands

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/bt"
)

// createOptions are the flags of create.
type createOptions struct {
	output, name string
	pieceSize    pieceSizeValue
	format       bt.Format

	trackers, webseeds []string
	private            bool
	source, comment    string
	noDate             bool

	include, exclude       []string
	hidden, followSymlinks bool

	print         string
	dryRun, force bool
}

func newCreateCmd(g *globals) *cobra.Command {
	var opts createOptions
	cmd := &cobra.Command{
		Use:   "create [flags] {PATH | -}",
		Short: "Make a torrent of a file or a folder",
		Long: "Make a .torrent of a file, a folder, or - for what comes from standard input. It is written to NAME.torrent\n" +
			"in the current folder unless --output says otherwise.",
		Example: "  shoal create -t udp://tracker.example:6969/announce films\n" +
			"  shoal create --format hybrid --webseed https://example.com/dist/ -o dist.torrent dist\n" +
			"  tar c films | shoal create --name films.tar -o - - | shoal metainfo --magnet -",
		Args: exactArgs(1, "one PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opts.check(g, args[0]); err != nil {
				return err
			}
			return runCreate(cmd.Context(), g, args[0], opts)
		},
	}
	opts.register(cmd.Flags())
	return cmd
}

func (o *createOptions) register(fs *pflag.FlagSet) {
	fs.StringVarP(&o.output, "output", "o", "", "write the .torrent to `FILE`; - is standard output (default NAME.torrent)")
	fs.StringVar(&o.name, "name", "", "call the torrent `NAME` (default the last element of PATH)")
	fs.Var(&o.pieceSize, "piece-size", "make pieces of `SIZE`, a power of two; auto is by the size of the data")
	fs.Var(newChoice(&o.format, bt.FormatV1, bt.FormatV2, bt.FormatHybrid), "format", "make a torrent of this version: `v1|v2|hybrid`")
	fs.StringArrayVarP(&o.trackers, "tracker", "t", nil, "announce to the tracker `URL[,URL]`; those of one flag are a tier (repeatable)")
	fs.StringArrayVar(&o.webseeds, "webseed", nil, "the data is also at this `URL` (repeatable)")
	fs.BoolVar(&o.private, "private", false, "peers may come from the trackers only")
	fs.StringVar(&o.source, "source", "", "write `TEXT` into the info dictionary, which makes another infohash")
	fs.StringVar(&o.comment, "comment", "", "write `TEXT` beside the info dictionary")
	fs.BoolVar(&o.noDate, "no-date", false, "write no date; SOURCE_DATE_EPOCH in the environment sets it")
	fs.StringArrayVar(&o.include, "include", nil, "of a folder only files that match `GLOB` (repeatable)")
	fs.StringArrayVar(&o.exclude, "exclude", nil, "no files or folders that match `GLOB` (repeatable)")
	fs.BoolVar(&o.hidden, "hidden", false, "files and folders whose name begins with a dot, too")
	fs.BoolVar(&o.followSymlinks, "follow-symlinks", false, "what symbolic links lead to, too")
	fs.Var(newChoice(&o.print, "", "magnet", "infohash"), "print", "print only this: `magnet|infohash`")
	fs.BoolVarP(&o.dryRun, "dry-run", "n", false, "hash and show, but write no .torrent")
	fs.BoolVarP(&o.force, "force", "f", false, "overwrite the .torrent; write to a terminal with -o -")
}

// check looks for flags that exclude each other, and for a .torrent that would be overwritten.
func (o *createOptions) check(g *globals, path string) error {
	toStdout := o.output == "-" && !o.dryRun
	switch {
	case path == "-" && o.name == "":
		return withHint(usageErrorf("what comes from standard input needs a --name"), "it is what the file will be called")
	case toStdout && (g.json || o.print != ""):
		return usageErrorf("--output - needs standard output for itself")
	case g.json && o.print != "":
		return usageErrorf("--print is text, and --json asks for JSON")
	case toStdout && !o.force && g.output().OnTerminal():
		return onTerminal("-o -")
	case o.output == "-", o.dryRun:
		return nil
	}
	name := o.name
	if name == "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		name = filepath.Base(abs)
	}
	switch info, err := os.Stat(o.output); {
	case o.output == "":
		o.output = name + ".torrent"
	case err == nil && info.IsDir():
		o.output = filepath.Join(o.output, name+".torrent")
	}
	return checkFree(o.output, o.force)
}

// date is when the torrent is made: now, unless the environment says otherwise; zero for none.
func (o *createOptions) date() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if o.noDate {
		return time.Time{}, nil
	}
	if epoch == "" {
		return time.Now(), nil
	}
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, usageErrorf("SOURCE_DATE_EPOCH %q: want seconds since 1970", epoch)
	}
	return time.Unix(n, 0), nil
}

func runCreate(ctx context.Context, g *globals, path string, opts createOptions) error {
	collectLess()
	date, err := opts.date()
	if err != nil {
		return err
	}
	display := g.output().NewDisplay()
	defer display.Close()
	doc := createDoc{Format: opts.format, Warnings: []string{}}
	engine := bt.CreateOptions{
		Path: path, Name: opts.name, Format: opts.format, PieceLength: int64(opts.pieceSize),
		Include: opts.include, Exclude: opts.exclude, Hidden: opts.hidden, FollowLinks: opts.followSymlinks, Omit: opts.output,
		Trackers: splitTiers(opts.trackers), Webseeds: opts.webseeds, Private: opts.private,
		Source: opts.source, Comment: opts.comment, CreatedBy: "shoal", Date: date,
		Progress: func(p bt.Progress) { display.Update(path, p) },
		Warn: func(what string) {
			doc.Warnings = append(doc.Warnings, what)
			g.output().Note("warning: %s", what)
		},
	}
	if path == "-" {
		engine.Path, engine.Reader = "", g.in
	}
	m, err := bt.Create(ctx, engine)
	if err != nil {
		return err
	}
	display.Close()
	if err := opts.write(g, m, &doc); err != nil {
		return err
	}
	doc.fill(m)
	return opts.show(g.output(), m, doc)
}
