package commands

import (
	"time"

	"shoal/bt"
)

// A torrentInfo is what a metainfo says, as programs see it.
type torrentInfo struct {
	Name        string     `json:"name"`
	InfoHash    string     `json:"infohash,omitempty"`
	InfoHashV2  string     `json:"infohash_v2,omitempty"`
	Magnet      string     `json:"magnet"`
	Bytes       int64      `json:"bytes"`
	PieceLength int64      `json:"piece_length"`
	Pieces      int        `json:"pieces"`
	Private     bool       `json:"private"`
	Folder      bool       `json:"folder"` // the files lie in a folder called Name
	Files       []fileInfo `json:"files"`
	Trackers    [][]string `json:"trackers"` // tiers
	Webseeds    []string   `json:"webseeds"`
	Nodes       []string   `json:"nodes,omitempty"`
	Comment     string     `json:"comment,omitempty"`
	CreatedBy   string     `json:"created_by,omitempty"`
	Created     *time.Time `json:"created,omitempty"`
	SourceTag   string     `json:"source_tag,omitempty"`
}

// A fileInfo is a file of a torrent; Index is what --select takes.
type fileInfo struct {
	Index int    `json:"index"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// newTorrentInfo shows a metainfo. When picked is not nil, only the files that it picks are listed.
func newTorrentInfo(m *bt.Metainfo, picked []bool) *torrentInfo {
	t := &torrentInfo{
		Name: m.Name, Magnet: bt.MagnetOf(m, bt.MagnetOptions{}).String(), Bytes: m.Length, PieceLength: m.PieceLength, Pieces: m.NumPieces,
		Private: m.Private, Folder: m.Dir, Files: []fileInfo{}, Trackers: m.Trackers, Webseeds: m.Webseeds, Nodes: m.Nodes,
		Comment: m.Comment, CreatedBy: m.CreatedBy, SourceTag: m.Source,
	}
	if t.Trackers == nil {
		t.Trackers = [][]string{}
	}
	if t.Webseeds == nil {
		t.Webseeds = []string{}
	}
	if m.HasV1() {
		t.InfoHash = m.InfoHash.String()
	}
	if m.HasV2() {
		t.InfoHashV2 = m.InfoHashV2.String()
	}
	if !m.CreationDate.IsZero() {
		utc := m.CreationDate.UTC()
		t.Created = &utc
	}
	if picked != nil {
		t.Bytes = 0
	}
	for i, f := range m.Files {
		if picked == nil || picked[i] {
			t.Files = append(t.Files, fileInfo{i + 1, f.Path, f.Length})
		}
		if picked != nil && picked[i] {
			t.Bytes += f.Length
		}
	}
	return t
}
