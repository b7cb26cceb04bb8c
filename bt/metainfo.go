package bt

import "time"

// A Metainfo is what a .torrent file says (BEP 3, BEP 52), checked: its pieces cover its files, and every File.Path is
// local, valid UTF-8, unique and short enough for a file system.
type Metainfo struct {
	InfoHash    InfoHash   // zero for a v2-only torrent
	InfoHashV2  InfoHashV2 // zero for a v1-only torrent
	Name        string     // suggested name of the file, or of the folder when Dir
	Dir         bool       // the files lie in a folder called Name
	PieceLength int64      // bytes
	NumPieces   int
	Length      int64 // bytes of all Files; pads are not counted
	Files       []File
	Private     bool // BEP 27

	Trackers     [][]string // tiers (BEP 12), as written: not yet sanitised
	Webseeds     []string   // BEP 19, as written
	Nodes        []string   // DHT nodes (BEP 5), host:port
	Comment      string
	CreatedBy    string
	CreationDate time.Time // zero when absent
	Source       string    // the "source" key of the info dictionary

	InfoBytes   []byte            // the info dictionary, byte for byte
	PieceLayers map[string]string // BEP 52: pieces root → concatenated piece hashes, checked against the root
	hashes      []byte            // v1 piece hashes, 20 bytes each
	space       int64             // bytes of the piece space, with v1 hashes
}

// A File of a torrent. Pad files and symbolic links (BEP 47) are not listed: what they take of the piece space is a gap,
// and no link is ever created.
type File struct {
	Path       string   // slash-separated, below Name when the torrent is a folder, else Name; safe (see Metainfo)
	Number     int      // its place in the torrent's own list, from 1; that has pads and links too, see Files
	Length     int64    // bytes
	Offset     int64    // of its first byte in the piece space (see the package comment)
	Executable bool     // attr x
	Root       [32]byte // BEP 52 pieces root; zero when the torrent has no v2 part or the file is empty
}

// HasV1 reports whether the torrent has v1 hashes; a hybrid has both.
func (m *Metainfo) HasV1() bool { return !m.InfoHash.IsZero() }

// HasV2 reports whether the torrent has v2 hashes.
func (m *Metainfo) HasV2() bool { return !m.InfoHashV2.IsZero() }

// Short is the infohash that handshakes, trackers and resume records use: v1 when there is one.
func (m *Metainfo) Short() InfoHash {
	if m.HasV1() {
		return m.InfoHash
	}
	return m.InfoHashV2.Short()
}
