package disk

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Punch gives back the room of a part of the file, which then reads as zeros. errors.ErrUnsupported where the file system
// cannot.
func (f *realFile) Punch(off, size int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}

// NextData is where the next part begins that was ever written, at or after off; the size of the file when none does.
func (f *realFile) NextData(off int64) (int64, error) {
	at, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		info, err := f.Stat()
		return info.Ident.Size, err
	}
	return at, err
}
