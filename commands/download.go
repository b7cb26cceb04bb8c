package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

func newDownloadCmd(g *globals) *cobra.Command {
	var opts downloadOptions
	cmd := &cobra.Command{
		Use:   "download [flags] SOURCE...",
		Short: "Fetch and verify what a torrent holds",
		Long: "Fetch and verify what torrents hold, and exit. A SOURCE is a .torrent file, the http(s) URL of one, a magnet,\n" +
			"an infohash, or - for a .torrent on standard input. What is already there is not fetched again: the same\n" +
			"command goes on where it stopped.",
		Example: "  shoal download debian.torrent\n" +
			"  shoal download -d films --select 1-3,8 'magnet:?xt=urn:btih:…'\n" +
			"  shoal download -o - --include '*.iso' debian.torrent | sha256sum",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeSources,
		RunE: func(cmd *cobra.Command, args []string) error {
			requests, err := opts.requests(g, args)
			if err != nil {
				return err
			}
			return runDownload(cmd.Context(), g, requests, opts)
		},
	}
	opts.register(cmd.Flags())
	accept(cmd, networkAliases, downloadAliases)
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

func runDownload(ctx context.Context, g *globals, requests []request, opts downloadOptions) error {
	if opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(opts.timeout), &bt.Error{
			Code:   bt.Timeout,
			Err:    fmt.Errorf("the time allowed (--timeout %s) is over", &opts.timeout),
			Advice: "the same command goes on from here",
		})
		defer cancel()
	}
	if opts.list {
		return runList(ctx, g, requests, opts)
	}
	b := newBatch(g, requests, opts)
	if !b.parse(ctx) {
		return b.result()
	}
	client, err := opts.open(ctx, g)
	if err != nil {
		return err
	}
	// The result is known by now; that leaving the session failed does not change it.
	defer client.Close()
	b.run(ctx, client)
	return b.result()
}

// engine is what the options mean for one request.
func (b *batch) engine(r request) bt.DownloadOptions {
	o := &b.opts
	e := bt.DownloadOptions{
		LoadOptions: bt.LoadOptions{Stdin: b.g.in},
		Peers:       o.peers, Trackers: o.trackers, Webseeds: o.webseeds,
		Dir: r.dir, Output: r.out, StripComponents: o.strip,
		Select: bt.Selection{Indexes: r.picks, Include: o.include, Exclude: o.exclude},
		Force:  o.force, Check: o.check, Sequential: o.sequential,
		MetadataOnly: o.metadataOnly, SaveTorrent: o.saveTorrent,
		MetadataTimeout: time.Duration(o.metadataTimeout), StallTimeout: time.Duration(o.stallTimeout),
		Seed: o.seed, SeedRatio: o.seedRatio, SeedTime: time.Duration(o.seedTime),
		Progress: func(p bt.Progress) { b.display.Update(r.source, p) },
		Event:    func(ev bt.Event) { b.display.Event(r.source, ev) },
	}
	if dir := b.g.stateDir(); dir != "" {
		e.Resume = filepath.Join(dir, "resume")
	}
	if r.out == "-" {
		e.Output, e.Stream, e.Tar = "", b.g.output().Bytes(), o.tar
	}
	return e
}

// why is the error that a download ended with, told by its cause.
func why(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, ui.ErrClosed) {
		return err
	}
	cause := context.Cause(ctx)
	var stop Interrupted
	if errors.As(cause, &stop) {
		return &bt.Error{Code: interrupted, Err: stop, Advice: "what came is kept: the same command goes on from here"}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return cause
	}
	return err
}

// writeDownload writes a line about what is now where.
func writeDownload(w io.Writer, r *bt.DownloadResult) error {
	took := ui.Took(time.Duration(r.Seconds * float64(time.Second)))
	if len(r.Files) == 0 { // --metadata-only
		_, err := fmt.Fprintf(w, "%s: metadata of %s in %s\n", ui.Quote(r.Name), cmp.Or(r.InfoHash, r.InfoHashV2), took)
		return err
	}
	when := "in " + took
	if r.Present {
		when = "already there"
	}
	_, err := fmt.Fprintf(w, "%s: %s, %s %s\n", ui.Quote(resultPlace(r)), ui.Count(len(r.Files), "file"), ui.Size(r.Bytes), when)
	return err
}

// resultPlace is the single file of a result, or else the folder of its own that all files are in, or else the folder
// that they were put into.
func resultPlace(r *bt.DownloadResult) string {
	if len(r.Files) == 1 {
		return resultPath(r, r.Files[0])
	}
	top, _, _ := strings.Cut(r.Files[0].Path, "/")
	for _, f := range r.Files {
		if !strings.HasPrefix(f.Path, top+"/") {
			return r.Dir
		}
	}
	return filepath.Join(r.Dir, filepath.FromSlash(top))
}

// resultPath is where a file of a result lies.
func resultPath(r *bt.DownloadResult, f bt.ResultFile) string {
	if path := filepath.FromSlash(f.Path); filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.Dir, filepath.FromSlash(f.Path))
}
