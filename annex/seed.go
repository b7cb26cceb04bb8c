package annex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"shoal/bt"
)

// SeedOptions say what of a repository is to be seeded.
type SeedOptions struct {
	Paths    []string // files and folders, as git-annex takes them; none = all below the current folder
	Trackers []string // of the torrents that are made, a tier each
	Progress func(bt.Progress)

	// Fetch gets the metainfo of a torrent that is not remembered. With local it may talk to this machine and its networks.
	Fetch func(ctx context.Context, src *bt.Source, local bool) (*bt.Metainfo, error)
}

// A Seed is a torrent of which the repository has content.
type Seed struct {
	Name    string       // of the torrent, or its URL when Err says why it is not known
	Torrent *bt.Metainfo // nil with Err
	Files   []string     // of the torrent's Files: the object file of the annex, absolute; "" = it is not here
	Made    bool         // it was made of what came from no torrent
	Err     error
}

// Seeds finds the torrents that content came from, by the URLs that are recorded for it. Of what came from none, each of
// opts.Paths that has such content becomes a torrent of it, under the names that the files have there. NotFound when
// there is nothing to seed. What is in the annex is only read.
func (r *Repository) Seeds(ctx context.Context, opts SeedOptions) ([]Seed, error) {
	all, err := r.content(ctx, opts.Paths)
	if err != nil {
		return nil, err
	}
	g := gathering{r: r, opts: opts, byURL: map[string]int{}, byHash: map[bt.InfoHash]int{}}
	var rest []annexed
	for _, a := range all {
		known, err := g.add(ctx, a)
		if err != nil {
			return nil, err
		}
		if !known && a.object != "" {
			rest = append(rest, a)
		}
	}
	for _, p := range opts.Paths {
		seed, err := r.makeSeed(ctx, p, rest, opts)
		if err != nil {
			return nil, err
		}
		if seed != nil {
			g.seeds = append(g.seeds, *seed)
		}
	}
	seeds := slices.DeleteFunc(g.seeds, func(s Seed) bool { return s.Err == nil && strings.Join(s.Files, "") == "" })
	switch {
	case len(seeds) > 0:
		return seeds, nil
	case len(rest) > 0:
		return nil, &bt.Error{Code: bt.NotFound, Err: errors.New("none of the annexed content here is known to have come from a torrent"),
			Advice: "name files or folders, and torrents are made of them"}
	}
	return nil, &bt.Error{Code: bt.NotFound, Err: errors.New("there is no annexed content here"), Advice: "\"git annex get\" fetches it"}
}

// An annexed file is one whose content is here.
type annexed struct {
	file   string // from the current folder, slash-separated
	key    string
	urls   []string
	object string // absolute; "" when it cannot be told
}

// whereisLine is what git-annex says of a file.
type whereisLine struct {
	File      string `json:"file"`
	Key       string `json:"key"`
	Whereis   []whereisRemote
	Untrusted []whereisRemote
}

type whereisRemote struct {
	URLs []string `json:"urls"`
}

// content lists the annexed files whose content is here.
func (r *Repository) content(ctx context.Context, paths []string) ([]annexed, error) {
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			p = filepath.Join(r.Dir, p)
		}
		if _, err := os.Lstat(p); err != nil {
			return nil, &bt.Error{Code: bt.NotFound, Err: err}
		}
	}
	args := append([]string{"annex", "whereis", "--json", "--in=here", "--"}, paths...)
	out, err := r.git(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	var all []annexed
	var keys strings.Builder
	for line := range strings.Lines(out) {
		var l whereisLine
		if json.Unmarshal([]byte(line), &l) != nil || l.File == "" {
			continue
		}
		a := annexed{file: filepath.ToSlash(filepath.Clean(l.File)), key: l.Key}
		for _, w := range slices.Concat(l.Whereis, l.Untrusted) {
			a.urls = append(a.urls, w.URLs...)
		}
		all = append(all, a)
		fmt.Fprintln(&keys, l.Key)
	}
	if len(all) == 0 {
		return nil, nil
	}
	out, err = r.git(ctx, strings.NewReader(keys.String()), "annex", "contentlocation", "--batch")
	objects := strings.Split(out, "\n")
	if err == nil && len(objects) != len(all) {
		err = fmt.Errorf("git-annex told %d locations of %d", len(objects), len(all))
	}
	if err != nil {
		return nil, err
	}
	for i, path := range objects {
		if path == "" {
			continue
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.Dir, path)
		}
		all[i].object = path
	}
	return all, nil
}

// A gathering brings content together with the torrents that it is of.
type gathering struct {
	r      *Repository
	opts   SeedOptions
	seeds  []Seed
	byURL  map[string]int      // by TorrentURL.id: index of seeds
	byHash map[bt.InfoHash]int // likewise: several URLs may name one torrent
}

// add puts the content of a file where it belongs. It reports whether it is of any torrent.
func (g *gathering) add(ctx context.Context, a annexed) (known bool, err error) {
	for _, url := range a.urls {
		u, err := ParseTorrentURL(url)
		if err != nil {
			continue
		}
		known = true
		i, ok := g.byURL[u.id()]
		if !ok {
			if i, err = g.learn(ctx, u); err != nil {
				return known, err
			}
			g.byURL[u.id()] = i
		}
		seed := &g.seeds[i]
		if seed.Err != nil || a.object == "" {
			continue
		}
		if n, err := u.file(seed.Torrent); err == nil {
			seed.Files[n] = a.object
		}
	}
	return known, nil
}

// learn finds out what the torrent at a URL is, and returns the index of its seed. An error ends everything.
func (g *gathering) learn(ctx context.Context, u *TorrentURL) (int, error) {
	m, err := g.r.recall(ctx, u, g.opts.Fetch)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		g.seeds = append(g.seeds, Seed{Name: u.Base, Err: fmt.Errorf("finding out what is in %s: %w", u.Base, err)})
		return len(g.seeds) - 1, nil
	}
	if i, ok := g.byHash[m.Short()]; ok {
		return i, nil
	}
	g.seeds = append(g.seeds, Seed{Name: m.Name, Torrent: m, Files: make([]string, len(m.Files))})
	g.byHash[m.Short()] = len(g.seeds) - 1
	return len(g.seeds) - 1, nil
}

// recall is the metainfo of a URL: what is remembered of it, else what fetch gets, which is remembered then.
func (r *Repository) recall(ctx context.Context, u *TorrentURL, fetch func(context.Context, *bt.Source, bool) (*bt.Metainfo, error)) (*bt.Metainfo, error) {
	set := settings{memory: filepath.Join(r.GitDir, filepath.FromSlash(memoryFolder)), local: r.allowsLocal(ctx)}
	if path := set.path(u); exists(path) {
		m, err := (&bt.Source{Arg: u.src.Arg, Path: path}).Load(ctx, bt.LoadOptions{})
		if err == nil {
			return m, nil
		}
	}
	src, err := set.source(u, true)
	if err != nil {
		return nil, err
	}
	m, err := fetch(ctx, src, set.local)
	if err == nil {
		_ = set.remember(u, m) // else it is fetched again
	}
	return m, err
}
