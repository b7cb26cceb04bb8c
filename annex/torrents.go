package annex

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"shoal/bt"
)

const (
	idleTorrents = 16 // that nobody reads of, and that are kept open for the next who does
	farewell     = 500 * time.Millisecond
	retryAfter   = 2 * time.Minute // until a torrent that nobody had is looked for again
)

// torrents are those that a process reads of: one session for all, and each is found out about and joined once, however
// many jobs want files of it.
type torrents struct {
	opts   Options
	turn   chan struct{} // has one token: who holds it may make client
	client *bt.Client    // nil until made

	mu     sync.Mutex
	byID   map[string]*torrent // guarded by mu
	idle   []*torrent          // guarded by mu; that used last at the end
	closed bool                // guarded by mu
}

// A torrent is one of them.
type torrent struct {
	id   string
	uses int           // guarded by torrents.mu
	turn chan struct{} // has one token: who holds it may use what follows

	reader *bt.Reader
	failed time.Time // when nobody was found last
	err    error     // of that time
}

func newTorrents(opts Options) *torrents {
	return &torrents{opts: opts, turn: token(), byID: map[string]*torrent{}}
}

func token() chan struct{} {
	c := make(chan struct{}, 1)
	c <- struct{}{}
	return c
}

// take waits for a token.
func take(ctx context.Context, turn chan struct{}) error {
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// session is the one session, made when it is first needed.
func (ts *torrents) session(ctx context.Context, set *settings) (*bt.Client, error) {
	if err := take(ctx, ts.turn); err != nil {
		return nil, err
	}
	defer func() { ts.turn <- struct{}{} }()
	if ts.client != nil {
		return ts.client, nil
	}
	c, err := ts.opts.NewClient(ctx, set.local)
	if err != nil {
		return nil, err
	}
	ts.client = c
	return c, nil
}

// use opens the torrent of u, or joins those who have it open, and calls f. fresh means that a .torrent is read anew
// although it is known.
func (ts *torrents) use(ctx context.Context, set *settings, u *TorrentURL, fresh bool, f func(*bt.Reader) error) error {
	t, err := ts.enter(u.id())
	if err != nil {
		return err
	}
	defer ts.leave(t)
	if err := take(ctx, t.turn); err != nil {
		return err
	}
	r, err := ts.open(ctx, t, set, u, fresh)
	t.turn <- struct{}{}
	if err != nil {
		return err
	}
	if err = f(r); bt.CodeOf(err) == bt.NoPeers && take(ctx, t.turn) == nil {
		t.failed, t.err = time.Now(), err
		t.turn <- struct{}{}
	}
	return err
}

// open is the reader of t. The caller holds the turn of t.
func (ts *torrents) open(ctx context.Context, t *torrent, set *settings, u *TorrentURL, fresh bool) (*bt.Reader, error) {
	if t.err != nil && time.Since(t.failed) < retryAfter {
		return nil, fmt.Errorf("%w (a moment ago)", t.err)
	}
	t.err = nil
	if t.reader != nil {
		return t.reader, nil
	}
	c, err := ts.session(ctx, set)
	if err != nil {
		return nil, err
	}
	var last bt.Progress
	src, err := set.source(u, fresh)
	if err != nil {
		return nil, err
	}
	r, err := c.OpenReader(ctx, src, bt.ReaderOptions{Peers: ts.opts.Peers, Trackers: ts.opts.Trackers,
		Resume: set.memory, MetadataTimeout: set.timeout, Progress: func(p bt.Progress) { last = p }})
	if err != nil {
		err = tried(err, last, set.unasked(u)...)
		if code := bt.CodeOf(err); code == bt.NoPeers || code == bt.NoMetadata {
			t.failed, t.err = time.Now(), err
		}
		return nil, err
	}
	if src.URL != "" {
		_ = set.remember(u, r.Metainfo()) // else the URL is asked again
	}
	t.reader = r
	return r, nil
}

var errEnding = errors.New("the process ends")

// enter counts a user of a torrent in.
func (ts *torrents) enter(id string) (*torrent, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return nil, errEnding
	}
	t := ts.byID[id]
	if t == nil {
		t = &torrent{id: id, turn: token()}
		ts.byID[id] = t
	}
	if t.uses++; t.uses == 1 {
		for i, other := range ts.idle {
			if other == t {
				ts.idle = append(ts.idle[:i], ts.idle[i+1:]...)
				break
			}
		}
	}
	return t, nil
}

