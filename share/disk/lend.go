package disk

import (
	"errors"
	"io/fs"
)

// lendFS changes names also in directories that are read-only (a share may have such, as trees of modules do): it lends
// itself the right, and gives it back.
type lendFS struct{ FS }

func (l lendFS) Mkdir(p string, mode fs.FileMode) error {
	return l.lend(func() error { return l.FS.Mkdir(p, mode) }, dirOf(p))
}

func (l lendFS) Remove(p string) error {
	return l.lend(func() error { return l.FS.Remove(p) }, dirOf(p))
}

func (l lendFS) RenameNew(from, to string) error {
	return l.lend(func() error { return l.FS.RenameNew(from, to) }, dirOf(from), dirOf(to))
}

func (l lendFS) Rename(from, to string) error {
	return l.lend(func() error { return l.FS.Rename(from, to) }, dirOf(from), dirOf(to))
}

func (l lendFS) Exchange(a, b string) error {
	return l.lend(func() error { return l.FS.Exchange(a, b) }, dirOf(a), dirOf(b))
}

func (l lendFS) lend(do func() error, dirs ...string) error {
	err := do()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	lent := false
	for _, dir := range dirs {
		info, statErr := l.Lstat(dir)
		if statErr != nil || info.Type != fs.ModeDir || info.Ident.Mode&0o300 == 0o300 {
			continue
		}
		if l.Chmod(dir, fs.FileMode(info.Ident.Mode|0o300)) != nil {
			continue
		}
		lent = true
		defer l.Chmod(dir, fs.FileMode(info.Ident.Mode)) //nolint:errcheck // nothing to be done about it
	}
	if !lent {
		return err
	}
	return do()
}
