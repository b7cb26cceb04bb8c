package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"shoal/bt"
)

const lockName = Dir + "/lock"

// A Lock keeps a folder for this process. The system ends it with the process.
type Lock struct{ f *os.File }

// LockFolder takes the folder dir, or fails with bt.ErrLocked at once. It makes Dir.
func LockFolder(dir string) (*Lock, error) {
	// A root, such that no symbolic link leads out of the folder.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("locking a folder: %w", err)
	}
	defer root.Close()
	if err := root.Mkdir(Dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("locking a folder: %w", err)
	}
	f, err := root.OpenFile(filepath.FromSlash(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking a folder: %w", err)
	}
	if err := bt.Flock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return &Lock{f}, nil
}

// Close gives the folder back. The file stays: whoever removed it could take away the lock of a third.
func (l *Lock) Close() error {
	bt.Funlock(l.f)
	return l.f.Close()
}