// leave counts a user out. Of the torrents without users the last few stay open.
func (ts *torrents) leave(t *torrent) {
	ts.mu.Lock()
	var old *torrent
	if t.uses--; t.uses == 0 {
		ts.idle = append(ts.idle, t)
		if len(ts.idle) > idleTorrents {
			old, ts.idle = ts.idle[0], ts.idle[1:]
			delete(ts.byID, old.id)
		}
	}
	ts.mu.Unlock()
	if old != nil && old.reader != nil {
		_ = old.reader.Close() // nothing of it is on disk
	}
}

// close ends the session. git-annex waits for the end of the process, and a tracker may be slow to hear a farewell.
func (ts *torrents) close() error {
	ts.mu.Lock()
	ts.closed = true
	ts.mu.Unlock()
	<-ts.turn
	defer func() { ts.turn <- struct{}{} }()
	if ts.client == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- ts.client.Close() }()
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return nil
	}
}

// tried adds to an error of class NoPeers, NoMetadata or Stalled who was asked, and who was not.
func tried(err error, last bt.Progress, unasked ...string) error {
	switch bt.CodeOf(err) {
	case bt.NoPeers, bt.NoMetadata, bt.Stalled:
	default:
		return err
	}
	parts := []string{fmt.Sprintf("%d peers, %d of them seeds", last.Peers, last.Seeds)}
	for i, t := range last.Trackers {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("%d more trackers", len(last.Trackers)-i))
			break
		}
		said := t.Error
		switch {
		case said == "" && t.Working:
			said = fmt.Sprintf("knows %d seeders", t.Seeders)
		case said == "":
			said = "no answer yet"
		}
		parts = append(parts, trackerHost(t.URL)+": "+said)
	}
	if len(last.Trackers) == 0 {
		parts = append(parts, "no trackers")
	}
	parts = append(parts, unasked...)
	return &bt.Error{Code: bt.CodeOf(err), Err: fmt.Errorf("%w (%s)", err, strings.Join(parts, "; "))}
}

// trackerHost is a tracker's URL without what may be a passkey.
func trackerHost(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		return "tracker"
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return scheme + "://" + rest
}

// unasked says that the peers which u names are left alone, if it names some.
func (s *settings) unasked(u *TorrentURL) []string {
	if g := u.src.Magnet; s.local || g == nil || len(g.Peers) == 0 {
		return nil
	}
	return []string{"the peers that the magnet names are not asked: that takes allow-local=yes"}
}

// source is what to open for u: what is remembered of a .torrent at a URL, unless fresh.
func (s *settings) source(u *TorrentURL, fresh bool) (*bt.Source, error) {
	if !s.local {
		if u.src.Path != "" {
			return nil, errors.New("reading .torrent files of this machine takes allow-local=yes")
		}
		if len(s.unasked(u)) > 0 {
			outer := *u.src.Magnet
			outer.Peers = nil // peers that others name may be services of our own network
			return &bt.Source{Arg: u.src.Arg, Magnet: &outer}, nil
		}
	}
	if u.src.URL == "" || fresh || s.memory == "" {
		return u.src, nil
	}
	if path := s.path(u); exists(path) {
		return &bt.Source{Arg: u.src.Arg, Path: path}, nil
	}
	return u.src, nil
}

func (s *settings) path(u *TorrentURL) string { return filepath.Join(s.memory, u.id()+".torrent") }

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// remember keeps what a torrent says, so that its files can be had when a URL is gone, and peers need not be asked.
func (s *settings) remember(u *TorrentURL, m *bt.Metainfo) error {
	if s.memory == "" {
		return nil
	}
	if err := os.MkdirAll(s.memory, 0o700); err != nil {
		return err
	}
	return m.Save(s.path(u))
}
