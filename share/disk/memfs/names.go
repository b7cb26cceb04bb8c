package memfs

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"shoal/share/disk"
)

// pathErr unlocks, and says what happened where.
func (f *FS) end(op, name string, err error) error {
	f.mu.Unlock()
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Lstat is what is at a path.
func (f *FS) Lstat(name string) (info disk.Info, err error) {
	if err := f.begin("lstat", name); err != nil {
		return info, err
	}
	n, err := f.find(name)
	if err == nil {
		info = f.info(n)
	}
	return info, f.end("lstat", name, err)
}

// ReadDir lists a directory, sorted.
func (f *FS) ReadDir(name string) (names []string, err error) {
	if err := f.begin("readdir", name); err != nil {
		return nil, err
	}
	n, err := f.dir(name)
	if err == nil {
		for child := range n.names {
			names = append(names, child)
		}
		slices.Sort(names)
	}
	return names, f.end("readdir", name, err)
}

func (t *tree) dir(name string) (*inode, error) {
	n, err := t.find(name)
	if err == nil && n.kind == fs.ModeSymlink {
		err = syscall.ELOOP
	} else if err == nil && n.kind != fs.ModeDir {
		err = syscall.ENOTDIR
	}
	return n, err
}

// free is the directory and name for something new.
func (t *tree) free(name string) (*inode, string, error) {
	dir, base, err := t.parent(name)
	switch {
	case err != nil:
		return nil, "", err
	case name == "." || t.child(dir, base) != nil:
		return nil, "", syscall.EEXIST
	case dir.now.mode&0o200 == 0:
		return nil, "", syscall.EACCES
	}
	return dir, base, nil
}

// add makes a new inode under a free name.
func (t *tree) add(name string, kind fs.FileMode, mode uint32) (*inode, error) {
	dir, base, err := t.free(name)
	if err != nil {
		return nil, err
	}
	n := t.inode(kind, mode, dir.dev)
	t.apply(link{dir, base, n})
	return n, nil
}

// Mkdir makes a directory.
func (f *FS) Mkdir(name string, mode fs.FileMode) error {
	if err := f.begin("mkdir", name); err != nil {
		return err
	}
	_, err := f.add(name, fs.ModeDir, uint32(mode.Perm()))
	return f.end("mkdir", name, err)
}

// Symlink makes a symbolic link.
func (f *FS) Symlink(target, name string) error {
	if err := f.begin("symlink", name); err != nil {
		return err
	}
	n, err := f.add(name, fs.ModeSymlink, 0o777)
	if err == nil {
		n.now.target, n.kept.target = target, target // a journal has both or neither
	}
	return f.end("symlink", name, err)
}

// Pipe makes a named pipe, for tests of what is not to be shared.
func (f *FS) Pipe(name string) error {
	f.mu.Lock()
	_, err := f.add(name, fs.ModeNamedPipe, 0o644)
	return f.end("pipe", name, err)
}

// Readlink is the target of a symbolic link.
func (f *FS) Readlink(name string) (target string, err error) {
	if err := f.begin("readlink", name); err != nil {
		return "", err
	}
	n, err := f.find(name)
	if err == nil && n.kind != fs.ModeSymlink {
		err = syscall.EINVAL
	} else if err == nil {
		target = n.now.target
	}
	return target, f.end("readlink", name, err)
}

// used is the directory and name of something that is there and may go.
func (t *tree) taken(name string) (*inode, string, *inode, error) {
	dir, base, err := t.parent(name)
	if err != nil {
		return nil, "", nil, err
	}
	n := dir.names[base]
	switch {
	case name == "." || t.mounts[n] != nil:
		return nil, "", nil, syscall.EBUSY
	case n == nil:
		return nil, "", nil, syscall.ENOENT
	case dir.now.mode&0o200 == 0:
		return nil, "", nil, syscall.EACCES
	}
	return dir, base, n, nil
}

// Remove removes a name of a file or symbolic link, or an empty directory.
func (f *FS) Remove(name string) error {
	if err := f.begin("remove", name); err != nil {
		return err
	}
	dir, base, n, err := f.taken(name)
	if err == nil && len(n.names) > 0 {
		err = syscall.ENOTEMPTY
	}
	if err == nil {
		f.apply(link{dir, base, nil})
	}
	return f.end("remove", name, err)
}

// RenameNew renames to a free name.
func (f *FS) RenameNew(from, to string) error { return f.rename("renamenew", from, to, false) }

// Rename renames, and replaces a file.
func (f *FS) Rename(from, to string) error { return f.rename("rename", from, to, true) }

func (f *FS) rename(op, from, to string, replace bool) error {
	return f.two(op, from, to, func() error {
		fromDir, fromBase, n, err := f.taken(from)
		if err != nil {
			return err
		}
		toDir, toBase, err := f.parent(to)
		if err != nil {
			return err
		}
		there := f.child(toDir, toBase)
		if there == n && f.opts.FoldsCase {
			toBase, there = path.Base(to), nil // the same name in other letters
		}
		switch {
		case there != nil && (!replace || there.kind == fs.ModeDir):
			return syscall.EEXIST
		case toDir.now.mode&0o200 == 0:
			return syscall.EACCES
		case fromDir.dev != toDir.dev:
			return disk.ErrCrossing
		case f.inside(n, toDir):
			return syscall.EINVAL
		}
		f.apply(link{fromDir, fromBase, nil}, link{toDir, toBase, n})
		f.touched(n, false)
		return nil
	})
}

// Exchange swaps two names.
func (f *FS) Exchange(a, b string) error {
	return f.two("exchange", a, b, func() error {
		aDir, aBase, aNode, err := f.taken(a)
		if err != nil {
			return err
		}
		bDir, bBase, bNode, err := f.taken(b)
		switch {
		case err != nil:
			return err
		case f.opts.NoExchange:
			return disk.ErrNoExchange
		case aDir.dev != bDir.dev:
			return disk.ErrCrossing
		case f.inside(aNode, bDir) || f.inside(bNode, aDir):
			return syscall.EINVAL
		}
		f.apply(link{aDir, aBase, bNode}, link{bDir, bBase, aNode})
		f.touched(aNode, false)
		f.touched(bNode, false)
		return nil
	})
}

// inside reports whether dir is n or somewhere below it.
func (t *tree) inside(n, dir *inode) bool {
	if n == dir {
		return true
	}
	for _, child := range n.names {
		if child.kind == fs.ModeDir && t.inside(child, dir) {
			return true
		}
	}
	return false
}

func (f *FS) two(op, from, to string, do func() error) error {
	if !disk.ValidPath(from) {
		return &fs.PathError{Op: op, Path: from, Err: fs.ErrInvalid}
	}
	if err := f.begin(op, to); err != nil {
		return err
	}
	defer f.mu.Unlock()
	if err := do(); err != nil {
		return &os.LinkError{Op: op, Old: from, New: to, Err: err}
	}
	return nil
}

// Chmod sets permission bits.
func (f *FS) Chmod(name string, mode fs.FileMode) error {
	if err := f.begin("chmod", name); err != nil {
		return err
	}
	n, err := f.find(name)
	if err == nil && n.kind == fs.ModeSymlink {
		err = syscall.EOPNOTSUPP
	} else if err == nil {
		n.now.mode = uint32(mode.Perm())
		f.touched(n, false)
	}
	return f.end("chmod", name, err)
}

// Chtimes sets a modification time.
func (f *FS) Chtimes(name string, mtime int64) error {
	if err := f.begin("chtimes", name); err != nil {
		return err
	}
	n, err := f.find(name)
	if err == nil {
		n.now.mtime = mtime
		f.touched(n, false)
	}
	return f.end("chtimes", name, err)
}

// Link gives a file a second name.
func (f *FS) Link(from, to string) error {
	f.mu.Lock()
	n, err := f.find(from)
	if err == nil {
		var dir *inode
		var base string
		if dir, base, err = f.free(to); err == nil {
			f.apply(link{dir, base, n})
		}
	}
	return f.end("link", strings.Join([]string{from, to}, " "), err)
}
