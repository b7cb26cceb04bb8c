package bt

import "time"

// ServeOptions say what to serve, to whom and for how long. Items are required; the zero value of the rest serves until
// ctx is done.
type ServeOptions struct {
	LoadOptions // for an item that is "-", a .torrent on standard input

	Items []string // paths of files and folders to seed; of .torrent files whose data is in place
	Dir   string   // folder with the data of .torrents; "" = that of each .torrent

	Peers    []string // host:port to dial
	Trackers []string // besides those of the .torrents given; files and folders have no other
	Webseeds []string // for others to fetch from

	Memory     string // folder that remembers what was hashed; "" = none
	TorrentDir string // folder to write the .torrents to; "" = none
	Force      bool   // replace files there that are other torrents or none

	TrackerListen string // ADDRESS:PORT of a tracker of our own (HTTP and UDP), for what is served; "" = none
	HTTPListen    string // ADDRESS:PORT of a web server of our own, for what is served; "" = none

	For         time.Duration // end after so long; 0 = never
	Idle        time.Duration // end when nothing was sent for so long; 0 = never
	UntilCopies int           // end when each torrent was seen complete at so many peers; 0 = never
	SeedRatio   float64       // end when of each torrent so many times its size was sent; 0 = never
	FailFast    bool          // end when one of the items cannot be served

	// Event is called when something happens, from the goroutine of Serve. An error ends Serve.
	Event func(ServeEvent) error
	// Progress is called about twice a second, while data is hashed and then while it is served.
	Progress func(Progress)
}

// A ServeEvent is what happens to an item, or to all of Serve: Event is "serving", "failed" (it is not served; Err says
// why), "copy" (one more peer has all of it), "withdrawn" (it is served no more; Err says why) or "stopped" (all is over;
// Reason is "for", "idle", "copies", "ratio", "withdrawn" or "interrupted").
type ServeEvent struct {
	Event      string `json:"event"`
	Source     string `json:"source,omitempty"` // the item as given
	Name       string `json:"name,omitempty"`
	InfoHash   string `json:"infohash,omitempty"`
	InfoHashV2 string `json:"infohash_v2,omitempty"`
	*ServedItem
	*ServeTotals
	Reason string `json:"reason,omitempty"`
	Err    error  `json:"-"`
}

// A ServedItem is how others get what is served.
type ServedItem struct {
	Magnet     string `json:"magnet"`
	Torrent    string `json:"torrent,omitempty"`     // the path of the .torrent that was written
	TorrentURL string `json:"torrent_url,omitempty"` // of our web server
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Hashed     int64  `json:"hashed"` // bytes that were hashed now; 0 = what was hashed before is unchanged
}

// ServeTotals are what came of serving so far, of one item or of all.
type ServeTotals struct {
	Copies   int     `json:"copies"`   // peers seen complete
	Uploaded int64   `json:"uploaded"` // bytes, to peers and over HTTP
	Seconds  float64 `json:"seconds"`
}
