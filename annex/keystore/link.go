package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"shoal/share/disk"
)

var errWritable = errors.New("the content can be written to, as that of unlocked files with annex.thin and of repositories with core.sharedRepository: thin=yes would share what becomes of it")

// Link stores the content of a key without a copy: the file from, which nobody may write to, gets a second name in the
// folder. A copy that is there makes way for it.
func (f *Folder) Link(key Key, from string) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return fmt.Errorf("storing a key: %w", err)
	}
	info, err := os.Lstat(from)
	size, known := key.Size()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("it is no file")
	case info.Mode().Perm()&0o222 != 0:
		err = errWritable
	case known && size != info.Size():
		err = fmt.Errorf("it has %d bytes, and the key says %d", info.Size(), size)
	}
	if err != nil {
		return fmt.Errorf("storing a key: %s: %w", from, err)
	}
	return f.with("storing a key", func(fsys disk.FS) error {
		if err := f.checkMark(fsys); err != nil {
			return err
		}
		if f.isLinked(f.Name(key), info) {
			return fsys.SyncDir(path.Dir(f.Name(key)))
		}
		if err := makeDir(fsys, temps); err != nil {
			return err
		}
		p := &putting{fs: fsys, name: f.Name(key), temp: newTemp()}
		// What is below temps is ours alone: no link of a stranger can be on the way.
		if err := os.Link(from, filepath.Join(f.dir, filepath.FromSlash(p.temp))); err != nil {
			return fmt.Errorf("thin=yes wants the folder of the share in the file system of the repository: %w", err)
		}
		if err := p.place(); err != nil {
			_ = fsys.Remove(p.temp)
			return err
		}
		return nil
	})
}

// isLinked reports whether a name in the folder is a name of a file.
func (f *Folder) isLinked(name string, file os.FileInfo) bool {
	info, err := os.Lstat(filepath.Join(f.dir, filepath.FromSlash(name)))
	return err == nil && os.SameFile(info, file)
}

// isOrphan reports whether a key is here, and has no other name: the annex has dropped it.
func (f *Folder) isOrphan(key Key) (orphan bool) {
	_ = f.with("looking at a key", func(fsys disk.FS) error {
		orphan = orphaned(fsys, f.Name(key))
		return nil
	})
	return orphan
}

func orphaned(fsys disk.FS, name string) bool {
	info, err := fsys.Lstat(name)
	return err == nil && info.Type == 0 && info.Links == 1
}

// Orphans calls do with the names of keys that have no other name any more: the annex has dropped them. do returns false
// to stop.
func (f *Folder) Orphans(ctx context.Context, do func(name string) bool) error {
	return f.with("looking for dropped keys", func(fsys disk.FS) error {
		if err := f.checkMark(fsys); err != nil {
			return err
		}
		top := path.Join(top, fileName(f.repository))
		dirs, err := fsys.ReadDir(top)
		if missing(err) {
			return nil
		}
		for _, dir := range dirs {
			names, err := fsys.ReadDir(path.Join(top, dir))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, name := range names {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				name = path.Join(top, dir, name)
				if orphaned(fsys, name) && !do(name) {
					return nil
				}
			}
		}
		return err
	})
}
