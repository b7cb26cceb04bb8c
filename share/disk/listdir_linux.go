package disk

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openDir holds a directory open: one call per name, and none per name above it.
func (r *realFS) openDir(name string) (dirReader, error) {
	fd, err := r.open(name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return &fdDir{f: os.NewFile(uintptr(fd), name), fd: fd}, nil
}

type fdDir struct {
	f  *os.File
	fd int
	st unix.Stat_t // of the last call: one less to allocate for each
}

func (d *fdDir) names() ([]string, error) { return d.f.Readdirnames(-1) }
func (d *fdDir) close()                   { d.f.Close() }

func (d *fdDir) info() (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return Info{}, &fs.PathError{Op: "stat", Path: d.f.Name(), Err: err}
	}
	return infoOf(&st), nil
}

func (d *fdDir) lstat(name string) (Info, error) {
	if err := unix.Fstatat(d.fd, name, &d.st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Info{}, &fs.PathError{Op: "lstat", Path: d.f.Name() + "/" + name, Err: err}
	}
	return infoOf(&d.st), nil
}
