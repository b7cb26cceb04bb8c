package apitest

import (
	"bytes"
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"

	"shoal/bt"
	"shoal/share/api"
)

// AddTorrent implements [api.Torrents]. What is to be seeded has the infohash of nothing.
func (f *Fake) AddTorrent(ctx context.Context, opts api.TorrentOptions) (*api.TorrentInfo, error) {
	info := api.TorrentInfo{Dir: opts.Dir, State: api.TorrentDownloading, Added: Epoch, Total: 3 << 20, Peers: 1}
	switch {
	case opts.Metainfo != nil:
		m, err := bt.ReadMetainfo(bytes.NewReader(opts.Metainfo))
		if err != nil {
			return nil, err
		}
		info.Name, info.InfoHash, info.Total = m.Name, m.InfoHash.String(), m.Length
	case opts.Path != "":
		info.Name, info.Dir, info.State = filepath.Base(opts.Path), filepath.Dir(opts.Path), api.TorrentSeeding
		info.InfoHash = strings.Repeat("0123456789", 4)
	default:
		src, err := bt.ParseSource(opts.Source)
		if err != nil {
			return nil, err
		}
		if src.Magnet == nil {
			return nil, api.Errorf(bt.BadInput, "reading %s: it answers 404", opts.Source)
		}
		info.InfoHash = src.Magnet.InfoHash.String()
		info.Name, info.State = cmp.Or(src.Magnet.Name, info.InfoHash), api.TorrentMetadata
	}
	info.Magnet = "magnet:?xt=urn:btih:" + info.InfoHash
	f.mu.Lock()
	defer f.mu.Unlock()
	if opts.Files != nil {
		info.State = api.TorrentSeeding
		f.torrents = slices.DeleteFunc(f.torrents, func(t api.TorrentInfo) bool { return t.InfoHash == info.InfoHash })
	}
	if slices.ContainsFunc(f.torrents, func(t api.TorrentInfo) bool { return t.InfoHash == info.InfoHash }) {
		return nil, api.Errorf(bt.Exists, "the node has %s already", info.InfoHash)
	}
	f.torrents = append(f.torrents, info)
	return &info, nil
}

// ListTorrents implements [api.Torrents].
func (f *Fake) ListTorrents(context.Context) ([]api.TorrentInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.torrents), nil
}

// RemoveTorrent implements [api.Torrents].
func (f *Fake) RemoveTorrent(_ context.Context, infohash string) (*api.TorrentInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, t := range f.torrents {
		if strings.HasPrefix(t.InfoHash, strings.ToLower(infohash)) {
			f.torrents = slices.Delete(f.torrents, i, i+1)
			return &t, nil
		}
	}
	return nil, api.Errorf(bt.NotFound, "there is no torrent %q", infohash)
}
