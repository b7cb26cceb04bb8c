package disk

import (
	"context"
	"fmt"
	"strings"
	"time"

	"shoal/share/index"
)

// recognise adds a finding of a file on an inode that is new at its path. When B knows the inode, with the same size and
// mtime, its content need not be read. Only mtimes of whole seconds prove too little: archives and build tools give many
// files the same one, and the inode of a deleted file is soon given to another.
func (w *walk) recognise(f Finding) error {
	id := f.Info.Ident
	if id.Inode == 0 || id.MTime%int64(time.Second) == 0 {
		w.add(f)
		return nil
	}
	rows, err := w.s.known.ByInode(id.Inode)
	if err != nil {
		return fmt.Errorf("looking up an inode: %w", err)
	}
	for i := range rows {
		row := &rows[i]
		if row.Path == f.Path || !row.Present || row.Type != index.File ||
			row.Ident.Inode != id.Inode || row.Ident.Size != id.Size || row.Ident.MTime != id.MTime ||
			row.Ident.CTime == smudged {
			continue
		}
		f.From, f.Hash = row, false
		if f.Kind != Created || w.s.claimed[row.Path] {
			continue
		}
		gone, err := w.gone(row, f.Path)
		if err != nil {
			return err
		}
		if gone {
			f.Kind = Renamed
			w.claim(row.Path)
			break
		}
	}
	w.add(f)
	return nil
}

func (w *walk) claim(path string) {
	w.s.claimed[path] = true
	delete(w.s.missing, path)
}

// Moved is f as a rename if a file with that content is missing: f was Created, and hash is what its content gave. Else it
// is f. Empty files are all alike, and never renamed. The errors are those of Scan.
func (s *Scanner) Moved(ctx context.Context, f Finding, hash [32]byte) (Finding, error) {
	if f.Kind != Created || f.Type != index.File || f.Info.Ident.Size == 0 || len(s.missing) == 0 {
		return f, nil
	}
	rows, err := s.known.ByContent(hash, f.Info.Ident.Size)
	if err != nil {
		return f, fmt.Errorf("looking up a content: %w", err)
	}
	w := &walk{s: s, ctx: ctx, now: s.opts.Now(), folds: s.fs.FoldsCase()}
	for i := range rows {
		row := &rows[i]
		if row.Path == f.Path || !row.Present || row.Type != index.File || row.Hash != hash ||
			row.Size != f.Info.Ident.Size || s.claimed[row.Path] || !s.misses(row.Path) {
			continue
		}
		gone, err := w.gone(row, f.Path)
		if err != nil {
			return f, err
		}
		if !gone {
			continue
		}
		if err := CheckMark(s.fs, s.opts.Share); err != nil {
			return f, err
		}
		w.claim(row.Path)
		f.Kind, f.From, f.Hash = Renamed, row, false
		return f, nil
	}
	return f, nil
}

// misses reports whether path, or a directory above it, was missing at the last look.
func (s *Scanner) misses(path string) bool {
	for ; path != ""; path = parent(path) {
		if s.missing[path] != nil {
			return true
		}
	}
	return false
}

// gone reports whether the file of a row is not there any more, for sure: the mounts above it are those of B, and it is not
// ignored. to is where its content is now.
func (w *walk) gone(row *index.Base, to string) (bool, error) {
	disk, err := Resolve(w.s.fs, row.Path)
	if err != nil {
		return false, nil
	}
	_, err = w.s.fs.Lstat(disk)
	switch {
	case err == nil: // one name, where case is nothing
		if !w.folds || row.Path == to || !strings.EqualFold(row.Path, to) {
			return false, nil
		}
	case !notExist(err):
		return false, nil
	}
	m, err := w.mount(parent(row.Path))
	if err != nil || !m.same {
		return false, err
	}
	return !w.hidden(row.Path), nil
}

// A mount is a directory as far as devices go.
type mount struct {
	same  bool // it and all above cross to other devices where B says so
	there bool
	dev   uint64
}

func (w *walk) mount(dir string) (m mount, err error) {
	if m, ok := w.mounts[dir]; ok {
		return m, nil
	}
	if w.mounts == nil {
		w.mounts = map[string]mount{}
	}
	defer func() { w.mounts[dir] = m }()
	if dir == "" {
		info, err := w.s.fs.Lstat(".")
		return mount{err == nil, err == nil, info.Ident.Dev}, nil
	}
	up, err := w.mount(parent(dir))
	if err != nil || !up.same {
		return mount{}, err
	}
	row, err := w.s.known.Row(dir)
	if err != nil {
		return mount{}, fmt.Errorf("reading what is known of %q: %w", dir, err)
	}
	disk, err := Resolve(w.s.fs, dir)
	if err != nil {
		return mount{}, nil
	}
	info, err := w.s.fs.Lstat(disk)
	crosses := err == nil && info.Ident.Dev != up.dev
	switch {
	case err != nil && !notExist(err), err == nil && !info.Type.IsDir():
		return mount{}, nil
	case row != nil && row.Present && row.XDev != crosses, row == nil && crosses:
		return mount{}, nil
	}
	return mount{true, err == nil, info.Ident.Dev}, nil
}

// hidden reports whether a file is ignored, by what the ignore files say now; also when one cannot be read.
func (w *walk) hidden(path string) bool {
	var r *rules
	at := ""
	for name := range strings.SplitSeq(path, "/") {
		var ok bool
		if r, ok = w.rulesOf(r, at); !ok {
			return true
		}
		at = index.PathOf(at, name)
		if w.hides(r, at, at != path) {
			return true
		}
	}
	return false
}

func (w *walk) rulesOf(up *rules, dir string) (*rules, bool) {
	if r, ok := w.above[dir]; ok {
		return r, true
	}
	disk, err := Resolve(w.s.fs, dir)
	if err != nil {
		return nil, false
	}
	r, err := readRules(w.s.fs, up, dir, disk)
	if r == nil && err != nil && err != errPattern {
		return nil, false
	}
	if w.above == nil {
		w.above = map[string]*rules{}
	}
	w.above[dir] = r
	return r, true
}
