package bttest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A Client is another program's seed or leech.
type Client struct {
	*Process
	Name     string // "aria2c", "transmission-daemon" or "libtorrent"
	Addr     string // host:port on which it takes peers
	complete func(t T)
}

// WaitComplete waits until a leech has everything on disk.
func (c *Client) WaitComplete(t T) {
	t.Helper()
	c.complete(t)
}

// A Program is one of the clients that this package can start. Source is the path of a .torrent, and for libtorrent it
// may be a magnet. The data of a seed is in dir under the torrent's name; a leech puts it there. A leech learns of peers
// by peer, a host:port ("" = it waits to be dialled), and by the trackers of the torrent. Transmission unchokes only
// every ten seconds: run its tests in parallel with others.
type Program struct {
	Name  string
	Needs string // for Need
	V2    bool   // knows v2 and hybrid torrents
	Seed  func(t T, source, dir string) *Client
	Leech func(t T, source, dir, peer string) *Client
	Dials bool // as a leech it can dial loopback; else it must be dialled
}

// Programs are the clients that can seed and leech.
func Programs() []Program {
	return []Program{
		{"aria2", "aria2c", false, SeedAria2, LeechAria2, true},
		{"transmission", "transmission-daemon", false, SeedTransmission, LeechTransmission, false},
		{"libtorrent", "libtorrent", true, SeedLibtorrent, LeechLibtorrent, true},
	}
}

// SeedAria2 seeds with aria2c, and returns when it accepts peers.
func SeedAria2(t T, torrent, dir string) *Client {
	t.Helper()
	return startAria2(t, torrent, dir, "--check-integrity=true")
}

// LeechAria2 downloads with aria2c. It has no option for peers: a tracker of ours names the peer.
func LeechAria2(t T, torrent, dir, peer string) *Client {
	t.Helper()
	if peer == "" {
		return startAria2(t, torrent, dir)
	}
	return startAria2(t, torrent, dir, "--bt-tracker="+PeerList(t, peer))
}

func startAria2(t T, torrent, dir string, more ...string) *Client {
	t.Helper()
	Need(t, "aria2c")
	port := FreePort(t)
	args := append([]string{
		"--no-conf", "--dir=" + dir, fmt.Sprint("--listen-port=", port), "--interface=127.0.0.1",
		"--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false",
		"--seed-ratio=0.0", "--file-allocation=none", "--disable-ipv6=true", "--no-netrc=true",
		"--show-console-readout=false", "--summary-interval=0", "--enable-color=false",
		"--log=-", "--log-level=notice", "--console-log-level=error",
		"--disk-cache=0", "--on-bt-download-complete=/bin/echo", // with the id, the number of files and the first path
	}, more...)
	c := &Client{Process: Start(t, "aria2c", append(args, torrent)...), Name: "aria2c", Addr: loopback(port)}
	c.WaitLine(t, "listening on TCP port")
	c.complete = func(t T) { c.WaitLine(t, " "+dir+"/") }
	return c
}

// OpenTracker starts an opentracker for the given infohashes (of a v2 torrent the first 20 bytes) and returns its
// announce URLs. Debian's serves only what is on its whitelist, which it reads at the start, and only IPv4.
func OpenTracker(t T, infohashes ...[20]byte) (httpURL, udpURL string) {
	t.Helper()
	Need(t, "opentracker")
	// It gives up root, then needs to read the list: t.TempDir may lie in folders that are not everybody's.
	dir := worldReadableDir(t)
	var list strings.Builder
	for _, h := range infohashes {
		fmt.Fprintf(&list, "%x\n", h)
	}
	writeFile(t, filepath.Join(dir, "wl"), []byte(list.String()))
	addr := loopback(FreePort(t))
	port := fmt.Sprint(portOf(t, addr))
	Start(t, "opentracker", "-i", "127.0.0.1", "-p", port, "-P", port, "-d", dir, "-w", "wl")
	waitPort(t, addr)
	return "http://" + addr + "/announce", "udp://" + addr + "/announce"
}
