package node

import (
	"errors"
	"os"
	"path/filepath"

	"shoal/bt"
	"shoal/share/disk"
)

// lockHome takes the state folder for this process. It ends with the process.
func lockHome(home string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(home, "node.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, ioError("taking the state folder", err)
	}
	if err := disk.Flock(f); err != nil {
		f.Close()
		if errors.Is(err, disk.ErrLocked) {
			return nil, fail(bt.Busy, "another shoal has the state folder %s", home)
		}
		return nil, ioError("taking the state folder", err)
	}
	return f, nil
}
