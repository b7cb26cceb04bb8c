package disk

import "os"

// Flock locks an open file for this process, or fails with ErrLocked at once. The system ends the lock with the process.
func Flock(f *os.File) error { return flock(f) }
