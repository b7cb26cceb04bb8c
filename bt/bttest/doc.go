// Package bttest is the other side that a BitTorrent engine is tested against, all of it on loopback.
//
// Real programs: [SeedAria2], [LeechTransmission] and the like start other people's clients, [OpenTracker] and [NodeTracker] a tracker,
// [MakeTorrent] runs their makers of .torrent files. Hostile ones: a [HostilePeer] speaks the peer protocol and breaks
// one rule of it (see [Behaviours]); [Webseeds], [HTTPTrackers] and [UDPTrackers] do the same for the
// other doors. Roads: [NewLink] delays, throttles and cuts a TCP connection, [NewSocks] and [NewConnectProxy] count
// what goes through them, [Namespace] and [TwoHosts] give networks of their own.
//
// Nothing here shares code with package bt. Whatever is started is stopped, and waited for, when the test ends.
package bttest

import (
	"context"
	"os"
	"os/exec"

	"shoal/bt/bttest/internal/libtorrent"
)

// T is what this package needs of a test: a testing.TB, or a script's environment dressed as one.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
	Context() context.Context
	TempDir() string
}

// Python is the interpreter that has Debian's libtorrent.
const Python = libtorrent.Python

// Need skips the test unless every program is installed; with SHOAL_REQUIRE_PEERS=1 in the environment, where a skip
// would hide that nothing was tested, it fails. The name "libtorrent" stands for its Python module, and
// "bittorrent-tracker" for npm's.
func Need(t T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if err := find(name); err != nil {
			missing(t, "%s: %v (make peers installs it)", name, err)
		}
	}
}

func find(name string) error {
	switch name {
	case "libtorrent":
		return libtorrent.Available()
	case nodeTracker:
		return findNodeTracker()
	}
	_, err := exec.LookPath(name)
	return err
}

// missing skips the test, or fails it where skipping is forbidden.
func missing(t T, format string, args ...any) {
	t.Helper()
	if os.Getenv("SHOAL_REQUIRE_PEERS") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
