package bt

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bootID names this run of the kernel; "" when it cannot be told.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// isHole reports whether n bytes of f at off were never written.
func isHole(f *os.File, off int64, n int) bool {
	next, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	return errors.Is(err, unix.ENXIO) || err == nil && next >= off+int64(n)
}

// syncAll makes the files durable. Each costs a commit of the file system's journal, so many of them are synced with
// all that lies beside them.
func syncAll(files []*os.File) error {
	if len(files) > 8 {
		if err := unix.Syncfs(int(files[0].Fd())); !errors.Is(err, unix.ENOSYS) {
			return err
		}
	}
	for _, f := range files {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// startWriteback tells the disk to begin writing what is new in f, and does not wait for it.
func startWriteback(f *os.File) {
	_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // a hint
}
