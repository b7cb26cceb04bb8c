//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package bt

import (
	"errors"
	"os"
	"syscall"
)

// Flock locks f for this descriptor, or fails with ErrLocked at once.
func Flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Funlock frees the lock of f at once: when f is only closed, a process that is being started at that moment keeps it a
// little longer.
func Funlock(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
