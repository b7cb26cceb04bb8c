// Package libtorrent drives Debian's libtorrent through Python.
package libtorrent

import (
	_ "embed"
	"os/exec"
)

// Python is the interpreter that has Debian's libtorrent; the first python3 of PATH may be another one.
const Python = "/usr/bin/python3"

//go:embed peer.py
var script string

// Command runs the script peer.py, which says what arguments it takes.
func Command(args ...string) *exec.Cmd {
	return exec.Command(Python, append([]string{"-I", "-u", "-c", script}, args...)...)
}

// Available is nil when the module can be loaded.
func Available() error { return exec.Command(Python, "-I", "-c", "import libtorrent").Run() }
