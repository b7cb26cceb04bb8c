package disk

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"shoal/share/index"
)

// ErrUnstable says that a file changed each time while it was read. It is to be tried again when it has settled.
var ErrUnstable = errors.New("the file changes while it is read")

const (
	hashTries = 3
	restat    = 64 << 20 // bytes read between two looks at a file
)

// HashFile opens the file path, as the disk spells it, and gives it to read, together with its size. It returns what the
// file was: the same before and after, of the file that is still at path. A file that changes meanwhile is read again, up
// to 3 times; then the error is ErrUnstable. read may thus be called several times, and its reader fails early when the
// file has changed. Errors of read are returned when the file did not change.
func HashFile(f FS, path string, read func(r io.ReaderAt, size int64) error) (index.Ident, error) {
	for range hashTries {
		id, same, err := hashOnce(f, path, read)
		if same || err != nil && !errors.Is(err, ErrUnstable) {
			return id, err
		}
	}
	return index.Ident{}, fmt.Errorf("reading %s: %w", path, ErrUnstable)
}

// hashOnce reports whether the file stayed the same. Where it did not, an error of read means nothing.
func hashOnce(f FS, path string, read func(r io.ReaderAt, size int64) error) (index.Ident, bool, error) {
	file, err := f.Open(path)
	if err != nil {
		return index.Ident{}, false, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return index.Ident{}, false, err
	}
	readErr := read(&steady{f: file, was: before.Ident}, before.Ident.Size)
	after, err := file.Stat()
	if err != nil {
		return index.Ident{}, false, err
	}
	// The name may stand for another file by now.
	there, err := f.Lstat(path)
	if err != nil {
		return index.Ident{}, false, err
	}
	if after.Ident != before.Ident || there.Ident != before.Ident || errors.Is(readErr, ErrUnstable) {
		return index.Ident{}, false, nil
	}
	return before.Ident, true, readErr
}

// A steady reads a file, and looks now and then whether it is still the same: a large file that is being written is not
// read to its end in vain.
type steady struct {
	f   File
	was index.Ident

	mu   sync.Mutex
	read int64 // since the last look; guarded by mu
}

func (s *steady) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.f.ReadAt(p, off)
	s.mu.Lock()
	s.read += int64(n)
	look := s.read >= restat
	if look {
		s.read = 0
	}
	s.mu.Unlock()
	if look {
		if now, statErr := s.f.Stat(); statErr == nil && now.Ident != s.was {
			return n, ErrUnstable
		}
	}
	return n, err
}
