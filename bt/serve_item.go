package bt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A servable is a torrent whose files are known to be good.
type servable struct {
	m      *Metainfo
	files  *seedFiles
	hashed int64 // bytes
}

// load finds out what an item is, and hashes it unless it was hashed before.
func (s *server) load(ctx context.Context, arg string, changed func(error)) (*servable, error) {
	if arg != "-" && !isTorrentPath(arg) {
		return s.loadPath(ctx, arg, changed)
	}
	src := &Source{Arg: arg, Path: arg}
	dir := s.opts.Dir
	if arg == "-" {
		src = &Source{Arg: arg, Stdin: true}
	} else if dir == "" {
		dir = filepath.Dir(arg)
	}
	m, err := src.Load(ctx, s.opts.LoadOptions)
	if err != nil {
		return nil, err
	}
	root, paths, err := Layout(m, &DownloadOptions{Dir: dir})
	if err != nil {
		return nil, err
	}
	names, err := namesBelow(root, paths)
	if err != nil {
		return nil, err
	}
	files, err := newSeedFiles(m, names, s.c.seeds, changed)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && s.opts.Dir == "" {
			e.Advice = "--dir says where the data is"
		}
		return nil, err
	}
	hashed, err := s.c.trust(ctx, files, SeedOptions{Memory: s.opts.Memory, Progress: func(done, total int64) {
		s.report(Progress{State: "checking", Name: m.Name, Done: done, Total: total, ETA: -1})
	}})
	return &servable{m, files, hashed}, err
}

// isTorrentPath reports whether an item is a .torrent rather than data.
func isTorrentPath(arg string) bool {
	if !strings.EqualFold(filepath.Ext(arg), ".torrent") {
		return false
	}
	info, err := os.Stat(arg)
	return err != nil || !info.IsDir()
}

// loadPath makes a v1 torrent of a file or folder, or remembers the one that was made of it.
func (s *server) loadPath(ctx context.Context, arg string, changed func(error)) (*servable, error) {
	return s.c.loadPath(ctx, arg, SeedOptions{Memory: s.opts.Memory, Changed: changed, Progress: func(done, total int64) {
		s.report(Progress{State: "checking", Name: filepath.Base(arg), Done: done, Total: total, ETA: -1})
	}})
}

// CreateSeed makes a v1 torrent of a file or folder, or remembers the one that was made of it: of opts it needs Memory and
// Progress. Hidden files and links in a folder are left out, as Create does. Seed serves it where it is, with these files
// as its Files; with the same Memory nothing is hashed again.
func (c *Client) CreateSeed(ctx context.Context, path string, opts SeedOptions) (m *Metainfo, files []string, err error) {
	load, err := c.loadPath(ctx, path, opts)
	if err != nil {
		return nil, nil, err
	}
	hash := load.m.Short().String()
	c.remember(seedRecordPath(opts.Memory, "torrent", hash+"\x00"+load.files.names[0]), &seedRecord{InfoHash: hash}, load.files)
	return load.m, load.files.names, nil
}

func (c *Client) loadPath(ctx context.Context, arg string, opts SeedOptions) (*servable, error) {
	tree, err := lookAt(ctx, arg)
	if err != nil {
		return nil, err
	}
	record := seedRecordPath(opts.Memory, "path", tree.root)
	hashed := int64(0)
	m := tree.recall(readSeedRecord(record))
	if m == nil {
		if err := rest(ctx, tree.youngest); err != nil {
			return nil, err
		}
		m, err = Create(ctx, CreateOptions{Path: arg, Progress: func(p Progress) {
			if opts.Progress != nil {
				opts.Progress(p.Done, p.Total)
			}
		}})
		if err != nil {
			return nil, err
		}
		hashed = m.Length
	}
	files, err := tree.files(m, c.seeds, opts.Changed)
	if err != nil {
		return nil, err
	}
	if hashed > 0 && files.settled {
		r := &seedRecord{InfoHash: m.InfoHash.String(), Info: m.InfoBytes}
		if err := writeSeedRecord(record, r, tree.names, tree.stamps); err != nil {
			c.log.Warn("what was hashed is not remembered", "err", err)
		}
	}
	return &servable{m, files, hashed}, nil
}

