package bt

import (
	"log/slog"
	"net/netip"
)

// Encryption says how connections to peers are obfuscated (message stream encryption; it hides the protocol, it keeps
// nothing secret).
type Encryption string

// The encryption modes; the zero value means EncryptionPrefer.
const (
	EncryptionPrefer  Encryption = "prefer"
	EncryptionRequire Encryption = "require"
	EncryptionOff     Encryption = "off"
)

// Config says how a session meets the network. The zero value listens on any free port of all addresses, with
// trackers, DHT, PEX and webseeds on.
type Config struct {
	Port      int    // TCP, and UDP of the same number for the DHT; 0 = any free
	Listen    string // address to listen on and to dial from; "" = all
	Interface string // network interface that every packet must use, or fail; "" = any
	Proxy     string // socks5://, socks5h:// or http:// URL that everything must go through, or fail

	NoDHT      bool
	DHTNodes   []string // host:port; given = only these are asked first, and no public node
	DHTCache   string   // file that remembers DHT nodes between sessions; "" = none
	NoPEX      bool
	LPD        bool // local peer discovery (BEP 14)
	TryLPD     bool // the same, where the system lets it: without it the session does without
	NoTrackers bool // ignore the trackers that torrents name; those the caller adds stay
	NoWebseeds bool
	UTP        bool
	UPnP       bool
	// TryUPnP asks the router to forward the port, by NAT-PMP or UPnP, once a meeting is not local only, and unless
	// something else here is in the way.
	TryUPnP bool
	LANOnly bool // no DHT, no trackers, no port mapping, only local addresses
	// NoLocal refuses what a stranger's torrent must not make us ask: trackers, webseeds and .torrent URLs in the
	// networks of this machine, and peers on the machine itself. Usage together with LANOnly.
	NoLocal bool

	Blocklist *Blocklist
	Allow     []netip.Prefix // when not empty, only peers in one of these

	Encryption    Encryption
	MaxPeers      int   // per torrent; 0 = 50
	DownloadLimit int64 // bytes a second; 0 = unlimited
	UploadLimit   int64 // bytes a second; 0 = unlimited
	UserAgent     string
	NoName        bool // peers and trackers are told the names of the library, and nothing of ours

	// MaxUnverified bounds the bytes of pieces that are being fetched, in whole pieces and over all torrents: more than
	// a few pieces of the longest length; 0 = 64 MiB. What is above is not held in memory, but each look for blocks to
	// ask for goes through it.
	MaxUnverified int64

	Logger *slog.Logger // nil discards
}
