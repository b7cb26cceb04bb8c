package node

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
)

// TorrentOptions say how a node seeds and fetches torrents beside its shares. They have a session of their own: that of
// shares speaks only to peers that encrypt, and says nothing of itself, which would keep most of the public away.
type TorrentOptions struct {
	Client *bt.Client // nil: torrents are known, and stopped; else Close closes it
	HTTP   string     // ADDRESS:PORT of a web server for what is seeded; "" = none
	Watch  []string   // folders where .torrent and .magnet files are picked up
	Dir    string     // where the data of those is, or goes to; "" = beside each
}

// torrents are those of a node.
type torrents struct {
	db   *db.DB
	log  *slog.Logger
	now  func() time.Time
	opts TorrentOptions
	home string
	web  *bt.Web // nil without one
	wg   sync.WaitGroup

	hashing chan struct{} // one value for each that may hash

	mu      sync.Mutex // guards what follows
	all     []*torrent
	running bool
	stop    context.CancelFunc
	ctx     context.Context
}

// maxHashing is how many torrents are hashed at once: each uses all processors.
const maxHashing = 2

var _ api.Torrents = (*Node)(nil)

func newTorrents(n *Node, opts TorrentOptions) *torrents {
	t := &torrents{db: n.db, log: n.log, now: n.now, opts: opts, home: n.home, hashing: make(chan struct{}, maxHashing)}
	t.ctx, t.stop = context.WithCancel(n.ctx)
	return t
}

// memory is the folder that remembers what was hashed, the same as that of shoal serve PATH.
func (ts *torrents) memory() string { return filepath.Join(ts.home, "serve") }

// resume is the folder of what is half there, the same as that of shoal download.
func (ts *torrents) resume() string { return filepath.Join(ts.home, "resume") }

// load reads what is known.
func (ts *torrents) load(t *db.Tx) error {
	rows, err := t.Torrents()
	if err != nil {
		return err
	}
	for key, body := range rows {
		r := torrentRow{}
		if err := json.Unmarshal(body, &r); err != nil {
			ts.log.Error("a torrent of the database cannot be read", "infohash", key, "err", err)
			continue
		}
		if t, err := newTorrent(ts, key, r); err != nil {
			ts.log.Error("a torrent of the database cannot be read", "infohash", key, "err", err)
		} else {
			ts.all = append(ts.all, t)
		}
	}
	slices.SortFunc(ts.all, func(a, b *torrent) int {
		return cmp.Or(a.row.Added.Compare(b.row.Added), cmp.Compare(a.key, b.key))
	})
	return nil
}

// listen starts the web server.
func (ts *torrents) listen(ctx context.Context) (err error) {
	if ts.opts.Client != nil && ts.opts.HTTP != "" {
		ts.web, err = ts.opts.Client.ListenWeb(ctx, ts.opts.HTTP)
	}
	return err
}

// start goes on with all torrents.
func (ts *torrents) start() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.opts.Client == nil || ts.running || ts.ctx.Err() != nil {
		return
	}
	ts.running = true
	for _, t := range ts.all {
		t.start()
	}
	ts.wg.Go(ts.check)
	if len(ts.opts.Watch) > 0 {
		ts.wg.Go(func() { newTorrentWatch(ts).run(ts.ctx) })
	}
}

// close returns after everything has ended.
func (ts *torrents) close() {
	ts.mu.Lock()
	ts.stop()
	all := ts.all
	ts.mu.Unlock()
	for _, t := range all {
		t.wait()
	}
	ts.wg.Wait()
	if ts.web != nil {
		ts.web.Close()
	}
	if ts.opts.Client != nil {
		ts.opts.Client.Close()
	}
}

// checkEvery is how often files that are seeded are looked at.
const checkEvery = 3 * time.Second

// check looks for files that have changed: what was not hashed must not leave.
func (ts *torrents) check() {
	pause := checkEvery
	for sleep(ts.ctx, pause) {
		began := time.Now()
		for _, t := range ts.list() {
			t.check()
		}
		pause = max(checkEvery, 50*time.Since(began))
	}
}

func (ts *torrents) list() []*torrent {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return slices.Clone(ts.all)
}

