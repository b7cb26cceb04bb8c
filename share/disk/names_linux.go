package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

func (r *realFS) RenameNew(from, to string) error {
	return r.two("rename", from, to, func(fromDir int, fromBase string, toDir int, toBase string) error {
		err := unix.Renameat2(fromDir, fromBase, toDir, toBase, unix.RENAME_NOREPLACE)
		if err != unix.EINVAL && err != unix.ENOSYS {
			return err
		}
		return renameNewOld(fromDir, fromBase, toDir, toBase)
	})
}

// renameNewOld is for file systems that know no RENAME_NOREPLACE (NFS, some in user space). A second link refuses a name
// that is taken, too. Directories, and files where there are no links, are renamed after a look: the gap is documented.
func renameNewOld(fromDir int, fromBase string, toDir int, toBase string) error {
	err := unix.Linkat(fromDir, fromBase, toDir, toBase, 0)
	if err == nil {
		return unix.Unlinkat(fromDir, fromBase, 0)
	}
	if err == unix.EEXIST || err == unix.ENOENT || err == unix.EXDEV {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(toDir, toBase, &st, unix.AT_SYMLINK_NOFOLLOW); err != unix.ENOENT {
		if err == nil {
			err = unix.EEXIST
		}
		return err
	}
	return unix.Renameat(fromDir, fromBase, toDir, toBase)
}

func (r *realFS) Exchange(a, b string) error {
	return r.two("exchange", a, b, func(aDir int, aBase string, bDir int, bBase string) error {
		err := unix.Renameat2(aDir, aBase, bDir, bBase, unix.RENAME_EXCHANGE)
		if err != unix.EINVAL && err != unix.ENOSYS && err != unix.EOPNOTSUPP {
			return err
		}
		return ErrNoExchange
	})
}

func (r *realFS) Rename(from, to string) error {
	return r.two("rename", from, to, unix.Renameat)
}

// two calls f with the directories of two paths and their last names.
func (r *realFS) two(op, from, to string, f func(fromDir int, fromBase string, toDir int, toBase string) error) error {
	err := r.parent(from, func(fromDir int, fromBase string) error {
		return r.parent(to, func(toDir int, toBase string) error {
			return f(fromDir, fromBase, toDir, toBase)
		})
	})
	if errors.Is(err, unix.EXDEV) {
		err = ErrCrossing
	}
	if err != nil {
		return &os.LinkError{Op: op, Old: from, New: to, Err: err}
	}
	return nil
}

func (r *realFS) SyncDir(name string) error {
	return r.onDir("sync", name, func(fd int) error {
		err := unix.Fsync(fd)
		if err == unix.EINVAL { // a file system that has nothing to write
			return nil
		}
		return err
	})
}

func (r *realFS) SyncAll(name string) error { return r.onDir("syncfs", name, unix.Syncfs) }

func (r *realFS) Free(name string) (free int64, err error) {
	err = r.onDir("statfs", name, func(fd int) error {
		var st unix.Statfs_t
		err := unix.Fstatfs(fd, &st)
		free = int64(st.Bavail) * int64(st.Frsize)
		return err
	})
	return free, err
}

func (r *realFS) onDir(op, name string, f func(fd int) error) error {
	fd, err := r.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err == nil {
		err = f(fd)
		unix.Close(fd)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (r *realFS) FoldsCase() bool { return foldsCase(r) }
