package commands

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"shoal/bt"
	"shoal/commands/internal/ui"
	"shoal/share/api"
)

// A nodeLine is one event of serve as the node.
type nodeLine struct {
	Event    string   `json:"event"`
	Home     string   `json:"home,omitempty"`
	Socket   string   `json:"socket,omitempty"`
	Shares   *int     `json:"shares,omitempty"`
	Torrents *int     `json:"torrents,omitempty"`
	Seconds  *float64 `json:"seconds,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	*failure
}

// errTimeOver ends a node whose --for is over.
var errTimeOver = errors.New("the time is over")

// checkNode looks for flags that are about what is served, when nothing is named.
func (o *serveOptions) checkNode() error {
	if o.torrentDir != "" || o.trackerListen != "" || o.untilCopies != 0 || o.seedRatio != 0 || o.idle != 0 {
		return withHint(usageErrorf("no PATH given"), "name a file, a folder or a .torrent; \"shoal serve\" without these flags is the node")
	}
	return checkHosts(o.hosts, o.trackers)
}

// runNode is the node: it keeps every share in sync and answers the control socket until it is stopped.
func runNode(ctx context.Context, g *globals, opts serveOptions) error {
	home, err := g.stateHome()
	if err != nil {
		return err
	}
	local := nodeOptions{access: toServe, trackers: opts.trackers, hosts: append(opts.hosts, opts.peers...), noLPD: opts.noLPD(), noUPnP: opts.noUPnP(), http: opts.http, watch: opts.watch, dir: opts.dir}
	if local.network, err = opts.config(g); err != nil {
		return err
	}
	if opts.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, time.Duration(opts.duration), errTimeOver)
		defer cancel()
	}
	n, closer, err := g.openServing(ctx, home, local)
	if err != nil {
		return err
	}
	err = serveNode(ctx, g, home, n)
	return errors.Join(err, closer.Close())
}

// openServing opens the shares for the node. What has the lock for a moment is waited for, another node is not.
func (g *globals) openServing(ctx context.Context, home string, opts nodeOptions) (api.Node, io.Closer, error) {
	opts.password = g.unlocking
	for until := time.Now().Add(briefly); ; {
		n, closer, err := g.openLocal(ctx, home, opts)
		if err == nil {
			return n, closer, nil
		}
		told := nodeBusy(ctx, home, err)
		if bt.CodeOf(err) != bt.Busy || told != err || time.Now().After(until) {
			return nil, nil, told
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(lockEvery):
		}
	}
}

// nodeBusy says that a node runs already, if that is why there cannot be another.
func nodeBusy(ctx context.Context, home string, err error) error {
	if bt.CodeOf(err) != bt.Busy {
		return err
	}
	if _, dialErr := api.Dial(ctx, home); dialErr == nil {
		return withHint(&bt.Error{Code: bt.Busy, Err: errors.New("a node runs already")}, "commands reach it; one node does for all shares of a state folder")
	}
	return err
}

// serveNode answers the control socket until ctx ends, and drains.
func serveNode(ctx context.Context, g *globals, home string, n api.Node) error {
	start := time.Now()
	l, err := api.Listen(ctx, home, os.TempDir())
	if err != nil {
		return err
	}
	ready, err := readyLine(ctx, home, l, n)
	if err == nil {
		err = showNode(g, ready)
	}
	if err == nil {
		err = notifySystem("READY=1")
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer context.AfterFunc(ctx, func() { _ = notifySystem("STOPPING=1") })()
	if err := api.Serve(ctx, l, n); err != nil {
		return err
	}
	seconds := time.Since(start).Round(time.Millisecond).Seconds()
	stopped := nodeLine{Event: "stopped", Seconds: &seconds, Reason: "interrupted"}
	if errors.Is(context.Cause(ctx), errTimeOver) {
		stopped.Reason = "for"
	}
	return showNode(g, stopped)
}

// readyLine says what the node has.
func readyLine(ctx context.Context, home string, l net.Listener, n api.Node) (line nodeLine, err error) {
	shares, err := n.List(ctx)
	if err != nil {
		return line, err
	}
	torrents, err := n.ListTorrents(ctx)
	if err != nil {
		return line, err
	}
	ns, nt := len(shares), len(torrents)
	return nodeLine{Event: "ready", Home: home, Socket: l.Addr().String(), Shares: &ns, Torrents: &nt}, nil
}

func showNode(g *globals, line nodeLine) error {
	out := g.output()
	if out.JSON() {
		return out.Event(line, nil)
	}
	if line.Event == "ready" {
		out.Note("the node runs: %s, %s", ui.Count(*line.Shares, "share"), ui.Count(*line.Torrents, "torrent"))
	} else {
		out.Note("the node ran for %s", ui.Took(time.Duration(*line.Seconds*float64(time.Second))))
	}
	return nil
}

// notifySystem tells the service manager, if one started us and asked for that, how the node is (sd_notify(3)).
func notifySystem(state string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"}) // "@" begins an abstract name
	if err != nil {
		return &bt.Error{Code: bt.Failed, Err: errors.New("telling the service manager: " + err.Error())}
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}
