package api

import (
	"context"
	"time"
)

// Torrents is what can be asked of the torrents that a node seeds and fetches beside its shares.
type Torrents interface {
	// AddTorrent has the node seed or fetch a torrent, from now on and after each start. Exists when it has it already, but
	// with Files these become part of what it has by Files.
	AddTorrent(ctx context.Context, opts TorrentOptions) (*TorrentInfo, error)
	ListTorrents(ctx context.Context) ([]TorrentInfo, error)
	// RemoveTorrent ends that; files stay. The infohash may be cut to a unique beginning. NotFound for one that is not there.
	RemoveTorrent(ctx context.Context, infohash string) (*TorrentInfo, error)
}

// TorrentOptions say which torrent to add: exactly one of Source, Metainfo and Path is given.
type TorrentOptions struct {
	Source   string `json:"source,omitempty"`   // a magnet, an infohash or the URL of a .torrent
	Metainfo []byte `json:"metainfo,omitempty"` // a .torrent; base64 in JSON
	Path     string `json:"path,omitempty"`     // absolute: a file or folder, which becomes a v1 torrent
	Dir      string `json:"dir,omitempty"`      // absolute: where the data is, or goes; not with Path

	// Files, with Metainfo, say where each of the torrent's files lies, absolute; "" for one that is not here. What of them
	// is there is seeded, also when it comes or goes later, and nothing is fetched. Dir is their common folder.
	Files []string `json:"files,omitempty"`
}

// States of a torrent.
const (
	TorrentMetadata    = "metadata" // looking for what it holds
	TorrentChecking    = "checking"
	TorrentDownloading = "downloading"
	TorrentSeeding     = "seeding"
	TorrentStopped     = "stopped" // no node runs
	TorrentError       = "error"
)

// TorrentInfo is a torrent of a node.
type TorrentInfo struct {
	InfoHash   string    `json:"infohash,omitempty"` // hex
	InfoHashV2 string    `json:"infohash_v2,omitempty"`
	Name       string    `json:"name"`
	Magnet     string    `json:"magnet"`
	TorrentURL string    `json:"torrent_url,omitempty"` // of the node's web server
	Dir        string    `json:"dir"`                   // that holds Name
	State      string    `json:"state"`
	Error      string    `json:"error,omitempty"`
	Added      time.Time `json:"added"`
	Done       int64     `json:"done"` // verified bytes, of Total
	Total      int64     `json:"total"`
	Down       int64     `json:"down_bps"`
	Up         int64     `json:"up_bps"`
	Uploaded   int64     `json:"uploaded"`
	Peers      int       `json:"peers"`
}
