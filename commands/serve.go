package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	networkOptions

	dir, torrentDir     string
	trackerListen, http string
	duration, idle      durationValue
	untilCopies         int
	seedRatio           float64
	force, failFast     bool
	items               []string // as BTIP-1 has them
	hosts, watch        []string // of the node
}

func newServeCmd(g *globals) *cobra.Command {
	var opts serveOptions
	cmd := &cobra.Command{
		Use:   "serve [flags] [PATH | TORRENT]...",
		Short: "Seed files, folders and torrents; without them, keep shares in sync",
		Long: "Without PATH, be the node: keep every share in sync, seed and fetch what \"shoal serve add\" was given, and answer\n" +
			"other commands, until stopped.\n\n" +
			"With PATH, seed files and folders, which become v1 torrents, and .torrent files whose data is in place. A magnet for each\n" +
			"is written to standard output. What was hashed once is remembered. Trackers are those of -t and of the .torrent\n" +
			"files given, and no other; the DHT is told too, but for private torrents, unless --no-dht or --lan-only is given.",
		Example: "  shoal serve film.mkv\n" +
			"  shoal serve --tracker-listen :6969 --http :8080 --until-copies 3 dist/\n" +
			"  shoal serve -d /srv/isos *.torrent\n" +
			"  shoal serve --lan-only --host 192.168.1.20:6881",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			items, err := opts.check(args)
			if err != nil {
				return err
			}
			if len(items) == 0 {
				return runNode(cmd.Context(), g, opts)
			}
			return runServe(cmd.Context(), g, items, opts)
		},
	}
	opts.register(cmd.Flags())
	g.registerPassword(cmd.Flags())
	accept(cmd, networkAliases)
	_ = cmd.MarkFlagDirname("dir")
	_ = cmd.MarkFlagDirname("torrent-dir")
	_ = cmd.MarkFlagDirname("watch")
	cmd.AddCommand(newServeAddCmd(g), newServeListCmd(g), newServeRmCmd(g))
	return cmd
}

func (o *serveOptions) register(fs *pflag.FlagSet) {
	o.networkOptions.register(fs)
	fs.StringVarP(&o.dir, "dir", "d", "", "the data of .torrent files is in `DIR` (default where each of them is)")
	fs.StringVar(&o.torrentDir, "torrent-dir", "", "write a .torrent of each item to `DIR`")
	fs.BoolVar(&o.force, "force", false, "with --torrent-dir: overwrite what is another torrent")
	fs.StringVar(&o.trackerListen, "tracker-listen", "", "run a tracker (HTTP and UDP) for what is served, at `ADDRESS:PORT`")
	fs.StringVar(&o.http, "http", "", "run a web server for what is served, at `ADDRESS:PORT`")
	fs.Var(&o.duration, "for", "end after `DUR`")
	fs.Var(&o.idle, "idle", "end when nothing was sent for `DUR`")
	fs.IntVar(&o.untilCopies, "until-copies", 0, "end when `N` peers, or who fetched over HTTP, have everything of each item")
	fs.Float64Var(&o.seedRatio, "seed-ratio", 0, "end when `R` times the size of each item is sent")
	fs.BoolVar(&o.failFast, "fail-fast", false, "stop when one item cannot be served")
	fs.StringArrayVarP(&o.items, "file", "f", nil, "`PATHS` to serve, separated by commas")
	_ = fs.MarkHidden("file")
	registerHosts(fs, &o.hosts)
	fs.StringArrayVar(&o.watch, "watch", nil, "as the node: seed or fetch each .torrent and .magnet that is put into `DIR`")
}

