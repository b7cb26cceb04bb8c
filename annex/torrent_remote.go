package annex

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"shoal/annex/protocol"
	"shoal/bt"
)

const (
	torrentCost    = 175 // cheaper than the bittorrent remote of git-annex (200), dearer than a disk
	defaultTimeout = 2 * time.Minute
	memoryFolder   = "annex/shoal" // in the git directory
)

// torrentRemote fetches files of torrents. It stores nothing: git-annex downloads from it, as from the web.
type torrentRemote struct {
	protocol.Unsupported
	torrents *torrents
	hashed   hashed

	mu  sync.Mutex
	set *settings // guarded by mu; nil until asked for
}

// settings are those of initremote.
type settings struct {
	local   bool          // allow-local
	timeout time.Duration // that nothing may come for
	memory  string        // folder of the .torrents that were seen; "" = none
}

func newTorrentRemote(opts Options) *torrentRemote {
	return &torrentRemote{torrents: newTorrents(opts)}
}

func (r *torrentRemote) Configs() []protocol.Config {
	return []protocol.Config{
		{Name: "allow-local", Text: "yes: trackers, web servers and peers on this machine and in its networks may be used, and .torrent files of this machine (default no)"},
		{Name: configTorrent, Text: "with importtree=yes: the torrent to import the tree of, a magnet or a URL"},
		{Name: "timeout", Text: "how long nothing may come before a torrent is given up, such as 90s or 5m (default 2m)"},
	}
}

// settings reads the settings, once.
func (r *torrentRemote) settings(j *protocol.Job) (*settings, error) {
	r.mu.Lock()
	set := r.set
	r.mu.Unlock()
	if set != nil {
		return set, nil
	}
	set, err := readSettings(j)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set = set
	return set, nil
}

func readSettings(j *protocol.Job) (*settings, error) {
	set := &settings{timeout: defaultTimeout}
	local, err := j.GetConfig("allow-local")
	if err != nil {
		return nil, err
	}
	switch local {
	case "", "no", "false":
	case "yes", "true":
		set.local = true
	default:
		return nil, fmt.Errorf("allow-local=%s: want yes or no", local)
	}
	timeout, err := j.GetConfig("timeout")
	if err != nil {
		return nil, err
	}
	if timeout != "" {
		if set.timeout, err = time.ParseDuration(timeout); err != nil || set.timeout <= 0 {
			return nil, fmt.Errorf("timeout=%s: want a duration such as 90s or 5m", timeout)
		}
	}
	dir, err := j.GetGitDir()
	if err != nil {
		return nil, err
	}
	if filepath.IsAbs(dir) {
		set.memory = filepath.Join(dir, filepath.FromSlash(memoryFolder))
	}
	return set, nil
}

// Init checks the settings, and asks git-annex not to send content here.
func (r *torrentRemote) Init(_ context.Context, j *protocol.Job) error {
	for _, c := range []struct{ name, fine, why string }{
		{"encryption", "none", "what others seed cannot be encrypted: use encryption=none"},
		{"chunk", "", "what others seed cannot be chunked: leave chunk= out"},
		{"exporttree", "no", "a torrent is not written to: leave exporttree= out"},
	} {
		v, err := j.GetConfig(c.name)
		if err != nil {
			return err
		}
		if v != "" && v != c.fine {
			return errors.New(c.why)
		}
	}
	if _, err := r.settings(j); err != nil {
		return err
	}
	if err := r.checkTree(j); err != nil {
		return err
	}
	wanted, err := j.GetWanted()
	if err != nil || wanted != "" {
		return err
	}
	// Else sync --content would send everything here, and fail.
	return j.SetWanted("present")
}

// Prepare has nothing to prepare: the session is begun when it is needed.
func (r *torrentRemote) Prepare(context.Context, *protocol.Job) error { return nil }

func (r *torrentRemote) Close() error {
	r.hashed.close()
	return r.torrents.close()
}

func (r *torrentRemote) Cost(context.Context, *protocol.Job) (int, error) { return torrentCost, nil }

