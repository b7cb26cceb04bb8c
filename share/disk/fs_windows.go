package disk

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func infoOf(info fs.FileInfo) Info { return plainInfo(info) }

func (r *rootFS) Free(name string) (int64, error) {
	dir, err := windows.UTF16PtrFromString(filepath.Join(r.root.Name(), filepath.FromSlash(name)))
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(dir, &free, nil, nil); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(free), nil
}
