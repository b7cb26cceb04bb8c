package vault

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"shoal/bt"
	"shoal/share/api"
)

// readFile reads a file of secrets. fs.ErrNotExist is wrapped.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, wrap("reading secrets", err)
	}
	defer f.Close()
	return ReadAll(f)
}

// ReadAll reads a file of secrets of a stranger: it is bounded.
func ReadAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, wrap("reading secrets", err)
	}
	if len(b) > maxFile {
		return nil, api.Errorf(bt.BadInput, "reading secrets: the file has more than %d MiB", maxFile>>20)
	}
	return b, nil
}

// put makes b one of the files of the store: all of it, durably, or nothing. What an earlier one left half done is taken
// away; the caller has the lock.
func (v *Vault) put(name string, b []byte) error {
	temp := v.path(name + ".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("writing secrets", err)
	}
	v.step("write " + name)
	if err := writeTemp(temp, b); err != nil {
		return wrap("writing secrets", err)
	}
	v.step("rename " + name)
	if err := os.Rename(temp, v.path(name)); err != nil {
		_ = os.Remove(temp)
		return wrap("writing secrets", err)
	}
	v.step("sync " + name)
	return wrap("writing secrets", syncDir(v.dir))
}

// drop takes one of the files of the store away, durably.
func (v *Vault) drop(name string) error {
	v.step("remove " + name)
	if err := os.Remove(v.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wrap("writing secrets", err)
	}
	return wrap("writing secrets", syncDir(v.dir))
}

// writeTemp writes a new file that only its user can read, durably.
func writeTemp(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

// syncDir makes names in a directory durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such thing
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// WriteFile writes a file of secrets where the user wants it: mode 0600, all of it or nothing. bt.Exists when it is there,
// unless replace is set.
func WriteFile(path string, b []byte, replace bool) (err error) {
	var end [8]byte
	if _, err := rand.Read(end[:]); err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(path), ".shoal-"+hex.EncodeToString(end[:]))
	if err := writeTemp(temp, b); err != nil {
		return wrap("writing secrets", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if replace {
		if err := os.Rename(temp, path); err != nil {
			return wrap("writing secrets", err)
		}
		return wrap("writing secrets", syncDir(filepath.Dir(path)))
	}
	// A link, unlike a rename, replaces nothing. Not every file system has them.
	linked := os.Link(temp, path)
	if linked == nil {
		_ = os.Remove(temp)
		return wrap("writing secrets", syncDir(filepath.Dir(path)))
	}
	if _, there := os.Lstat(path); there == nil {
		return &bt.Error{Code: bt.Exists, Err: errors.New(path + " is there already"), Advice: "--force replaces it"}
	}
	if err := os.Rename(temp, path); err != nil {
		return wrap("writing secrets", err)
	}
	return wrap("writing secrets", syncDir(filepath.Dir(path)))
}
