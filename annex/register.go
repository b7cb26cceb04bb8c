package annex

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"shoal/bt"
)

// RegisterOptions say which torrent to attach.
type RegisterOptions struct {
	Source   *bt.Source
	Torrent  *bt.Metainfo
	Remote   string            // name of the remote; "" = the one that fetches torrents
	Progress func(bt.Progress) // of the hashing
}

// Register attaches a torrent to the files of the repository that have its content: it looks for annexed content of the
// sizes that the torrent's files have, compares pieces, and notes the URL for each that matches. Nothing is downloaded.
// A file that is not here, or cannot be judged, is NotFound among the results.
func (r *Repository) Register(ctx context.Context, opts RegisterOptions) ([]Added, error) {
	remote, err := r.Torrents(ctx, opts.Remote)
	if err != nil {
		return nil, err
	}
	u, err := r.urlOf(opts.Source, opts.Torrent)
	if err != nil {
		return nil, err
	}
	matched, err := r.match(ctx, opts)
	if err != nil {
		return nil, err
	}
	var urls, present strings.Builder
	var added []Added
	for i, f := range opts.Torrent.Files {
		a := Added{Path: placeOf("", opts.Torrent, &f), Bytes: f.Length, URL: u.at(f.Number), Code: bt.OK}
		if c := matched[i]; c == nil {
			a.Code, a.Message = bt.NotFound, "no annexed content here is known to be that of the file"
		} else {
			a.Path, a.Key = c.File, c.Key
			fmt.Fprintf(&urls, "%s %s\n", c.Key, a.URL)
			fmt.Fprintf(&present, "%s %s 1\n", c.Key, remote.UUID)
		}
		added = append(added, a)
	}
	if urls.Len() == 0 {
		return added, nil
	}
	// In this order: setpresentkey leaves what it notes to the next command that commits, and clones would not get it.
	if _, err := r.git(ctx, strings.NewReader(present.String()), "annex", "setpresentkey", "--batch"); err != nil {
		return added, err
	}
	_, err = r.git(ctx, strings.NewReader(urls.String()), "annex", "registerurl", "--batch")
	return added, err
}

// A candidate is an annexed file whose content is here.
type candidate struct {
	File string `json:"file"`
	Key  string `json:"key"`
	size int64
	path string // absolute
}

// match finds for each file of the torrent the annexed file that has its content, nil where there is none.
func (r *Repository) match(ctx context.Context, opts RegisterOptions) ([]*candidate, error) {
	bySize, err := r.candidates(ctx)
	if err != nil {
		return nil, err
	}
	m := opts.Torrent
	found := make([]*candidate, len(m.Files))
	paths := make([]string, len(m.Files))
	for i := range m.Files {
		if found[i] = likeliest(m, i, bySize[m.Files[i].Length]); found[i] != nil {
			paths[i] = found[i].path
		}
	}
	res, err := bt.Verify(ctx, m, bt.VerifyOptions{Paths: paths, Progress: opts.Progress})
	if err != nil {
		return nil, err
	}
	for i, f := range res.Files {
		good := f.State == bt.FileOK || f.State == bt.FileUnverified && f.UnverifiedBytes < f.Bytes
		if !good || f.Bytes == 0 {
			found[i] = nil
		}
	}
	return found, nil
}

// candidates are the annexed files with content here, by size.
func (r *Repository) candidates(ctx context.Context) (map[int64][]candidate, error) {
	out, err := r.git(ctx, nil, "annex", "find", "--json")
	if err != nil {
		return nil, err
	}
	bySize := map[int64][]candidate{}
	for line := range strings.Lines(out) {
		var c candidate
		if json.Unmarshal([]byte(line), &c) != nil || c.File == "" {
			continue
		}
		c.path = filepath.Join(r.Dir, filepath.FromSlash(c.File))
		if info, err := os.Stat(c.path); err == nil && info.Mode().IsRegular() {
			c.size = info.Size()
			bySize[c.size] = append(bySize[c.size], c)
		}
	}
	return bySize, nil
}

// likeliest is the candidate whose first whole piece is right, or, where the file has none, that with the same name, or
// the only one.
func likeliest(m *bt.Metainfo, i int, all []candidate) *candidate {
	f := &m.Files[i]
	var named *candidate
	for c := range all {
		switch same := path.Base(filepath.ToSlash(all[c].File)) == path.Base(f.Path); judge(m, f, all[c].path) {
		case right:
			return &all[c]
		case open:
			if same || len(all) == 1 {
				named = &all[c]
			}
		}
	}
	return named
}

type verdict int

const (
	wrong verdict = iota
	right
	open // the file has no piece of its own
)

// judge compares the first piece that lies in the file whole.
func judge(m *bt.Metainfo, f *bt.File, name string) verdict {
	p := (f.Offset + m.PieceLength - 1) / m.PieceLength
	at := p*m.PieceLength - f.Offset
	n := min(m.PieceLength, f.Length-at)
	if n <= 0 {
		return open
	}
	in, err := os.Open(name)
	if err != nil {
		return wrong
	}
	defer in.Close()
	buf := make([]byte, n)
	if _, err := in.ReadAt(buf, at); err != nil {
		return wrong
	}
	switch {
	case m.VerifyPiece(int(p), buf):
		return right
	case n < m.PieceSize(int(p)):
		return open
	}
	return wrong
}
