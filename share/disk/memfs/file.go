package memfs

import (
	"io"
	"io/fs"
	"slices"
	"syscall"

	"shoal/share/disk"
)

// Open opens a regular file for reading.
func (f *FS) Open(name string) (disk.File, error) { return f.open("open", name, false) }

// Write opens a regular file for reading and writing.
func (f *FS) Write(name string) (disk.File, error) { return f.open("write", name, true) }

func (f *FS) open(op, name string, write bool) (disk.File, error) {
	if err := f.begin(op, name); err != nil {
		return nil, err
	}
	n, err := f.find(name)
	switch {
	case err != nil:
	case n.kind == fs.ModeSymlink:
		err = syscall.ELOOP
	case n.kind != 0:
		err = syscall.EINVAL
	case n.now.mode&0o400 == 0, write && n.now.mode&0o200 == 0:
		err = syscall.EACCES
	}
	boot := f.boot
	if err := f.end(op, name, err); err != nil {
		return nil, err
	}
	return &file{fs: f, n: n, name: name, boot: boot, write: write}, nil
}

// Create makes a file that was not there.
func (f *FS) Create(name string) (disk.File, error) {
	if err := f.begin("create", name); err != nil {
		return nil, err
	}
	n, err := f.add(name, 0, 0o600)
	boot := f.boot
	if err := f.end("create", name, err); err != nil {
		return nil, err
	}
	return &file{fs: f, n: n, name: name, boot: boot, write: true}, nil
}

// A file is an open one; it keeps its inode whatever becomes of the name.
type file struct {
	fs     *FS
	n      *inode
	name   string
	boot   int
	write  bool
	closed bool
}

func (f *file) begin(op string) error {
	if err := f.fs.begin(op, f.name); err != nil {
		return err
	}
	if f.closed || f.boot != f.fs.boot {
		return f.fs.end(op, f.name, fs.ErrClosed)
	}
	return nil
}

func (f *file) Stat() (disk.Info, error) {
	if err := f.begin("stat"); err != nil {
		return disk.Info{}, err
	}
	defer f.fs.mu.Unlock()
	return f.fs.info(f.n), nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin("readat"); err != nil {
		return 0, err
	}
	defer f.fs.mu.Unlock()
	data := f.n.now.data
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.begin("writeat"); err != nil {
		return 0, err
	}
	err := f.resize(max(int64(len(f.n.now.data)), off+int64(len(p))))
	if err == nil {
		copy(f.n.now.data[off:], p)
		f.fs.touched(f.n, true)
	}
	if err := f.fs.end("writeat", f.name, err); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *file) Truncate(size int64) error {
	if err := f.begin("truncate"); err != nil {
		return err
	}
	err := f.resize(size)
	if err == nil {
		f.fs.touched(f.n, true)
	}
	return f.fs.end("truncate", f.name, err)
}

// resize makes the data that long, and the file's own.
func (f *file) resize(size int64) error {
	n := f.n
	more := size - int64(len(n.now.data))
	switch {
	case !f.write:
		return syscall.EBADF
	case !f.fs.room(more):
		return syscall.ENOSPC
	}
	f.fs.used += more
	if n.shared {
		n.now.data, n.shared = slices.Clone(n.now.data), false
	}
	n.now.data = n.now.data[:min(size, int64(len(n.now.data)))]
	n.now.data = append(n.now.data, make([]byte, max(0, more))...)
	return nil
}

func (f *file) Sync() error {
	if err := f.begin("fsync"); err != nil {
		return err
	}
	f.fs.keep(f.n)
	return f.fs.end("fsync", f.name, nil)
}

func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return nil
}
