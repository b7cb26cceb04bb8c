package disk

import (
	"errors"
	"io/fs"
	"strings"

	"shoal/share/index"
)

func (b *batch) rename(s *step) error {
	op := &s.Op
	if op.Old == nil {
		return errStale
	}
	if err := b.expect(op.From, op.Old); err != nil {
		return err
	}
	if op.Over != nil {
		return b.renameOver(s)
	}
	if strings.EqualFold(op.From, op.Path) {
		if info, err := b.fs.Lstat(op.Path); err == nil && info.Ident == op.Old.Ident {
			return b.recase(s)
		}
	}
	if err := b.arrive(op.From, op.Path); err != nil {
		return err
	}
	b.moved(s)
	return nil
}

// recase renames where both names mean the same file: nothing can be replaced.
func (b *batch) recase(s *step) error {
	if err := b.fs.Rename(s.Op.From, s.Op.Path); err != nil {
		return err
	}
	b.touch(s.Op.From, s.Op.Path)
	b.moved(s)
	return nil
}

// moved takes the identity of what was renamed. An edit at that moment came along, as the edit of the renamed file that it
// is: the identity of the old one lets a scan find it.
func (b *batch) moved(s *step) {
	op := &s.Op
	s.out.Result, s.out.Ident = Applied, op.Old.Ident
	info, err := b.fs.Lstat(op.Path)
	if err != nil || s.resumed || !sameButCTime(info.Ident, op.Old.Ident) {
		s.out.Ident.CTime = 0
		return
	}
	if b.differs(info.Ident, op.New) {
		_ = b.meta(s, info.Ident) // it is there, with another mode or time: a scan says so
		return
	}
	s.out.Ident = s.sure(info.Ident)
}

// renameOver takes the file from its name, and puts it like any other. To exchange the two names would show what is
// replaced under the other's, where a user could overwrite it.
func (b *batch) renameOver(s *step) error {
	op := &s.Op
	if err := b.expect(op.Path, op.Over); err != nil {
		return err
	}
	if err := b.fs.RenameNew(op.From, op.Temp); err != nil {
		return err
	}
	b.touch(op.From, op.Temp)
	return b.giveBack(s, b.taken(s))
}

// taken goes on with a file that is at its temporary name.
func (b *batch) taken(s *step) error {
	op := &s.Op
	same, err := b.same(s, op.Temp, op.Old)
	if err != nil {
		return err
	}
	if !same { // the user was faster
		return errStale
	}
	if b.differs(op.Old.Ident, op.New) {
		if err := b.stampAs(op.Temp, op.New); err != nil {
			return err
		}
	}
	info, err := b.fs.Lstat(op.Temp)
	if err != nil {
		return err
	}
	s.Temp = info.Ident
	err = b.replace(s, op.Over)
	s.out.Ident = s.sure(s.out.Ident)
	return err
}

// giveBack gives a file that was taken its name again when it did not come to its path, or another name if there is
// something by now. It returns why.
func (b *batch) giveBack(s *step, why error) error {
	if why == nil || s.stuck {
		return why
	}
	op := &s.Op
	err := b.fs.RenameNew(op.Temp, op.From)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		if s.out.Copy, err = b.place(op.Temp, op.From, false); err == nil {
			return why
		}
	}
	if err != nil {
		s.stuck = true
		return errors.Join(why, err)
	}
	b.touch(op.Temp, op.From)
	return why
}

func (b *batch) resumeRename(s *step) error {
	op := &s.Op
	from, err := b.found(op.From)
	if err != nil {
		return err
	}
	to, err := b.found(op.Path)
	if err != nil {
		return err
	}
	inode := op.Old.Ident.Inode
	stillFrom := from != nil && from.Ident.Inode == inode
	if op.Over != nil {
		temp, err := b.found(op.Temp)
		if err != nil {
			return err
		}
		return b.resumeOver(s, temp, to, stillFrom)
	}
	if to != nil && to.Ident.Inode == inode && to.Type == 0 && !stillFrom {
		b.touch(op.From, op.Path)
		b.moved(s)
		return nil
	}
	return b.rename(s)
}

// resumeOver goes on with a rename that replaces, by what is at its temporary name and at its path.
func (b *batch) resumeOver(s *step, temp, to *Info, stillFrom bool) error {
	op := &s.Op
	s.Temp = op.Old.Ident
	if temp == nil && stillFrom {
		out, err := b.found(s.Archive)
		if err != nil {
			return err
		}
		if out == nil {
			return b.rename(s)
		}
		// Without exchange, a power cut kept the second of two renames and lost the first.
		if err := b.fs.RenameNew(op.From, op.Temp); err != nil {
			s.stuck = true
			return err
		}
		b.touch(op.From, op.Temp)
		return b.giveBack(s, b.resumePut(s, op.Over))
	}
	is := func(info *Info, row *index.Base) bool { return info != nil && info.Ident.Inode == row.Ident.Inode }
	if is(temp, op.Old) {
		return b.giveBack(s, b.resumePut(s, op.Over))
	}
	if temp != nil && !is(temp, op.Over) && !is(to, op.Old) { // the user had replaced what was taken
		return b.giveBack(s, errStale)
	}
	return b.resumePut(s, op.Over)
}
