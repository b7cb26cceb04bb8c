package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shoal/bt"
)

// saveTorrent writes a .torrent, whole or not at all. A file that is there is left alone, unless force says otherwise.
func saveTorrent(path string, m *bt.Metainfo, force bool) error {
	data := m.Bytes()
	switch old, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("saving the torrent: %w", err)
	case bytes.Equal(old, data):
		return nil
	case !force:
		return &bt.Error{Code: bt.Exists, Err: fmt.Errorf("saving the torrent: %s exists, and differs", path), Advice: "--force overwrites it"}
	}
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("saving the torrent: %w", err)
	}
	return nil
}

// checkFree fails when a file is where one is to be written, or there is no folder to write it to.
func checkFree(path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return &bt.Error{Code: bt.Exists, Err: fmt.Errorf("writing %s: it is a folder", path)}
	case err == nil && info.Mode().IsRegular() && !force:
		return &bt.Error{Code: bt.Exists, Err: fmt.Errorf("writing %s: it exists", path), Advice: "--force overwrites it"}
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// writeFile writes a file under a temporary name and then renames it, so that nobody ever sees half of it. A file that
// is replaced hands on its mode, and one behind a symbolic link stays there; what is no file is written to.
func writeFile(path string, data []byte) error {
	mode := fs.FileMode(0o666)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return writeThrough(path, data)
		}
		mode = info.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	temporary := fmt.Sprintf("%s.%d.part", path, os.Getpid())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// writeThrough writes to a device or a pipe.
func writeThrough(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// splitTier splits the trackers of a tier at commas, but not at one that belongs to a URL.
func splitTier(s string) (tier []string) {
	for part := range strings.SplitSeq(s, ",") {
		if n := len(tier); n > 0 && !strings.Contains(part, "://") {
			tier[n-1] += "," + part
			continue
		}
		tier = append(tier, part)
	}
	return tier
}

// splitTiers makes a tier of each value of a flag for trackers.
func splitTiers(values []string) (tiers [][]string) {
	for _, s := range values {
		tiers = append(tiers, splitTier(s))
	}
	return tiers
}
