package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// saveTorrent writes a .torrent, whole or not at all. A file that is there is left alone, unless force says otherwise.
func saveTorrent(path string, m *bt.Metainfo, force bool) error {
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		return err
	}
	switch old, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("saving the torrent: %w", err)
	case bytes.Equal(old, b.Bytes()):
		return nil
	case !force:
		return &bt.Error{Code: bt.Exists, Err: fmt.Errorf("saving the torrent: %s exists, and differs", path), Advice: "--force overwrites it"}
	}
	if err := writeFile(path, b.Bytes()); err != nil {
		return fmt.Errorf("saving the torrent: %w", err)
	}
	return nil
}

// writeFile writes a file under a temporary name and then renames it, so that nobody ever sees half of it.
func writeFile(path string, data []byte) error {
	temporary := fmt.Sprintf("%s.%d.part", path, os.Getpid())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
