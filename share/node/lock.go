package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"shoal/bt"
)

// lockHome takes the state folder for this process. It ends with the process.
func lockHome(home string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(home, "node.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, ioError("taking the state folder", err)
	}
	if err := bt.Flock(f); err != nil {
		f.Close()
		if errors.Is(err, bt.ErrLocked) {
			return nil, fail(bt.Busy, "%s has the state folder %s", holder(f.Name()), home)
		}
		return nil, ioError("taking the state folder", err)
	}
	if err := f.Truncate(0); err == nil { // for people: that it cannot be written stops nothing
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// holder says which process has written its number into a lock file.
func holder(path string) string {
	b, err := os.ReadFile(path)
	if pid, convErr := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && convErr == nil {
		return fmt.Sprintf("another shoal (process %d)", pid)
	}
	return "another shoal"
}
