package disk

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"shoal/share/index"
)

// A device is a part of the share that names can be moved within.
type device struct {
	mount string // the directory where it begins
	dev   uint64
}

// device is the one that dir is on, or will be when it is made.
func (b *batch) device(dir string) (device, error) {
	if d, ok := b.devices[dir]; ok {
		return d, nil
	}
	info, err := b.fs.Lstat(dir)
	if err != nil && (dir == "." || !errors.Is(err, fs.ErrNotExist)) {
		return device{}, err
	}
	d := device{dir, info.Ident.Dev}
	if dir != "." {
		up, upErr := b.device(dirOf(dir))
		if upErr != nil {
			return device{}, upErr
		}
		if err != nil || up.dev == d.dev {
			d = up
		}
	}
	if err == nil {
		b.devices[dir] = d
	}
	return d, nil
}

// makeDirs makes a directory of ours and those above it, for the eyes of the owner only.
func (b *batch) makeDirs(dir string) error {
	info, err := b.fs.Lstat(dir)
	if err == nil {
		if info.Type != fs.ModeDir {
			return fmt.Errorf("%s: %w", dir, fs.ErrExist)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) || dir == "." {
		return err
	}
	if err := b.makeDirs(dirOf(dir)); err != nil {
		return err
	}
	if err := b.fs.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	b.touch(dir)
	return nil
}

const maxName = 255 // bytes

// archiveName is where what row says is at p goes: <path>~<yyyymmdd-hhmmss>-<dot> below the archive of its device. A path
// that is too long for that, or in the way of another, goes to the top of the archive by its last name.
func (b *batch) archiveName(p string, row *index.Base) (string, error) {
	d, err := b.device(dirOf(p))
	if err != nil {
		return "", err
	}
	var dot index.Dot
	if len(row.Dots) > 0 {
		dot = row.Dots[0]
	}
	end := "~" + b.now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(dot.Writer[:]) + "-" + strconv.FormatUint(dot.Counter, 10)
	top := below(d.mount, Archive)
	if err := b.makeDirs(top); err != nil {
		return "", err
	}
	dir := below(top, dirOf(strings.TrimPrefix(p, d.mount+"/")))
	if len(dir)+maxName >= maxPath {
		dir = top
	} else if err := b.makeDirs(dir); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		dir = top
	}
	for try := 1; ; try++ {
		last := end
		if try > 1 {
			last += "-" + strconv.Itoa(try)
		}
		name := below(dir, cut(path.Base(p), maxName-len(last))+last)
		if b.names[name] {
			continue
		}
		_, err := b.fs.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			b.names[name] = true
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
}

const maxPath = 4096

// cut shortens a name to n bytes, at a rune.
func cut(name string, n int) string {
	if len(name) <= n {
		return name
	}
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

// archived notes that what row says was at the path is in the archive.
func (b *batch) archived(s *step, row *index.Base) {
	info, err := b.fs.Lstat(s.Archive)
	if err != nil {
		info.Ident = row.Ident
	}
	s.out.Archived = &Archived{
		Name: s.Archive, Path: s.Op.Path, Ident: info.Ident, Added: b.now(),
		Size: row.Size, Hash: row.Hash, Caps: row.Caps, Dots: row.Dots,
	}
	// Between the look at it and this one a program may have written to it: the size and time are those of the row.
	s.out.Archived.Ident.Size, s.out.Archived.Ident.MTime = row.Ident.Size, row.Ident.MTime
}
