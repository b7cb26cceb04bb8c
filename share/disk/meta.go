package disk

import (
	"errors"
	"io/fs"

	"shoal/share/index"
)

// differs reports whether a file has another mode or time than row says.
func (b *batch) differs(id index.Ident, row *index.Base) bool {
	return row != nil && (row.HasMode && id.Mode != row.Mode&0o777 || row.Type == index.File && id.MTime != row.MTime)
}

func (b *batch) setMeta(s *step) error {
	op := &s.Op
	if op.Old == nil || op.New == nil {
		return errStale
	}
	info, err := b.fs.Lstat(op.Path)
	if err != nil {
		return err
	}
	if info.Type != typeOfRow(op.Old) {
		return errStale
	}
	if info.Type != fs.ModeDir && info.Ident != op.Old.Ident && !(s.resumed && halfMeta(info.Ident, op)) {
		return errStale
	}
	s.out.Result = Applied
	return b.meta(s, info.Ident)
}

// halfMeta reports whether a file is as a crash in the middle left it.
func halfMeta(id index.Ident, op *Op) bool {
	old := op.Old.Ident
	return id.Inode == old.Inode && id.Size == old.Size && (id.MTime == old.MTime || id.MTime == op.New.MTime)
}

// meta sets mode and time of what is at the path and was id at the last look. A time that was set may hide one that the user
// made in that moment: such a file is hashed by the next scan. A mode hides nothing.
func (b *batch) meta(s *step, id index.Ident) error {
	op := &s.Op
	s.out.Ident = id
	s.out.Ident.CTime = 0
	if op.New.HasMode && op.New.Type != index.Symlink && id.Mode != op.New.Mode&0o777 {
		if err := b.fs.Chmod(op.Path, fs.FileMode(op.New.Mode)); err != nil {
			return err
		}
	}
	timed := op.New.Type != index.Dir && id.MTime != op.New.MTime
	if timed {
		if err := b.fs.Chtimes(op.Path, op.New.MTime); err != nil {
			return err
		}
	}
	info, err := b.fs.Lstat(op.Path)
	if err != nil {
		return err
	}
	want := id
	want.Mode = info.Ident.Mode // a file system may keep less of it
	if timed {
		want.MTime = info.Ident.MTime
	}
	switch {
	case op.New.Type == index.Dir:
		s.out.Ident = info.Ident
	case sameButCTime(info.Ident, want):
		s.out.Ident = info.Ident
		if timed || s.resumed {
			s.out.Ident.CTime = 0
		}
	}
	b.touch(op.Path)
	return nil
}

func (b *batch) mkdir(s *step) error {
	op := &s.Op
	mode := fs.FileMode(b.mode(op.New))
	err := b.fs.Mkdir(op.Path, mode)
	switch {
	case err == nil:
		b.touch(op.Path)
		if op.New.HasMode {
			err = b.fs.Chmod(op.Path, mode) // what the umask took
		}
	case errors.Is(err, fs.ErrExist):
		if err = b.occupied(op.Path); errors.Is(err, errStale) {
			err = nil // by that very name
		}
	}
	if err != nil {
		return err
	}
	info, err := b.fs.Lstat(op.Path)
	if err == nil && info.Type != fs.ModeDir {
		err = errStale
	}
	s.out.Result, s.out.Ident = Applied, info.Ident
	return err
}

func (b *batch) rmdir(s *step) error {
	op := &s.Op
	info, err := b.fs.Lstat(op.Path)
	if err == nil && info.Type != fs.ModeDir {
		err = errStale
	}
	if err == nil {
		err = b.fs.Remove(op.Path)
	}
	if errors.Is(err, fs.ErrNotExist) && s.resumed {
		err = nil
	}
	if err != nil {
		return err
	}
	s.out.Result = Applied
	b.touch(op.Path)
	delete(b.touched, op.Path)
	return nil
}
