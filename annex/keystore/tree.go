package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"shoal/share/api"
	"shoal/share/disk"
	"shoal/share/index"
)

// A tree has its files under their names in the folder of the share, from the top of it on. Each is the content of a key:
// what can be done with keys can be done with it, by At.

// moving begins the names that git-annex gives to files of an export while it renames several of them.
const moving = ".git-annex-tmp-content-"

// moved is where those files are: other machines do not see them come and go.
const moved = temps + "/moved"

// treePath is the path in the folder of a name in a tree; an error when a share cannot have such a file.
func treePath(name string) (string, error) {
	if strings.HasPrefix(name, moving) {
		return moved + "/" + fileName(name), nil
	}
	if !disk.ValidPath(name) || name == "." {
		return "", fmt.Errorf("a share has no file %q", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if err := index.CheckName(part); err != nil {
			return "", fmt.Errorf("a share has no file %q: %w", name, err)
		}
	}
	return name, nil
}

// at is the folder where whatever key has one name.
func (f *Folder) at(name string) *Folder {
	other := *f
	other.fixed = name
	return &other
}

// At is a store in which a key, whichever it is, is the file with that name in the tree of the share: slash-separated,
// relative to its folder. Close is for the other store alone.
func (s *Store) At(name string) *Store { return &Store{s.share, name} }

// Rename gives the file of a store that is At one name another, in the place of what has it. That it is not there, or is
// not what the key says, is an error.
func (s *Store) Rename(ctx context.Context, key Key, to string) error {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	if p.info.Role == "read" {
		return readOnly(p)
	}
	if to, err = treePath(to); err != nil {
		return err
	}
	err = p.folder.rename(ctx, key, to)
	if !missing(err) {
		return err
	}
	if other, otherErr := s.elsewhere(ctx, p, key); otherErr == nil && other {
		return s.onlyOthers(p, key)
	}
	return s.absent(p, err)
}

func readOnly(p *place) error {
	return api.Errorf(api.Denied, "the share %s is read-only here: join it with a write token", p.info.Name)
}

// onlyOthers says what to do with a key that is to go, and is not here.
func (s *Store) onlyOthers(p *place, key Key) error {
	return api.Errorf(api.Denied, "other machines have it, and this one has not: \"shoal share get %s:%s\" first", p.info.Name, p.folder.Name(key))
}

// replaced reports whether the name of a key has other content, which somebody else put there: it is not of the export.
func (f *Folder) replaced(fsys disk.FS, key Key) bool {
	info, err := fsys.Lstat(f.Name(key))
	size, known := key.Size()
	return err == nil && (info.Type != 0 || known && size != info.Ident.Size)
}

func (f *Folder) rename(ctx context.Context, key Key, to string) error {
	return f.with("renaming a file", func(fsys disk.FS) error {
		from := f.Name(key)
		if err := f.checkMark(fsys); err != nil {
			return err
		}
		if _, err := fsys.Lstat(from); err != nil {
			return err
		}
		if f.replaced(fsys, key) {
			return fmt.Errorf("%s is not what the key says: somebody has changed it", from)
		}
		p := &putting{ctx: ctx, fs: fsys, name: to, temp: from}
		if err := p.place(); err != nil {
			return err
		}
		return fsys.SyncDir(path.Dir(from))
	})
}

// RemoveDir removes a folder of the tree, and those in it, as far as they are empty. Files that are in it stay: they are
// not of the export.
func (s *Store) RemoveDir(ctx context.Context, dir string) error {
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	if p.info.Role == "read" {
		return readOnly(p)
	}
	if dir, err = treePath(dir); err != nil {
		return err
	}
	return p.folder.with("removing a folder", func(fsys disk.FS) error {
		if err := p.folder.checkMark(fsys); err != nil {
			return err
		}
		_, err := removeEmpty(fsys, dir)
		return err
	})
}

// removeEmpty removes a directory and those in it, as far as they are empty.
func removeEmpty(fsys disk.FS, dir string) (removed bool, err error) {
	names, err := fsys.ReadDir(dir)
	if missing(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	empty := true
	for _, name := range names {
		name = path.Join(dir, name)
		info, err := fsys.Lstat(name)
		gone := missing(err)
		if err == nil && info.Type == fs.ModeDir {
			gone, err = removeEmpty(fsys, name)
		}
		if err != nil && !missing(err) {
			return false, err
		}
		empty = empty && gone
	}
	if !empty {
		return false, nil
	}
	if err := fsys.Remove(dir); err != nil && !missing(err) {
		return false, err
	}
	return true, fsys.SyncDir(path.Dir(dir))
}

// announceFor is how long a process that ends waits for what it has exported to be told to others.
const announceFor = 2 * time.Second

// Announce has a node look at the folder, sign what it has become, and tell the others. Who is not there hears it from the
// node that runs, or at the next sync: that is no error.
func (s *Store) Announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*announceFor)
	defer cancel()
	p, err := s.find(ctx)
	if err != nil {
		return err
	}
	err = s.net.with(ctx, func(n api.Shares) error {
		_, err := n.Sync(ctx, api.SyncOptions{Names: []string{p.info.Name}, For: announceFor})
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
