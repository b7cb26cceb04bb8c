package bt

import (
	"io"
	"time"
)

// DownloadOptions say what of a torrent to fetch, where to put it and when to give up. The zero value fetches
// everything into the current folder, and seeds nothing afterwards.
type DownloadOptions struct {
	LoadOptions // for sources that are files, URLs or standard input

	Peers    []string // host:port, besides those found
	Trackers []string // besides those of the torrent, a tier each
	Webseeds []string // besides those of the torrent

	Dir             string // folder to put Name into; "" = "."
	Output          string // exact path of the file or folder, instead of Dir/Name; a folder there or a trailing slash means into it
	StripComponents int    // leading path components to drop, the torrent's Name being the first
	Select          Selection
	Force           bool // overwrite existing files that differ
	Check           bool // hash what is on disk again, whatever the records say
	Sequential      bool
	Resume          string // folder of resume records; "" = none are kept
	Memory          string // SeedOptions.Memory of a Seed that is to follow, which hashes nothing then; "" = none

	Stream io.Writer // verified bytes of the selected files, in order, instead of files; a Write that blocks may outlast Download
	Tar    bool      // with Stream: as a tar archive

	MetadataOnly bool
	SaveTorrent  string // path to write the metainfo to; what is there and is no metainfo of the torrent needs Force

	MetadataTimeout time.Duration // 0 = no limit
	StallTimeout    time.Duration // 0 = no limit

	Seed      bool          // keep seeding until ctx is done
	SeedRatio float64       // seed until uploaded/size reaches it
	SeedTime  time.Duration // seed for so long
	// Done is called once when the data is complete and verified, before any seeding.
	Done func(*DownloadResult)

	// Progress is called about twice a second, and once at the end with the final state.
	Progress func(Progress)
	// Event is called when something happens that a person or script may want to know.
	Event func(Event)
}

// Progress is a snapshot of a running download.
type Progress struct {
	State    string  // "metadata", "checking", "downloading", "seeding"
	Name     string  // "" until known
	InfoHash string  // v1, or v2 for a v2-only torrent
	Done     int64   // verified bytes of what is selected
	Total    int64   // bytes of what is selected; 0 until known
	Down, Up float64 // bytes a second, smoothed
	Uploaded int64
	Peers    int           // connected
	Seeds    int           // connected ones that have everything
	ETA      time.Duration // negative when unknown
	Trackers []TrackerStatus
}

// An Event of a running download: Kind is "metadata", "file", "stalled" or "done".
type Event struct {
	Kind     string
	InfoHash string // v1, or v2 for a v2-only torrent
	Name     string // of the torrent, or path of the file
	Size     int64
}

// A DownloadResult says what is now where.
type DownloadResult struct {
	Source     string       `json:"source"`
	Name       string       `json:"name"`
	InfoHash   string       `json:"infohash,omitempty"`
	InfoHashV2 string       `json:"infohash_v2,omitempty"`
	Dir        string       `json:"dir"`
	Bytes      int64        `json:"bytes"`
	Seconds    float64      `json:"seconds"`
	Files      []ResultFile `json:"files"`
	// Present is whether all of it was there already, and nothing had to be fetched.
	Present bool `json:"-"`
}

// A ResultFile is a file that is there and verified.
type ResultFile struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
}

// A TrackerStatus is what a tracker last said.
type TrackerStatus struct {
	URL      string    `json:"url"`
	Tier     int       `json:"tier"`
	Working  bool      `json:"working"`
	Error    string    `json:"error,omitempty"`
	Peers    int       `json:"peers"`
	Seeders  int       `json:"seeders"`
	Leechers int       `json:"leechers"`
	Next     time.Time `json:"next"`
}
