package node

import (
	"context"

	"shoal/bt"
	"shoal/share/api"
)

// AddTorrent has the node seed or fetch a torrent.
func (n *Node) AddTorrent(context.Context, api.TorrentOptions) (*api.TorrentInfo, error) {
	return nil, fail(bt.Failed, "not yet")
}

// ListTorrents is all of them.
func (n *Node) ListTorrents(context.Context) ([]api.TorrentInfo, error) { return nil, nil }

// RemoveTorrent ends one.
func (n *Node) RemoveTorrent(context.Context, string) (*api.TorrentInfo, error) {
	return nil, fail(bt.NotFound, "not yet")
}
