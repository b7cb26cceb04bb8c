package annex

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"shoal/bt"
)

// makeSeed makes a torrent of those of the files that are p, or below it; nil when none is.
func (r *Repository) makeSeed(ctx context.Context, p string, files []annexed, opts SeedOptions) (_ *Seed, err error) {
	root := filepath.Join(r.Dir, p)
	if filepath.IsAbs(p) {
		root = filepath.Clean(p)
	}
	objects := map[string]string{} // by path in the torrent, "" for a torrent of one file
	for _, a := range files {
		rel, err := filepath.Rel(root, filepath.Join(r.Dir, filepath.FromSlash(a.file)))
		if err != nil || rel != "." && !filepath.IsLocal(rel) {
			continue
		}
		objects[strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(rel)), "/")] = a.object
	}
	if len(objects) == 0 {
		return nil, nil
	}
	m, err := torrentOfLinks(ctx, filepath.Base(root), objects, opts)
	if err != nil {
		return nil, err
	}
	seed := &Seed{Name: m.Name, Torrent: m, Files: make([]string, len(m.Files)), Made: true}
	for i, f := range m.Files {
		if !m.Dir {
			f.Path = ""
		}
		seed.Files[i] = objects[f.Path]
	}
	u, err := ParseTorrentURL("shoal:" + m.InfoHash.String())
	if err != nil {
		return nil, err
	}
	return seed, r.Remember(u, m)
}

// torrentOfLinks makes a v1 torrent of files that lie elsewhere, which links in a temporary folder give their names.
func torrentOfLinks(ctx context.Context, name string, objects map[string]string, opts SeedOptions) (_ *bt.Metainfo, err error) {
	dir, err := os.MkdirTemp("", "shoal-annex-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	root := filepath.Join(dir, "of")
	for rel, object := range objects {
		link := filepath.Join(root, filepath.FromSlash(rel))
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			return nil, err
		}
		if err := os.Symlink(object, link); err != nil {
			return nil, err
		}
	}
	var tiers [][]string
	for _, t := range opts.Trackers {
		tiers = append(tiers, []string{t})
	}
	return bt.Create(ctx, bt.CreateOptions{Path: root, Name: name, Hidden: true, FollowLinks: true, Trackers: tiers, Progress: opts.Progress})
}
