package bt

import (
	"fmt"
	"os"
)

// What has its final name is the user's, who may change or remove it at any time. What is read of it is given out only
// while the file has the stamp that it had before it was hashed, or when it got its name.

// guard looks, after bytes of the complete file d were read through h, whether they are what was verified. The caller
// holds mu for reading.
func (s *FileStorage) guard(d *diskFile, h *handle) error {
	info, err := h.Stat()
	if err == nil && stampOf(info) != d.seen {
		return s.lose(d, "changed since it was verified")
	}
	return err
}

// lose notes that a complete file is not any more what it was.
func (s *FileStorage) lose(d *diskFile, what string) error {
	s.lost.CompareAndSwap(nil, errorf(Damaged, "seeding %s: %s %s", clip(s.m.Name), s.display(d.path), what))
	return s.lost.Load()
}

// Changed is nil as long as each complete file was found to be what was verified; else a Damaged error about the first
// that was not.
func (s *FileStorage) Changed() error {
	if err := s.lost.Load(); err != nil {
		return err
	}
	return nil
}

// Check looks whether each complete file is there and unchanged, and returns what Changed does.
func (s *FileStorage) Check() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fmt.Errorf("checking: %w", ErrClosed)
	}
	for _, d := range s.files {
		if d.path == "" || d.place != atFinal || !d.complete() {
			continue
		}
		info, err := s.root.Lstat(d.path)
		switch {
		case err == nil && stampOf(info) != d.seen, err == nil && info.Mode()&os.ModeType != 0:
			_ = s.lose(d, "changed since it was verified")
		case err != nil && isNotExist(err):
			_ = s.lose(d, "is gone")
		}
		if s.lost.Load() != nil {
			break
		}
	}
	return s.Changed()
}
