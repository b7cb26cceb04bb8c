//go:build unix

package ui

import (
	"os"
	"syscall"
)

// polled is a pipe as a file that waits for it with all the others of the process.
func polled(f *os.File) *os.File {
	fd, err := syscall.Dup(int(f.Fd())) // each file closes its own
	if err != nil {
		return f
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return f
	}
	return os.NewFile(uintptr(fd), f.Name())
}
