package bttest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// NodeTracker starts npm's bittorrent-tracker, which "make peers" puts into build/peers, and returns its announce URLs.
func NodeTracker(t T) (httpURL, wsURL string) {
	t.Helper()
	Need(t, "node", nodeTracker)
	addr := loopback(FreePort(t))
	Start(t, "node", nodeTrackerScript(), "--http", "--ws", "--http-hostname", "127.0.0.1", "--port", fmt.Sprint(portOf(t, addr))).
		WaitLine(t, "WebSocket tracker: ")
	return "http://" + addr + "/announce", "ws://" + addr
}

// nodeTracker is its name for Need.
const nodeTracker = "bittorrent-tracker"

// nodeTrackerScript is where "make peers" puts it, seen from this file: tests run in the folders of their packages.
func nodeTrackerScript() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "build", "peers", "node_modules", nodeTracker, "bin", "cmd.js")
}

func findNodeTracker() error {
	_, err := os.Stat(nodeTrackerScript())
	return err
}