// check looks for what cannot be meant, and lists what is to be served.
func (o *serveOptions) check(args []string) ([]string, error) {
	if err := o.networkOptions.check(); err != nil {
		return nil, err
	}
	for _, list := range o.items {
		if _, err := os.Lstat(list); err == nil {
			args = append(args, list) // a name may have commas
			continue
		}
		args = append(args, strings.Split(list, ",")...)
	}
	switch {
	case len(args) == 0:
		return nil, o.checkNode()
	case len(o.watch) > 0:
		return nil, usageErrorf("--watch is for the node, which is \"shoal serve\" without PATH")
	case o.untilCopies < 0:
		return nil, usageErrorf("--until-copies %d: want a number from 0", o.untilCopies)
	case !validRatio(o.seedRatio):
		return nil, usageErrorf("--seed-ratio %v: want a number from 0", o.seedRatio)
	}
	stdin := 0
	for _, arg := range append(args, o.blocklist) {
		if arg == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return nil, usageErrorf("standard input can be read only once")
	}
	return args, nil
}

// A serveLine is one event of serve.
type serveLine struct {
	bt.ServeEvent
	*failure
}

func runServe(ctx context.Context, g *globals, items []string, opts serveOptions) error {
	client, err := opts.open(ctx, g)
	if err != nil {
		return err
	}
	defer client.Close()
	display := g.output().NewDisplay()
	defer display.Close()
	status, stopped := 0, false
	err = client.Serve(ctx, bt.ServeOptions{
		LoadOptions: bt.LoadOptions{Stdin: g.in},
		Items:       items, Dir: opts.dir, TorrentDir: opts.torrentDir, Force: opts.force, FailFast: opts.failFast,
		Peers: append(opts.peers, opts.hosts...), Trackers: opts.trackers, Webseeds: opts.webseeds, Memory: serveMemory(g),
		TrackerListen: opts.trackerListen, HTTPListen: opts.http,
		For: time.Duration(opts.duration), Idle: time.Duration(opts.idle),
		UntilCopies: opts.untilCopies, SeedRatio: opts.seedRatio,
		Progress: func(p bt.Progress) { display.Update("serve", p) },
		Event: func(e bt.ServeEvent) error {
			if stopped = e.Event == "stopped"; e.Event == "failed" {
				status = max(status, exitCode(ctx, e.Err))
			}
			return showServe(ctx, g, e)
		},
	})
	var stop Interrupted
	if errors.As(err, &stop) && !opts.ends() {
		err = nil // being stopped is how serving without a goal ends
	}
	if err != nil && !stopped {
		return err
	}
	_, worst := g.tell(ctx, "", false, err) // as an event it is on standard output already
	return shownStatus(max(status, worst))
}

// ends reports whether serving ends by itself.
func (o *serveOptions) ends() bool {
	return o.duration > 0 || o.idle > 0 || o.untilCopies > 0 || o.seedRatio > 0
}

// serveMemory is the folder that remembers what was hashed.
func serveMemory(g *globals) string {
	if dir := g.stateDir(); dir != "" {
		return filepath.Join(dir, "serve")
	}
	return ""
}

// showServe shows an event: as JSON, or as a magnet on standard output and all else on standard error.
func showServe(ctx context.Context, g *globals, e bt.ServeEvent) error {
	out := g.output()
	line := serveLine{ServeEvent: e}
	if e.Err != nil {
		f := failureOf(ctx, e.Err)
		line.failure = &f
	}
	switch {
	case line.failure != nil && e.Event != "stopped":
		out.Error(line.Message, line.Hint)
	case e.Event == "serving" && !out.JSON():
		out.Note("serving %s: %s, %s", e.Name, ui.Count(e.Files, "file"), ui.Size(e.Bytes))
	case e.Event == "copy":
		out.Note("%s: %s seen complete", e.Name, ui.Count(e.Copies, "peer"))
	case e.Event == "stopped":
		out.Note("sent %s in %s", ui.Size(e.Uploaded), ui.Took(time.Duration(e.Seconds*float64(time.Second))))
	}
	if !out.JSON() && e.Event != "serving" {
		return nil
	}
	return out.Event(line, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, e.Magnet)
		return err
	})
}
