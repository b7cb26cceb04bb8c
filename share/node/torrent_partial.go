package node

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"

	"shoal/bt"
	"shoal/share/api"
)

// mergePartial checks the row of a torrent of which what is there is to be seeded. One that the node has like that already
// is the result, when the row says nothing new of it; else it is taken out, and what it had becomes part of the row.
func (n *Node) mergePartial(ctx context.Context, r *torrentRow) (*torrent, error) {
	if r.Metainfo == nil {
		return nil, fail(bt.Usage, "where files lie can only be said with the metainfo")
	}
	m, err := bt.ReadMetainfo(bytes.NewReader(r.Metainfo))
	if err != nil {
		return nil, err
	}
	if len(r.Files) != len(m.Files) {
		return nil, fail(bt.Usage, "%d paths are given for %d files", len(r.Files), len(m.Files))
	}
	for _, name := range r.Files {
		if name != "" && !filepath.IsAbs(name) {
			return nil, fail(bt.Usage, "%q is not an absolute path", name)
		}
	}
	hash := m.Short().String()
	old, err := n.torrents.find(hash)
	if bt.CodeOf(err) == bt.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	old.mu.Lock()
	was, wrong := old.row, old.state == api.TorrentError
	old.mu.Unlock()
	if !was.Partial || len(was.Files) != len(r.Files) {
		return nil, nil // which Exists
	}
	for i := range r.Files {
		if r.Files[i] == "" {
			r.Files[i] = was.Files[i]
		}
	}
	if !wrong && slices.Equal(r.Files, was.Files) {
		return old, nil
	}
	if _, err := n.RemoveTorrent(ctx, hash); err != nil {
		return nil, err
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	r.Added, r.Uploaded = was.Added, old.row.Uploaded
	return nil, nil
}
