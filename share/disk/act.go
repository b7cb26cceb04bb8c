package disk

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"shoal/share/index"
)

// act does the op of a step, from the look at its path on.
func (b *batch) act(s *step) {
	switch s.Op.Do {
	case Put, PutSymlink:
		s.err = b.replace(s, s.Op.Old)
	case Delete:
		s.err = b.delete(s, s.Op.Old)
	case Rename:
		s.err = b.rename(s)
	case SetMeta:
		s.err = b.setMeta(s)
	case Mkdir:
		s.err = b.mkdir(s)
	case Rmdir:
		s.err = b.rmdir(s)
	default:
		s.err = fs.ErrInvalid
	}
}

// expect is nil when exactly what row says is at path.
func (b *batch) expect(p string, row *index.Base) error {
	info, err := b.fs.Lstat(p)
	if row == nil {
		if err == nil {
			return b.occupied(p)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err == nil && (info.Type != typeOfRow(row) || !sameIdent(info.Ident, row.Ident)) {
		err = errStale
	}
	return err
}

func typeOfRow(row *index.Base) fs.FileMode {
	switch row.Type {
	case index.Dir:
		return fs.ModeDir
	case index.Symlink:
		return fs.ModeSymlink
	}
	return 0
}

// occupied says what it means that something is at a path where nothing should be: where case is folded, it may be there by
// another name.
func (b *batch) occupied(p string) error {
	names, err := b.fs.ReadDir(dirOf(p))
	if err != nil {
		return err
	}
	base := p[strings.LastIndexByte(p, '/')+1:]
	clash := false
	for _, name := range names {
		if name == base {
			return errStale
		}
		clash = clash || strings.EqualFold(name, base)
	}
	if clash {
		return errClash
	}
	return errStale
}

// arrive renames to where nothing may be.
func (b *batch) arrive(from, to string) error {
	err := b.fs.RenameNew(from, to)
	if errors.Is(err, fs.ErrExist) {
		return b.occupied(to)
	}
	if err == nil {
		b.touch(from, to)
	}
	return err
}

// replace brings the temporary file to its path, where old is; nil = nothing.
func (b *batch) replace(s *step, old *index.Base) error {
	op := &s.Op
	if err := b.expect(op.Path, old); err != nil {
		return err
	}
	if old == nil {
		if err := b.arrive(op.Temp, op.Path); err != nil {
			return err
		}
		b.settle(s)
		return nil
	}
	err := b.fs.Exchange(op.Temp, op.Path)
	if errors.Is(err, ErrNoExchange) {
		return b.replaceWithout(s, old)
	}
	if err != nil {
		return err
	}
	b.touch(op.Temp, op.Path)
	b.settle(s)
	return b.cameOut(s, op.Temp, old)
}

// replaceWithout is for where names cannot be exchanged: for a moment nothing is at the path (docs/shares.md §6.3).
func (b *batch) replaceWithout(s *step, old *index.Base) error {
	if err := b.delete(s, old); err != nil {
		return err
	}
	return b.second(s)
}

// second is the other half.
func (b *batch) second(s *step) error {
	if err := b.arrive(s.Op.Temp, s.Op.Path); err != nil {
		return b.half(s, err)
	}
	b.settle(s)
	return nil
}

// half says that what was at the path is in the archive, and nothing came in its place. If somebody else did, his file
// stays; else this is not over: a scan would take the gap for a deletion.
func (b *batch) half(s *step, err error) error {
	if !errors.Is(err, errStale) && resultOf(err) == Stale { // the directory was moved away
		copied, placeErr := b.place(s.Archive, s.Op.Path, true)
		s.out.Copy, s.out.Archived, s.stuck = copied, nil, placeErr != nil
		return errors.Join(errStale, err, placeErr)
	}
	s.stuck = !errors.Is(err, errStale)
	if a := s.out.Archived; a != nil && !s.stuck { // it is no row of an op that was not done
		if addErr := b.Shelf.AddArchived([]Archived{*a}); addErr != nil {
			s.stuck, err = true, addErr
		}
	}
	return err
}

// settle takes the identity of what came to the path. If the user was faster, it is that of what we put there.
func (b *batch) settle(s *step) {
	s.out.Result = max(s.out.Result, Applied)
	s.out.Ident = s.Temp
	info, err := b.fs.Lstat(s.Op.Path)
	if err == nil && !s.resumed && sameButCTime(info.Ident, s.Temp) {
		s.out.Ident = info.Ident
		return
	}
	s.out.Ident.CTime = 0
}

// sameIdent compares identities; device numbers may change when a machine starts.
func sameIdent(a, b index.Ident) bool {
	a.Dev = b.Dev
	return a == b
}

// sameButCTime compares them across a rename, which changes ctime.
func sameButCTime(a, b index.Ident) bool {
	a.CTime = b.CTime
	return sameIdent(a, b)
}

// cameOut archives what a change took from a path and left at name, if it is what row says. Otherwise the user was faster,
// and it becomes a conflict copy.
func (b *batch) cameOut(s *step, name string, row *index.Base) error {
	same, err := b.same(s, name, row)
	if err == nil && !same {
		err = b.save(s, name)
	} else if err == nil {
		if err = b.shelve(s, name); err == nil {
			b.archived(s, row)
		}
	}
	s.stuck = err != nil // it stays where it is until Recover gets further
	return err
}

// save makes a conflict copy of what is at name.
func (b *batch) save(s *step, name string) error {
	copied, err := b.place(name, s.Op.Path, false)
	if err == nil {
		s.out.Result, s.out.Copy = Saved, copied
	}
	return err
}

// same reports whether what a rename moved to name is what row says was there before: inode, size, mtime, and the content
// of a file that was written so shortly before the rename that its mtime may have stayed.
func (b *batch) same(s *step, name string, row *index.Base) (bool, error) {
	info, err := b.fs.Lstat(name)
	if err != nil {
		return false, err
	}
	id := info.Ident
	if info.Type != typeOfRow(row) || id.Inode != row.Ident.Inode || id.Size != row.Ident.Size || id.MTime != row.Ident.MTime {
		return false, nil
	}
	known := row.Type == index.File && row.Hash != [32]byte{}
	if b.Hash == nil || !known || !s.racy(id) {
		return true, nil
	}
	return b.sameContent(name, row)
}

// racy reports whether a file was written so lately that it may have changed since unnoticed.
func (s *step) racy(id index.Ident) bool { return id.MTime >= s.When.Add(-racy).UnixNano() }

// sure is an identity that a scan may believe.
func (s *step) sure(id index.Ident) index.Ident {
	if s.racy(id) {
		id.CTime = 0
	}
	return id
}

func (b *batch) sameContent(name string, row *index.Base) (bool, error) {
	f, err := b.fs.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil // a conflict copy too many is better than one too few
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum, err := b.Hash(b.ctx, io.NewSectionReader(f, 0, row.Ident.Size), row.Ident.Size)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return false, nil
	}
	return sum == row.Hash, err
}

// delete moves what old says is at the path to the archive.
func (b *batch) delete(s *step, old *index.Base) error {
	op := &s.Op
	if old == nil {
		return errStale
	}
	if err := b.expect(op.Path, old); err != nil {
		return err
	}
	if err := b.shelve(s, op.Path); err != nil {
		return err
	}
	return b.deleted(s, old)
}

// shelve moves what is at name to the archive. A power cut may have taken the directory that was made for it.
func (b *batch) shelve(s *step, name string) error {
	err := b.fs.RenameNew(name, s.Archive)
	if errors.Is(err, fs.ErrNotExist) {
		if err := b.makeDirs(dirOf(s.Archive)); err != nil {
			return err
		}
		err = b.fs.RenameNew(name, s.Archive)
	}
	if err == nil {
		b.touch(name, s.Archive)
	}
	return err
}

// deleted looks at what was moved to the archive. If the user was faster, it goes back.
func (b *batch) deleted(s *step, old *index.Base) error {
	op := &s.Op
	same, err := b.same(s, s.Archive, old)
	if err != nil {
		s.stuck = true
		return err
	}
	if same {
		s.out.Result = Applied
		b.archived(s, old)
		return nil
	}
	err = b.fs.RenameNew(s.Archive, op.Path)
	if err == nil {
		return errStale
	}
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) { // of the path or of its directory
		err = b.save(s, s.Archive)
	}
	s.stuck = err != nil
	return err
}
