package bt

import (
	"errors"
	"os"
	"path/filepath"
)

// A fileLock is a file that one holder in one process has locked. Its end, however the process dies, frees the lock.
type fileLock struct{ f *os.File }

// ErrLocked says that another process has locked a file.
var ErrLocked = errors.New("locked by another process")

// takeLock makes sure that nobody else stores this torrent here: with a lock beside the record, or in the root when
// none is kept. Other selections have other records, but the same partial data.
func (s *FileStorage) takeLock() (*fileLock, error) {
	name := filepath.Join(s.opts.Root, s.hiddenName("lock"))
	if s.opts.Record != "" {
		name = filepath.Join(filepath.Dir(s.opts.Record), shortID(s.m)+"-"+hashName(name)+".lock")
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return nil, err
		}
	}
	l, err := lockFile(name)
	switch {
	case s.opts.Record == "" && CodeOf(err) == Permission:
		return nil, nil // what cannot be written needs no lock
	case errors.Is(err, ErrLocked):
		return nil, errorf(Busy, "%q is being downloaded to %s already", s.m.Name, s.opts.Root).
			withHint("wait until it is done, or stop it")
	}
	return l, err
}

// lockFile makes the file if needed and locks it. The holder removes the file when it is done, so whoever gets the lock
// makes sure that it is the lock of the file that has the name now.
func lockFile(name string) (*fileLock, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := Flock(f); err != nil {
			_ = f.Close()
			return nil, err
		}
		held, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		if named, err := os.Stat(name); err == nil && os.SameFile(held, named) {
			return &fileLock{f}, nil
		}
		_ = f.Close()
	}
}

// unlock removes and frees the lock.
func (l *fileLock) unlock() {
	removed := os.Remove(l.f.Name()) == nil // while it is still ours; Windows does not remove open files
	Funlock(l.f)
	_ = l.f.Close()
	if !removed {
		_ = os.Remove(l.f.Name())
	}
}
