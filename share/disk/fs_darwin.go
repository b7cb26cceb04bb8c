package disk

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"

	"shoal/share/index"
)

func infoOf(info fs.FileInfo) Info {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Info{Type: fs.ModeIrregular}
	}
	return Info{
		Type:  info.Mode().Type(),
		Links: uint64(st.Nlink),
		Ident: index.Ident{
			Size: st.Size, MTime: st.Mtimespec.Nano(), CTime: st.Ctimespec.Nano(),
			Inode: st.Ino, Dev: uint64(st.Dev), Mode: uint32(info.Mode().Perm()),
		},
	}
}

func (r *rootFS) Free(name string) (int64, error) {
	f, err := r.openDir("statfs", name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
