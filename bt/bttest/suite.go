package bttest

import (
	"os"
	"testing"
)

const watchedVar = "SHOAL_BTTEST_SUITE"

// Watched reports whether this is a run that NoPacketLeaves watches.
func Watched() bool { return os.Getenv(watchedVar) != "" }

// NoPacketLeaves runs this test binary once more with args, in a network of its own that has a default route, and fails
// the test for each packet that took it. It does nothing inside such a run.
func NoPacketLeaves(t *testing.T, args ...string) {
	t.Helper()
	if Watched() {
		t.Skip("this is the run that is watched")
	}
	if !Namespace(t) {
		return
	}
	leaks := WatchLeaks(t)
	cmd := again(t, args...)
	cmd.Env = append(os.Environ(), watchedVar+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("running the suite: %v\n%s", err, out)
	}
	for _, p := range leaks.Packets() {
		t.Errorf("a packet left the machine: %s", p)
	}
}
