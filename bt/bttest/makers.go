package bttest

import (
	"fmt"
	"math/bits"
	"path/filepath"

	"shoal/bt/bttest/internal/libtorrent"
)

// Formats of torrents, for MakeOptions.
const (
	V1     = "v1"
	V1Pads = "v1-pads" // v1, its files aligned to pieces by pad files (BEP 47)
	V2     = "v2"
	Hybrid = "hybrid"
)

// MakeOptions say what .torrent to make. The zero value is a v1 torrent without trackers.
type MakeOptions struct {
	Format      string // "" = V1; others need libtorrent
	Announce    string // "" = none
	PieceLength int    // a power of two, at least 32 KiB; 0 = 32 KiB
}

// Makers are the programs that MakeTorrent knows; each needs what Need calls the same.
func Makers() []string { return []string{"mktorrent", "transmission-create", "libtorrent"} }

// MakeTorrent makes a .torrent of a file or folder with another program and returns its path.
func MakeTorrent(t T, maker, path string, o MakeOptions) string {
	t.Helper()
	Need(t, maker)
	if o.PieceLength == 0 {
		o.PieceLength = 32 << 10
	}
	if o.Format == "" {
		o.Format = V1
	}
	if o.Format != V1 && maker != "libtorrent" {
		t.Fatalf("%s makes no %s torrents", maker, o.Format)
	}
	out := filepath.Join(t.TempDir(), "made.torrent")
	switch maker {
	case "mktorrent":
		args := []string{"-l", fmt.Sprint(bits.Len(uint(o.PieceLength)) - 1), "-o", out}
		if o.Announce != "" {
			args = append(args, "-a", o.Announce)
		}
		runTool(t, maker, append(args, path)...)
	case "transmission-create":
		args := []string{"-s", fmt.Sprint(o.PieceLength >> 10), "-o", out}
		if o.Announce != "" {
			args = append(args, "-t", o.Announce)
		}
		runTool(t, maker, append(args, path)...)
	case "libtorrent":
		cmd := libtorrent.Command("make", o.Format, fmt.Sprint(o.PieceLength), o.Announce, out, path)
		runTool(t, cmd.Path, cmd.Args[1:]...)
	default:
		t.Fatalf("no maker %q", maker)
	}
	return out
}

// LibtorrentState is what libtorrent writes to remember a torrent and its session: bencode.
func LibtorrentState(t T, torrent string) (resume, session string) {
	t.Helper()
	Need(t, "libtorrent")
	dir := t.TempDir()
	cmd := libtorrent.Command("state", torrent, dir)
	runTool(t, cmd.Path, cmd.Args[1:]...)
	return filepath.Join(dir, "resume"), filepath.Join(dir, "session")
}
