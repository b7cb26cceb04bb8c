package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// Errors of a marker.
var (
	// ErrAbsent: the folder has no marker, or that of another share. A disk that is not mounted looks so.
	ErrAbsent = errors.New("the folder of the share is not there")
	// ErrBadMark: the marker is there and says nothing.
	ErrBadMark = errors.New("the marker of the share is damaged")
)

const (
	markerHead = "shoal share 1"
	maxMarker  = 1 << 10 // bytes
	markerTemp = Marker + ".new"
)

// A Mark is what the marker of a folder says. Dev and Inode are those of the folder when the marker was written: others mean
// that the folder was copied or restored, or that the device got another number.
type Mark struct {
	Share      string // text of the share's id: one word
	Dev, Inode uint64
}

// WriteMark marks a folder as that of a share, durably; it makes Dir. A marker that is there is replaced.
func WriteMark(f FS, share string) error {
	if share == "" || strings.ContainsFunc(share, func(r rune) bool { return r <= ' ' }) {
		return fmt.Errorf("marking a folder: %q is no share id", share)
	}
	top, err := f.Lstat(".")
	if err != nil {
		return fmt.Errorf("marking a folder: %w", err)
	}
	if err := f.Mkdir(Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("marking a folder: %w", err)
	}
	text := fmt.Sprintf("%s\nshare %s\ndevice %d\ninode %d\n", markerHead, share, top.Ident.Dev, top.Ident.Inode)
	if err := writeWhole(f, markerTemp, text); err != nil {
		return fmt.Errorf("marking a folder: %w", err)
	}
	if err := f.Rename(markerTemp, Marker); err != nil {
		return fmt.Errorf("marking a folder: %w", err)
	}
	for _, dir := range []string{Dir, "."} {
		if err := f.SyncDir(dir); err != nil {
			return fmt.Errorf("marking a folder: %w", err)
		}
	}
	return nil
}

func writeWhole(f FS, path, text string) error {
	if err := f.Remove(path); err != nil && !notExist(err) {
		return err
	}
	file, err := f.Create(path)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(text), 0)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// ReadMark reads the marker of a folder: ErrAbsent if there is none, ErrBadMark if it cannot be understood.
func ReadMark(f FS) (Mark, error) {
	file, err := f.Open(Marker)
	if notExist(err) {
		return Mark{}, ErrAbsent
	}
	if err != nil {
		return Mark{}, fmt.Errorf("reading the marker: %w", err)
	}
	defer file.Close()
	var text [maxMarker]byte
	n, err := file.ReadAt(text[:], 0)
	if err != nil && err != io.EOF {
		return Mark{}, fmt.Errorf("reading the marker: %w", err)
	}
	return parseMark(string(text[:n]))
}

func parseMark(text string) (Mark, error) {
	var m Mark
	head, rest, _ := strings.Cut(text, "\n")
	if head != markerHead {
		return Mark{}, ErrBadMark
	}
	for line := range strings.Lines(rest) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var err error
		switch key {
		case "share":
			m.Share = value
		case "device":
			m.Dev, err = strconv.ParseUint(value, 10, 64)
		case "inode":
			m.Inode, err = strconv.ParseUint(value, 10, 64)
		}
		if err != nil {
			return Mark{}, ErrBadMark
		}
	}
	if m.Share == "" || strings.ContainsFunc(m.Share, func(r rune) bool { return r <= ' ' }) {
		return Mark{}, ErrBadMark
	}
	return m, nil
}

// CheckMark is nil when the folder is marked as that of share, else an error that wraps ErrAbsent.
func CheckMark(f FS, share string) error {
	m, err := ReadMark(f)
	switch {
	case errors.Is(err, ErrAbsent):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	case m.Share != share:
		return fmt.Errorf("%w: it is marked as another share", ErrAbsent)
	}
	return nil
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
