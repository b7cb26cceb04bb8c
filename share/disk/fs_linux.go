package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"shoal/share/index"
)

// realFS reaches everything by the descriptor of the folder, and acts on a name through the descriptor of its directory:
// whatever somebody does to the names above it in between, nothing outside is touched.
type realFS struct {
	fd     int
	closed atomic.Bool
	walk   atomic.Bool // no openat2 here (before Linux 5.6, or forbidden): one name after the other
}

// OpenFS opens the folder dir. Errors are those of opening it.
func OpenFS(dir string) (FS, error) {
	for { // no os.File, which would find out by five more calls that a folder cannot be polled
		fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		switch err {
		case unix.EINTR:
			continue
		case nil:
			return &realFS{fd: fd}, nil
		}
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
}

func (r *realFS) Close() error {
	if r.closed.Swap(true) {
		return fs.ErrClosed
	}
	return unix.Close(r.fd)
}

const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS

// open opens path with flags, of which O_NOFOLLOW and O_CLOEXEC are always some.
func (r *realFS) open(name string, flags int) (int, error) {
	if !ValidPath(name) {
		return -1, unix.EINVAL
	}
	if !r.walk.Load() {
		how := unix.OpenHow{Flags: uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC), Resolve: resolve}
		if flags&unix.O_CREAT != 0 {
			how.Mode = 0o600
		}
		for {
			fd, err := unix.Openat2(r.fd, name, &how)
			switch err {
			case unix.EAGAIN, unix.EINTR: // somebody renames directories just now
				continue
			case unix.ENOSYS, unix.EPERM: // EPERM: what a container says that knows no openat2
				if fd, walkErr := r.walkOpen(name, flags); walkErr == nil {
					r.walk.Store(err == unix.ENOSYS)
					return fd, nil
				}
			}
			return fd, err
		}
	}
	return r.walkOpen(name, flags)
}

// walkOpen opens one name after the other, and follows no link: the same promise as openat2, for a call per name.
func (r *realFS) walkOpen(name string, flags int) (int, error) {
	at := r.fd
	for {
		first, rest := name, ""
		for i := range len(name) {
			if name[i] == '/' {
				first, rest = name[:i], name[i+1:]
				break
			}
		}
		use := flags
		if rest != "" {
			use = unix.O_PATH | unix.O_DIRECTORY
		}
		fd, err := openat(at, first, use)
		if at != r.fd {
			unix.Close(at)
		}
		if err != nil || rest == "" {
			return fd, err
		}
		at, name = fd, rest
	}
}

func openat(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// at calls f with the directory of path and its last name.
func (r *realFS) at(op, name string, f func(dir int, base string) error) error {
	err := r.parent(name, f)
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (r *realFS) parent(name string, f func(dir int, base string) error) error {
	if !ValidPath(name) {
		return fs.ErrInvalid
	}
	dir, base := path.Split(name)
	if dir == "" {
		return f(r.fd, base)
	}
	fd, err := r.open(dir[:len(dir)-1], unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(fd, base)
}

func (r *realFS) Lstat(name string) (info Info, err error) {
	err = r.at("lstat", name, func(dir int, base string) error {
		var st unix.Stat_t
		if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		info = infoOf(&st)
		return nil
	})
	return info, err
}

func infoOf(st *unix.Stat_t) Info {
	return Info{
		Type:  typeOf(st.Mode),
		Links: uint64(st.Nlink),
		Ident: index.Ident{
			Size: st.Size, MTime: st.Mtim.Nano(), CTime: st.Ctim.Nano(),
			Inode: st.Ino, Dev: uint64(st.Dev), Mode: st.Mode & 0o777,
		},
	}
}

func typeOf(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		return fs.ModeDevice
	}
	return fs.ModeIrregular
}

func (r *realFS) ReadDir(name string) ([]string, error) {
	fd, err := r.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	return names, nil
}

func (r *realFS) Open(name string) (File, error)  { return r.file("open", name, unix.O_RDONLY) }
func (r *realFS) Write(name string) (File, error) { return r.file("write", name, unix.O_RDWR) }
func (r *realFS) Create(name string) (File, error) {
	return r.file("create", name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
}

// file opens a regular file. O_NONBLOCK, because another may stand there by now: a pipe would wait for its other end.
func (r *realFS) file(op, name string, flags int) (File, error) {
	fd, err := r.open(name, flags|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	f := &realFile{os.NewFile(uintptr(fd), name)}
	info, err := f.Stat()
	if err == nil && info.Type != 0 {
		err = &fs.PathError{Op: op, Path: name, Err: errNotFile}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

var errNotFile = errors.New("not a regular file")

type realFile struct{ *os.File }

func (f *realFile) Stat() (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Info{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return infoOf(&st), nil
}

func (r *realFS) Mkdir(name string, mode fs.FileMode) error {
	return r.at("mkdir", name, func(dir int, base string) error {
		return unix.Mkdirat(dir, base, uint32(mode.Perm()))
	})
}

func (r *realFS) Remove(name string) error {
	return r.at("remove", name, func(dir int, base string) error {
		err := unix.Unlinkat(dir, base, 0)
		if err == unix.EISDIR || err == unix.EPERM { // EPERM: what POSIX calls for, for a directory
			if dirErr := unix.Unlinkat(dir, base, unix.AT_REMOVEDIR); dirErr != unix.ENOTDIR {
				return dirErr
			}
		}
		return err
	})
}

func (r *realFS) Symlink(target, name string) error {
	return r.at("symlink", name, func(dir int, base string) error { return unix.Symlinkat(target, dir, base) })
}

func (r *realFS) Readlink(name string) (target string, err error) {
	err = r.at("readlink", name, func(dir int, base string) error {
		var buf [unix.PathMax]byte
		n, err := unix.Readlinkat(dir, base, buf[:])
		target = string(buf[:max(n, 0)])
		return err
	})
	return target, err
}

func (r *realFS) Chmod(name string, mode fs.FileMode) error {
	return r.at("chmod", name, func(dir int, base string) error {
		err := unix.Fchmodat(dir, base, uint32(mode.Perm()), unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EOPNOTSUPP {
			return err
		}
		fd, err := openat(dir, base, unix.O_PATH) // before Linux 6.6
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return unix.EOPNOTSUPP
		}
		return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), uint32(mode.Perm()))
	})
}

func (r *realFS) Chtimes(name string, mtime int64) error {
	return r.at("chtimes", name, func(dir int, base string) error {
		times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime)}
		return unix.UtimesNanoAt(dir, base, times, unix.AT_SYMLINK_NOFOLLOW)
	})
}
