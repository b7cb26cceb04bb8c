package bt_test

import (
	"testing"

	"shoal/bt/bttest"
)

// The engine's tests send no packet off the machine.
func TestNoPacketLeaves(t *testing.T) {
	t.Parallel()
	bttest.NoPacketLeaves(t, "-test.short", "-test.parallel=16", "-test.run=^Test(Download|Demo|Announce|DHT|Redirects|Nothing|HostileTrackers|HostileWebseeds|MeetLANOnly|DataMany)")
}
