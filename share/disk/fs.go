// Package disk is the plain side of a share: a scanner that finds what the user did, and an applier that puts what others
// did, such that no byte is ever lost (docs/shares.md §6). All of it goes through an FS, which tests replace.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"shoal/share/index"
)

// Names of ours inside a share's folder.
const (
	Dir     = ".shoal"         // at the top, and at the mount point of each further device
	Marker  = ".shoal/id"      // says which share this is; without it nothing counts as deleted
	Temp    = ".shoal/tmp"     // what is being fetched
	Archive = ".shoal/archive" // what was replaced or removed
)

// Errors of an FS beside those of io/fs.
var (
	ErrNoExchange = errors.New("the file system cannot exchange two names")
	ErrCrossing   = errors.New("the two names are on different devices")
)

// An FS is a share's folder. Paths are relative to it, with "/", never through a symbolic link, never outside; "." is the
// folder itself. They may be no UTF-8. Its methods may be called concurrently. Errors wrap those of io/fs and syscall
// (ENOSPC, EIO, EROFS, EMFILE); a path that could lead outside is fs.ErrInvalid, or ELOOP where a link is in the way.
type FS interface {
	// Lstat is what is at path.
	Lstat(path string) (Info, error)
	// ReadDir lists a directory whole, or fails; in no order.
	ReadDir(path string) ([]string, error)
	// Open opens a regular file for reading; anything else is an error.
	Open(path string) (File, error)
	// Create makes a file that must not exist, for reading and writing, with mode 0600.
	Create(path string) (File, error)
	// Write opens an existing regular file for reading and writing.
	Write(path string) (File, error)
	// Mkdir makes one directory; Remove removes a file, a symbolic link or an empty directory.
	Mkdir(path string, mode fs.FileMode) error
	Remove(path string) error
	Symlink(target, path string) error
	Readlink(path string) (string, error)
	// RenameNew renames where nothing may be at to: fs.ErrExist otherwise. Exchange swaps two names, of whatever types, or
	// ErrNoExchange. Both are ErrCrossing between devices.
	RenameNew(from, to string) error
	Exchange(a, b string) error
	// Rename replaces what is at to. Only for names below Dir.
	Rename(from, to string) error
	// Chmod sets the permission bits, and no others, of a file or directory; of a symbolic link it is an error.
	Chmod(path string, mode fs.FileMode) error
	// Chtimes sets the modification time of a file, directory or symbolic link, ns since 1970.
	Chtimes(path string, mtime int64) error
	// SyncDir makes the names of a directory durable; SyncAll everything that was written to the device of a directory, or
	// errors.ErrUnsupported.
	SyncDir(path string) error
	SyncAll(path string) error
	// Free is how many bytes a process may still write to the device of a directory.
	Free(path string) (int64, error)
	// FoldsCase reports whether names that differ only by case are one here, as far as can be told: Dir must exist.
	FoldsCase() bool
	Close() error
}

// A File is an open file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (Info, error)
	Truncate(size int64) error
	Sync() error
}

// Info is what an FS knows of a name.
type Info struct {
	Type  fs.FileMode // type bits only
	Ident index.Ident
	Links uint64
}

// ValidPath reports whether path is one that an FS takes: "." or names joined by "/".
func ValidPath(path string) bool {
	if path == "." {
		return true
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." || strings.ContainsRune(name, 0) {
			return false
		}
	}
	return true
}
