package commands

import (
	"os"
	"runtime/debug"
)

// collectLess has garbage collected less often, for commands that build one thing and end: for some more memory it
// takes a tenth less time. A wish in the environment is kept.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
