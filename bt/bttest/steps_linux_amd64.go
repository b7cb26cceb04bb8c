package bttest

import "golang.org/x/sys/unix"

// olderCalls are those that newer machines do without.
func olderCalls() map[uint32]call {
	first := func(pid int, a [6]uint64) string { return atPath(pid, unix.AT_FDCWD, a[0]) }
	second := func(pid int, a [6]uint64) string { return atPath(pid, unix.AT_FDCWD, a[1]) }
	return map[uint32]call{
		unix.SYS_UNLINK: {"unlink", first}, unix.SYS_RMDIR: {"rmdir", first}, unix.SYS_MKDIR: {"mkdir", first},
		unix.SYS_CHMOD: {"chmod", first}, unix.SYS_TRUNCATE: {"truncate", first},
		unix.SYS_RENAME: {"rename", second}, unix.SYS_SYMLINK: {"symlink", second}, unix.SYS_LINK: {"link", second},
	}
}
