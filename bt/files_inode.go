//go:build unix

package bt

import (
	"io/fs"
	"syscall"
)

// inodeOf is the file's inode number, which a file that replaces it does not have.
func inodeOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}

// linked reports whether the file has other names, whose owners did not ask for their content to change.
func linked(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1
}