func (r *torrentRemote) Availability(context.Context, *protocol.Job) (protocol.Availability, error) {
	return protocol.Global, nil
}

func (r *torrentRemote) Ordered(context.Context, *protocol.Job) (bool, error) { return true, nil }

func (r *torrentRemote) Claim(_ context.Context, _ *protocol.Job, url string) (bool, error) {
	_, err := ParseTorrentURL(url)
	return err == nil, nil
}

// CheckURL says what is in a torrent.
func (r *torrentRemote) CheckURL(ctx context.Context, j *protocol.Job, url string) (protocol.URLContents, error) {
	var c protocol.URLContents
	u, err := ParseTorrentURL(url)
	if err != nil {
		return c, err
	}
	set, err := r.settings(j)
	if err != nil {
		return c, err
	}
	err = r.torrents.use(ctx, set, u, u.File == 0, func(reader *bt.Reader) error {
		c, err = contentsOf(u, reader.Metainfo())
		return err
	})
	return c, err
}

// contentsOf is what git-annex is told of a torrent. Names are those below the torrent's folder, as git-annex makes one
// of the URL.
func contentsOf(u *TorrentURL, m *bt.Metainfo) (protocol.URLContents, error) {
	if u.File > 0 || len(m.Files) == 1 {
		i, err := u.file(m)
		if err != nil {
			return protocol.URLContents{}, err
		}
		f := &m.Files[i]
		return protocol.URLContents{Files: []protocol.URLFile{{URL: u.Base, Size: f.Length, Name: path.Base(f.Path)}}}, nil
	}
	c := protocol.URLContents{Multi: true}
	var sel bt.Selection
	if g := u.src.Magnet; g != nil {
		sel.Indexes = g.Select
	}
	picked, err := sel.Match(m)
	if err != nil {
		return c, err
	}
	for i, f := range m.Files {
		if picked[i] {
			c.Files = append(c.Files, protocol.URLFile{URL: u.at(f.Number), Size: f.Length, Name: f.Path})
		}
	}
	return c, nil
}

// Store cannot be: it is said why.
func (r *torrentRemote) Store(context.Context, *protocol.Job, string, string) error {
	return errors.New("torrents are only downloaded from: a remote with share=NAME keeps content")
}

// Present never knows: that somebody seeds a file now does not mean that anybody will.
func (r *torrentRemote) Present(context.Context, *protocol.Job, string) (bool, error) {
	return false, errors.New("nobody has promised to go on seeding a torrent")
}

// Remove forgets the URLs of torrents that the key has.
func (r *torrentRemote) Remove(_ context.Context, j *protocol.Job, key string) error {
	urls, err := j.GetURLs(key, "")
	if err != nil {
		return err
	}
	for _, url := range urls {
		if _, err := ParseTorrentURL(url); err != nil {
			continue
		}
		// Which of the two it was recorded as cannot be asked.
		if err := errors.Join(j.SetURIMissing(key, url), j.SetURLMissing(key, url)); err != nil {
			return err
		}
	}
	return nil
}

// Whereis says which torrents the key is in.
func (r *torrentRemote) Whereis(_ context.Context, j *protocol.Job, key string) (string, error) {
	urls, err := j.GetURLs(key, "")
	var in []string
	for _, url := range urls {
		u, err := ParseTorrentURL(url)
		if err != nil {
			continue
		}
		what := "torrent " + u.id()
		if u.src.Magnet == nil {
			what = "torrent at " + u.Base
		}
		if u.File > 0 {
			what = fmt.Sprintf("file %d of %s", u.File, what)
		}
		in = append(in, what)
	}
	return strings.Join(in, ", "), err
}

// Info says how the remote is set up.
func (r *torrentRemote) Info(_ context.Context, j *protocol.Job) ([]protocol.Field, error) {
	set, err := r.settings(j)
	if err != nil {
		return nil, err
	}
	local := "refused"
	if set.local {
		local = "allowed"
	}
	return []protocol.Field{
		{Name: "fetches", Value: "files of torrents"}, {Name: "gives up after", Value: set.timeout.String()},
		{Name: "local addresses", Value: local},
	}, nil
}
