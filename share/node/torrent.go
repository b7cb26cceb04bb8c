package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"shoal/bt"
	"shoal/share/api"
	"shoal/share/db"
)

// A torrentRow is what is kept of a torrent, as JSON.
type torrentRow struct {
	Magnet   string    `json:"magnet,omitempty"`   // as given
	Metainfo []byte    `json:"metainfo,omitempty"` // nil as long as only the magnet is known
	Dir      string    `json:"dir"`                // holds the torrent's file or folder
	Files    []string  `json:"files,omitempty"`    // of one that was made of a path, or is partial: where each file lies
	Partial  bool      `json:"partial,omitempty"`  // what of Files is there is seeded, and nothing is fetched
	Added    time.Time `json:"added"`
	Complete bool      `json:"complete,omitempty"` // it was: what is missing or differs now is never fetched again
	Uploaded int64     `json:"uploaded,omitempty"` // bytes, by earlier processes
}

// A torrent is one that the node seeds or fetches:
//
//	metadata ──► checking ──► seeding
//	                │ ▲
//	                ▼ │
//	            downloading
type torrent struct {
	ts     *torrents
	key    string // of the database: an infohash, in hex
	source *bt.Source
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended; nil before the start

	mu       sync.Mutex // guards what follows
	row      torrentRow
	m        *bt.Metainfo // nil as long as it is not known
	state    string
	err      string
	progress bt.Progress
	seeding  *bt.Seeding // nil when it is not
	url      string      // of the .torrent on our web server
}

// newTorrent checks what is known of a torrent. Without a key it gets one.
func newTorrent(ts *torrents, key string, r torrentRow) (*torrent, error) {
	t := &torrent{ts: ts, key: key, row: r, cancel: func() {}, state: api.TorrentStopped}
	if r.Magnet != "" {
		src, err := bt.ParseSource(r.Magnet)
		if err != nil {
			return nil, err
		}
		if src.Magnet == nil {
			return nil, fail(bt.BadInput, "%q is no magnet", r.Magnet)
		}
		src.Magnet.Select = nil // all of it: only what is complete is seeded
		t.source = src
	}
	if r.Metainfo != nil {
		m, err := bt.ParseMetainfo(r.Metainfo)
		if err != nil {
			return nil, err
		}
		t.m = m
	}
	if t.m == nil && t.source == nil {
		return nil, fail(bt.BadInput, "a torrent without infohash")
	}
	if key == "" {
		t.key = t.hashes()[0]
	}
	return t, nil
}

// hashes are its infohashes, as far as they are known.
func (t *torrent) hashes() (all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v1, v2 := bt.InfoHash{}, bt.InfoHashV2{}
	if t.m != nil {
		v1, v2 = t.m.InfoHash, t.m.InfoHashV2
	} else {
		v1, v2 = t.source.Magnet.InfoHash, t.source.Magnet.InfoHashV2
	}
	if !v1.IsZero() {
		all = append(all, v1.String())
	}
	if !v2.IsZero() {
		all = append(all, v2.String())
	}
	return all
}

// save writes down what is to be kept.
func (t *torrent) save(ctx context.Context) error {
	t.mu.Lock()
	body, err := json.Marshal(t.row)
	t.mu.Unlock()
	if err == nil {
		err = t.ts.db.Update(ctx, func(x *db.Tx) error { return x.PutTorrent(t.key, body) })
	}
	if err != nil {
		return ioError("keeping the torrent", err)
	}
	return nil
}

// start goes on with it until its cancel, or the end of all. The caller holds the lock of all.
func (t *torrent) start() {
	var ctx context.Context
	ctx, t.cancel = context.WithCancel(t.ts.ctx)
	t.done = make(chan struct{})
	if t.m != nil {
		t.show(api.TorrentChecking, nil)
	} else {
		t.show(api.TorrentMetadata, nil)
	}
	go func() {
		defer close(t.done)
		t.run(ctx)
	}()
}

// wait returns after it has ended.
func (t *torrent) wait() {
	if t.done != nil {
		<-t.done
	}
}

// retryEvery is how long it rests after an error that may pass.
const retryEvery = time.Minute

func (t *torrent) run(ctx context.Context) {
	for {
		err := t.advance(ctx)
		if ctx.Err() != nil {
			t.show(api.TorrentStopped, nil)
			return
		}
		t.ts.log.Warn("a torrent is not seeded", "infohash", t.key, "err", err)
		t.show(api.TorrentError, err)
		switch code := bt.CodeOf(err); {
		case code == bt.Exists, code == bt.BadInput, code == bt.Usage, code == bt.Mismatch, code == bt.Damaged && !t.row.Partial:
			<-ctx.Done() // a person must do something, and add it again
		default:
			sleep(ctx, retryEvery)
		}
	}
}

// advance does all that is left to do, and seeds until ctx is done or an error ends it.
func (t *torrent) advance(ctx context.Context) error {
	if t.m == nil {
		if err := t.learn(ctx); err != nil {
			return err
		}
	}
	err := t.seed(ctx)
	for errors.Is(err, errOtherFiles) {
		err = t.seed(ctx)
	}
	if t.row.Partial || t.row.Complete || bt.CodeOf(err) != bt.Damaged { // t.row.Complete is changed by this goroutine alone
		return err
	}
	if err := t.fetch(ctx); err != nil {
		return err
	}
	return t.seed(ctx)
}

