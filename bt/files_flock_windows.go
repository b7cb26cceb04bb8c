package bt

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Flock locks f for this handle, or fails with ErrLocked at once.
func Flock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// Funlock does nothing: the lock goes when f is closed.
func Funlock(*os.File) {}
