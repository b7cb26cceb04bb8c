package node

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// memoryDirs are where a file lives until the machine stops, and no longer.
func memoryDirs() (dirs []string) {
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run", "/dev/shm"} {
		var st unix.Statfs_t
		if dir != "" && unix.Statfs(dir, &st) == nil && (st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func openToken(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || !info.Mode().IsRegular() || int(st.Uid) != os.Getuid() || info.Mode().Perm() != 0o600:
			err = errors.New("somebody else's file")
		default:
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("opening the token %s: %w", path, err)
	}
	return f, nil
}

func thisMachine(database string) (p proof, err error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return p, err
	}
	var st unix.Stat_t
	if err := unix.Stat(database, &st); err != nil {
		return p, err
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return p, err
	}
	return proof{Boot: strings.TrimSpace(string(boot)), Dev: st.Dev, Inode: st.Ino, Drift: time.Duration(time.Now().UnixNano() - up.Nano())}, nil
}