// A seedTree is what lay under a path when it was looked at: before it is hashed, so that all that happens later shows.
type seedTree struct {
	root     string // absolute, of no links
	names    []string
	stamps   []stamp
	settled  bool
	youngest time.Time
	at       map[string]int
}

// lookAt lists the regular files under a path, hidden ones left out, as Create does.
func lookAt(ctx context.Context, arg string) (*seedTree, error) {
	root, err := filepath.Abs(arg)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if isNotExist(err) {
		return nil, errorf(BadInput, "%w", err)
	}
	if err != nil {
		return nil, err
	}
	t := &seedTree{root: root, settled: true, at: map[string]int{}}
	now := time.Now()
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case name != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := stampOf(info)
		t.at[name] = len(t.names)
		t.names, t.stamps = append(t.names, name), append(t.stamps, st)
		t.settled = t.settled && st.settled(now)
		t.youngest = later(t.youngest, info.ModTime())
		return nil
	})
	return t, err
}

// recall is the metainfo of a record, nil when it is not one of these files as they are.
func (t *seedTree) recall(r *seedRecord) *Metainfo {
	if r == nil || len(t.names) == 0 || !t.settled || !r.vouches("", t.names, t.stamps) {
		return nil
	}
	m, err := MetainfoFromInfo(r.Info)
	if err != nil {
		return nil
	}
	return m
}

// files are those of m, which was made of the tree, if they are still what was looked at.
func (t *seedTree) files(m *Metainfo, pool *handlePool, changed func(error)) (*seedFiles, error) {
	names := make([]string, len(m.Files))
	for i, f := range m.Files {
		if names[i] = t.root; m.Dir {
			names[i] = filepath.Join(t.root, filepath.FromSlash(f.Path))
		}
	}
	s, err := newSeedFiles(m, names, pool, changed)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if at, ok := t.at[name]; !ok || t.stamps[at] != s.stamps[i] {
			return nil, errorf(Failed, "hashing %s: %w", name, errChanged)
		}
	}
	s.settled = t.settled
	return s, nil
}

// publish is the metainfo as others are to have it: with the trackers and web servers that may be known, and ours.
func (s *server) publish(m *Metainfo) *Metainfo {
	pub := *m
	pub.Trackers, pub.Webseeds = nil, nil
	add := func(tier []string) {
		if len(tier) > 0 {
			pub.Trackers = append(pub.Trackers, tier)
		}
	}
	if s.tracker != nil {
		for _, a := range s.c.net.reachable(s.trackerAt.Addr()) {
			add([]string{fmt.Sprintf("http://%s/announce", a), fmt.Sprintf("udp://%s/announce", a)})
		}
	}
	if !s.c.cfg.LANOnly {
		for _, t := range s.opts.Trackers {
			add([]string{t})
		}
		if !s.c.cfg.NoTrackers {
			for _, tier := range m.Trackers {
				add(tier)
			}
		}
	}
	if s.web != nil {
		for _, a := range s.c.net.reachable(s.webAt.Addr()) {
			pub.Webseeds = append(pub.Webseeds, fmt.Sprintf("http://%s/%s/", a, webName(m)))
		}
	}
	pub.Webseeds = append(pub.Webseeds, s.opts.Webseeds...)
	if !s.c.cfg.NoWebseeds {
		pub.Webseeds = append(pub.Webseeds, m.Webseeds...)
	}
	return &pub
}

// save writes the .torrent, if it is to be written, and returns its path. One of the same torrent is replaced, since the
// addresses in it are those of an earlier run.
func (s *server) save(pub *Metainfo) (string, error) {
	if s.opts.TorrentDir == "" {
		return "", nil
	}
	if err := os.MkdirAll(s.opts.TorrentDir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(s.opts.TorrentDir, pub.Name+".torrent")
	if s.saved[path] {
		path = filepath.Join(s.opts.TorrentDir, pub.Name+"-"+pub.Short().String()[:8]+".torrent")
	}
	if !s.opts.Force {
		old, err := (&Source{Arg: path, Path: path}).open()
		if _, statErr := os.Lstat(path); statErr == nil && (err != nil || old.Short() != pub.Short()) {
			return "", errorf(Exists, "writing %s: it exists, and is not that torrent", path).withHint("--force overwrites it")
		}
	}
	s.saved[path] = true
	return path, pub.Save(path)
}
