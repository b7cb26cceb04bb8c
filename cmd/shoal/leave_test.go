package main

import (
	"testing"

	"shoal/bt/bttest"
)

// The scripts, which run every command, send no packet off the machine.
func TestNoPacketLeaves(t *testing.T) {
	t.Parallel()
	bttest.NoPacketLeaves(t, "-test.run=^TestScripts$")
}