// learn asks others what the magnet is of.
func (t *torrent) learn(ctx context.Context) error {
	t.show(api.TorrentMetadata, nil)
	m, err := t.ts.opts.Client.FetchMetainfo(ctx, t.source, bt.MetadataOptions{Progress: t.note})
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.m, t.row.Metainfo = m, m.Bytes()
	t.mu.Unlock()
	return t.save(ctx)
}

// errOtherFiles says that of a partial torrent other files are there than were.
var errOtherFiles = errors.New("files have come or gone")

// fetch gets what is missing.
func (t *torrent) fetch(ctx context.Context) error {
	t.show(api.TorrentDownloading, nil)
	opts := bt.DownloadOptions{
		LoadOptions: bt.LoadOptions{Stdin: bytes.NewReader(t.row.Metainfo)}, Dir: t.row.Dir,
		Resume: t.ts.resume(), Memory: t.ts.memory(), Progress: t.note,
	}
	if t.source != nil {
		opts.Peers = t.source.Magnet.Peers
	}
	_, err := t.ts.opts.Client.Download(ctx, &bt.Source{Arg: t.m.Name, Stdin: true}, opts)
	return err
}

// seed serves it until ctx is done, or something has changed on disk. Damaged when it is not complete.
func (t *torrent) seed(ctx context.Context) error {
	t.show(api.TorrentChecking, nil)
	changed := make(chan error, 1)
	opts := bt.SeedOptions{Dir: t.row.Dir, Files: t.row.Files, Partial: t.row.Partial, Memory: t.ts.memory(), Changed: func(err error) { changed <- err },
		Progress: func(done, total int64) { t.note(bt.Progress{State: api.TorrentChecking, Done: done, Total: total}) }}
	if t.source != nil {
		opts.Peers = t.source.Magnet.Peers
	}
	select {
	case t.ts.hashing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s, err := t.ts.opts.Client.Seed(ctx, t.m, opts)
	<-t.ts.hashing
	if err != nil {
		return err
	}
	if !t.row.Complete && !t.row.Partial {
		t.mu.Lock()
		t.row.Complete = true
		t.mu.Unlock()
		if err := t.save(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	url := ""
	if t.ts.web != nil && s.Whole() {
		url = t.ts.web.Add(s)
	}
	t.mu.Lock()
	t.state, t.seeding, t.url, t.progress = api.TorrentSeeding, s, url, bt.Progress{}
	t.mu.Unlock()
	select {
	case err = <-changed:
		if t.row.Partial {
			err = errOtherFiles
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return t.leave(s, err)
}

// leave ends the seeding.
func (t *torrent) leave(s *bt.Seeding, err error) error {
	if t.ts.web != nil {
		t.ts.web.Remove(s)
	}
	t.mu.Lock()
	t.row.Uploaded += s.Uploaded()
	t.seeding, t.url = nil, ""
	t.mu.Unlock()
	if saved := t.save(context.WithoutCancel(t.ts.ctx)); saved != nil {
		t.ts.log.Warn("how much was sent is not kept", "infohash", t.key, "err", saved)
	}
	_ = s.Close()
	return err
}

// check looks whether the files that are seeded are still what they were; what it finds goes to the goroutine of seed.
func (t *torrent) check() {
	t.mu.Lock()
	s := t.seeding
	t.mu.Unlock()
	if s != nil {
		_ = s.Check()
	}
}

// show says how it is.
func (t *torrent) show(state string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.err, t.progress = state, "", bt.Progress{}
	if err != nil {
		t.err = err.Error()
		if e, ok := errors.AsType[*bt.Error](err); ok && e.Advice != "" && bt.CodeOf(err) != bt.Exists {
			t.err = fmt.Sprintf("%s (%s)", t.err, e.Advice)
		}
	}
}

// note takes a snapshot of what goes on.
func (t *torrent) note(p bt.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress = p
	switch p.State {
	case "metadata", "checking", "downloading":
		t.state = p.State
	}
}

// info is how it is now.
func (t *torrent) info() *api.TorrentInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := &api.TorrentInfo{Magnet: t.row.Magnet, Dir: t.row.Dir, State: t.state, Error: t.err, Added: t.row.Added, TorrentURL: t.url}
	p := t.progress
	if t.seeding != nil {
		p = t.seeding.Progress()
	}
	i.Done, i.Total, i.Down, i.Up, i.Peers, i.Uploaded = p.Done, p.Total, int64(p.Down), int64(p.Up), p.Peers, t.row.Uploaded+p.Uploaded
	switch {
	case t.m == nil:
		g := t.source.Magnet
		i.Name, i.Total = g.Name, max(0, g.Length)
		i.InfoHash, i.InfoHashV2 = hexOf(g.InfoHash, g.InfoHashV2)
		return i
	case t.seeding != nil:
		i.Magnet = t.seeding.Magnet().String()
	case i.Magnet == "":
		i.Magnet = bt.MagnetOf(t.m, bt.MagnetOptions{}).String()
	}
	i.Name, i.Total = t.m.Name, t.m.Length
	i.InfoHash, i.InfoHashV2 = hexOf(t.m.InfoHash, t.m.InfoHashV2)
	if t.row.Complete && t.state == api.TorrentStopped {
		i.Done = t.m.Length
	}
	return i
}

// hexOf is how infohashes are written; "" for none.
func hexOf(v1 bt.InfoHash, v2 bt.InfoHashV2) (a, b string) {
	if !v1.IsZero() {
		a = v1.String()
	}
	if !v2.IsZero() {
		b = v2.String()
	}
	return a, b
}
