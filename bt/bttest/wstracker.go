package bttest

import (
	_ "embed"
	"os"
	"path/filepath"
	"runtime"
)

//go:embed wstracker.mjs
var nodeTrackerScript string

// nodeTracker is npm's tracker as Need and the script know it.
const nodeTracker = "bittorrent-tracker"

// NodeTracker starts npm's bittorrent-tracker, which "make peers" puts into build/peers, and returns its announce URLs.
func NodeTracker(t T) (httpURL, wsURL string) {
	t.Helper()
	Need(t, "node", nodeTracker)
	p := Start(t, "node", "--input-type=module", "-e", nodeTrackerScript, nodeTrackerServer())
	addr := loopbackPort(p.WaitLine(t, "listening "))
	return "http://" + addr + "/announce", "ws://" + addr
}

// nodeTrackerServer is the module of its server. Tests run in the folders of their packages, hence the way from here.
func nodeTrackerServer() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "build", "peers", "node_modules", nodeTracker, "server.js")
}

func findNodeTracker() error {
	_, err := os.Stat(nodeTrackerServer())
	return err
}
