//go:build unix

package bt

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFilesModes(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	sm := newSample(t, 16, "a=16", "x=16")
	sm.Files[1].Executable = true
	opts := sm.options(t)
	s := mustOpen(t, sm, opts)
	fetch(t, s, sm, 0, 1)
	mustClose(t, s)
	for name, want := range map[string]os.FileMode{"a": 0o640, "x": 0o750} {
		info, err := os.Stat(filepath.Join(opts.Root, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
