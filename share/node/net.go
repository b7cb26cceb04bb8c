package node

import (
	"context"
	"net/netip"
	"time"

	"shoal/bt"
	"shoal/share/wire"
)

// A Net is how a node meets others and moves large files: package bt, or a simulation.
type Net interface {
	// Meet joins the meeting swarm of a share; onLink is called in a goroutine of its own for each connection, which
	// must be accepted or closed.
	Meet(ctx context.Context, opts MeetOptions, onLink func(Link)) (Meeting, error)
	// OpenData opens the torrent of a large file.
	OpenData(ctx context.Context, opts bt.DataOptions) (Data, error)
	// Port is where others can connect; 0 = nowhere.
	Port() int
	Close() error
}

// MeetOptions say whom to look for, and where.
type MeetOptions struct {
	InfoHash  [20]byte
	Extension string
	Trackers  []string
	Hosts     []string
	LANOnly   bool
}

// A Link is a connection that was made in a meeting.
type Link interface {
	wire.Link
	Accept() // the peer has proved that it belongs here
	// CloseFor closes it, because keep goes to the same node: the address is not dialled again while keep lasts.
	CloseFor(keep Link)
}

// A Meeting is a swarm where the nodes of a share find each other.
type Meeting interface {
	AddPeers(peers []netip.AddrPort)
	Ban(addr netip.Addr, d time.Duration)
	Close() error
}

// Data is an open torrent.
type Data interface {
	Wait(ctx context.Context) error
	AddPeers(peers []netip.AddrPort)
	Review()
	Stats() bt.DataStats
	Failed() <-chan error
	Close() error
}
