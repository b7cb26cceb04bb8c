//go:build !linux

package disk

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// rootFS is a folder through os.Root, which lets nothing outside be reached. It looks for links above a name before it uses
// the name, so that somebody who swaps a directory for a link at that moment leads it to another place inside. Names cannot
// be exchanged, and a name that appears during a rename of a directory is replaced (if it is an empty directory).
type rootFS struct{ root *os.Root }

// OpenFS opens the folder dir. Errors are those of opening it.
func OpenFS(dir string) (FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &rootFS{root}, nil
}

func (r *rootFS) Close() error { return r.root.Close() }

// check refuses paths that lead through a link.
func (r *rootFS) check(op, name string) error {
	if !ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		info, err := r.root.Lstat(name[:i])
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return &fs.PathError{Op: op, Path: name, Err: errNotDir}
		}
	}
	return nil
}

var (
	errNotDir  = errors.New("not a directory")
	errNotFile = errors.New("not a regular file")
)

func (r *rootFS) Lstat(name string) (Info, error) {
	if err := r.check("lstat", name); err != nil {
		return Info{}, err
	}
	info, err := r.root.Lstat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(info), nil
}

func (r *rootFS) ReadDir(name string) ([]string, error) {
	f, err := r.openDir("readdir", name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (r *rootFS) openDir(op, name string) (*os.File, error) {
	info, err := r.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.Type != fs.ModeDir {
		return nil, &fs.PathError{Op: op, Path: name, Err: errNotDir}
	}
	return r.root.Open(name)
}

func (r *rootFS) Open(name string) (File, error)  { return r.file("open", name, os.O_RDONLY) }
func (r *rootFS) Write(name string) (File, error) { return r.file("write", name, os.O_RDWR) }

func (r *rootFS) Create(name string) (File, error) {
	if err := r.check("create", name); err != nil {
		return nil, err
	}
	f, err := r.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &rootFile{f}, nil
}

func (r *rootFS) file(op, name string, flags int) (File, error) {
	info, err := r.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.Type != 0 {
		return nil, &fs.PathError{Op: op, Path: name, Err: errNotFile}
	}
	f, err := r.root.OpenFile(name, flags, 0)
	if err != nil {
		return nil, err
	}
	return &rootFile{f}, nil
}

type rootFile struct{ *os.File }

func (f *rootFile) Stat() (Info, error) {
	info, err := f.File.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(info), nil
}

func (r *rootFS) Mkdir(name string, mode fs.FileMode) error {
	if err := r.check("mkdir", name); err != nil {
		return err
	}
	return r.root.Mkdir(name, mode.Perm())
}

func (r *rootFS) Remove(name string) error {
	if err := r.check("remove", name); err != nil {
		return err
	}
	return r.root.Remove(name)
}

func (r *rootFS) Symlink(target, name string) error {
	if err := r.check("symlink", name); err != nil {
		return err
	}
	return r.root.Symlink(target, name)
}

func (r *rootFS) Readlink(name string) (string, error) {
	if err := r.check("readlink", name); err != nil {
		return "", err
	}
	return r.root.Readlink(name)
}

func (r *rootFS) RenameNew(from, to string) error {
	info, err := r.Lstat(from)
	if err != nil {
		return err
	}
	if err := r.check("rename", to); err != nil {
		return err
	}
	if info.Type == 0 { // a second link refuses a name that is taken
		err := r.root.Link(from, to)
		if err == nil {
			return r.root.Remove(from)
		}
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if _, err := r.root.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		}
		return err
	}
	return r.root.Rename(from, to)
}

func (r *rootFS) Exchange(a, b string) error {
	for _, name := range []string{a, b} {
		if _, err := r.Lstat(name); err != nil {
			return err
		}
	}
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: ErrNoExchange}
}

func (r *rootFS) Rename(from, to string) error {
	if err := errors.Join(r.check("rename", from), r.check("rename", to)); err != nil {
		return err
	}
	return r.root.Rename(from, to)
}

func (r *rootFS) Chmod(name string, mode fs.FileMode) error {
	info, err := r.Lstat(name)
	if err != nil {
		return err
	}
	if info.Type == fs.ModeSymlink {
		return &fs.PathError{Op: "chmod", Path: name, Err: errNotFile}
	}
	return r.root.Chmod(name, mode.Perm())
}

// SyncDir does what it can: some systems cannot sync a directory, and say so in many ways.
func (r *rootFS) SyncDir(name string) error {
	f, err := r.openDir("sync", name)
	if err != nil {
		return err
	}
	defer f.Close()
	_ = f.Sync()
	return nil
}

func (r *rootFS) FoldsCase() bool { return foldsCase(r) }

// Chtimes leaves symbolic links alone: their time cannot be set through os.Root.
func (r *rootFS) Chtimes(name string, mtime int64) error {
	info, err := r.Lstat(name)
	if err != nil || info.Type == fs.ModeSymlink {
		return err
	}
	return r.root.Chtimes(name, time.Time{}, time.Unix(0, mtime))
}

// SyncAll cannot be had for one device: files are to be synced one by one.
func (r *rootFS) SyncAll(string) error { return errors.ErrUnsupported }
