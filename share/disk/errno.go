package disk

import (
	"errors"
	"syscall"
)

// IsFull reports whether an error says that there is no room: on the disk, in a quota, or above the reserve.
func IsFull(err error) bool { return err != nil && resultOf(err) == NoRoom }

// IsDamage reports whether an error says that a disk can no longer read what was written to it.
func IsDamage(err error) bool { return errors.Is(err, syscall.EIO) }