// add takes one in.
func (ts *torrents) add(ctx context.Context, r torrentRow) (*torrent, error) {
	t, err := newTorrent(ts, "", r)
	if err != nil {
		return nil, err
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	hashes := t.hashes()
	for _, other := range ts.all {
		for _, h := range other.hashes() {
			if slices.Contains(hashes, h) {
				return nil, fail(bt.Exists, "the node has %s already", h)
			}
		}
	}
	if err := t.save(ctx); err != nil {
		return nil, err
	}
	ts.all = append(ts.all, t)
	if ts.running && ts.ctx.Err() == nil {
		t.start()
	}
	return t, nil
}

// find is the torrent with an infohash that begins so.
func (ts *torrents) find(prefix string) (found *torrent, err error) {
	prefix = strings.ToLower(prefix)
	for _, t := range ts.list() {
		if !slices.ContainsFunc(t.hashes(), func(h string) bool { return strings.HasPrefix(h, prefix) }) {
			continue
		}
		if found != nil {
			return nil, fail(bt.NotFound, "several torrents have infohashes that begin with %s", prefix)
		}
		found = t
	}
	if found == nil || prefix == "" {
		return nil, &bt.Error{Code: bt.NotFound, Err: fmt.Errorf("there is no torrent %s here", prefix), Advice: "\"shoal serve list\" lists them"}
	}
	return found, nil
}

// AddTorrent has the node seed or fetch a torrent.
func (n *Node) AddTorrent(ctx context.Context, opts api.TorrentOptions) (*api.TorrentInfo, error) {
	r := torrentRow{Dir: opts.Dir, Files: opts.Files, Partial: opts.Files != nil, Added: n.now().UTC().Truncate(time.Second)}
	given := 0
	for _, is := range []bool{opts.Source != "", opts.Metainfo != nil, opts.Path != ""} {
		if is {
			given++
		}
	}
	if given != 1 || !filepath.IsAbs(opts.Path+opts.Dir) {
		return nil, fail(bt.Usage, "exactly one of a source, a metainfo and an absolute path is needed, and where the data of the first two goes")
	}
	var err error
	switch {
	case opts.Path != "":
		err = n.torrents.ofPath(ctx, &r, opts.Path)
	case opts.Source != "":
		err = n.torrents.ofSource(ctx, &r, opts.Source)
	default:
		r.Metainfo = opts.Metainfo
	}
	if r.Partial && err == nil {
		old, err := n.mergePartial(ctx, &r)
		if err != nil {
			return nil, err
		}
		if old != nil {
			return old.info(), nil
		}
	}
	if err != nil {
		return nil, err
	}
	t, err := n.torrents.add(ctx, r)
	if err != nil {
		return nil, err
	}
	return t.info(), nil
}

// ofPath makes a torrent of a file or folder.
func (ts *torrents) ofPath(ctx context.Context, r *torrentRow, path string) error {
	c := ts.opts.Client
	if c == nil { // it hashes, and meets nobody
		var err error
		if c, err = bt.NewClient(ctx, bt.Config{Logger: ts.log}); err != nil {
			return err
		}
		defer c.Close()
	}
	m, files, err := c.CreateSeed(ctx, path, bt.SeedOptions{Memory: ts.memory(), Progress: func(done, total int64) {
		api.Tell(ctx, api.Progress{Share: filepath.Base(path), State: api.TorrentChecking, Done: done, Total: total})
	}})
	if err != nil {
		return err
	}
	r.Metainfo, r.Dir, r.Files, r.Complete = m.Bytes(), filepath.Dir(path), files, true
	return nil
}

// ofSource reads a magnet or an infohash, or fetches a .torrent.
func (ts *torrents) ofSource(ctx context.Context, r *torrentRow, source string) error {
	src, err := bt.ParseSource(source)
	switch {
	case err != nil:
		return err
	case src.Magnet != nil:
		r.Magnet = src.Magnet.String()
		return nil
	case src.URL == "":
		return fail(bt.BadInput, "%q is neither a magnet nor an infohash nor a URL", source)
	case ts.opts.Client == nil:
		return &bt.Error{Code: bt.Network, Err: fmt.Errorf("a .torrent is fetched by a node that runs, and none does"), Advice: "start one with \"shoal serve\", or fetch the file and add that"}
	}
	m, err := ts.opts.Client.FetchMetainfo(ctx, src, bt.MetadataOptions{})
	if err != nil {
		return err
	}
	r.Metainfo = m.Bytes()
	return nil
}

// ListTorrents is all of them, in the order in which they were added.
func (n *Node) ListTorrents(context.Context) ([]api.TorrentInfo, error) {
	list := []api.TorrentInfo{}
	for _, t := range n.torrents.list() {
		list = append(list, *t.info())
	}
	return list, nil
}

// RemoveTorrent ends one; its files stay.
func (n *Node) RemoveTorrent(ctx context.Context, infohash string) (*api.TorrentInfo, error) {
	ts := n.torrents
	t, err := ts.find(infohash)
	if err != nil {
		return nil, err
	}
	info := t.info()
	ts.mu.Lock()
	ts.all = slices.DeleteFunc(ts.all, func(x *torrent) bool { return x == t }) // it is not started from now on
	t.cancel()
	ts.mu.Unlock()
	t.wait()
	if err := ts.db.Update(ctx, func(x *db.Tx) error { return x.RemoveTorrent(t.key) }); err != nil {
		return nil, ioError("removing the torrent", err)
	}
	return info, nil
}
