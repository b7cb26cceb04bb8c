//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package bt

import (
	"errors"
	"os"
	"syscall"
)

// flock locks f for this descriptor, or fails with errLocked at once.
func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
