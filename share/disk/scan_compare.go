package disk

import (
	"io/fs"

	"shoal/share/index"
)

// one compares what stands under one name of p with its row; either may be missing. It returns a directory to walk.
func (w *walk) one(p *place, twins []entry, row *index.Base) (*place, error) {
	if row != nil && !row.Present && len(twins) == 0 {
		return nil, nil // unwanted, or not yet fetched: it cannot be missed
	}
	if len(twins) == 0 {
		return nil, w.absent(p, row)
	}
	e := w.choose(p, twins, row)
	info, err := p.reader.lstat(e.disk)
	if notExist(err) {
		return nil, w.absent(p, row)
	}
	f := p.finding(e, info, row)
	if err != nil {
		w.problem(f.Disk, err)
		return nil, nil
	}
	if w.hides(p.rules, f.Path, info.Type == fs.ModeDir) {
		return nil, nil
	}
	if p.depth == index.MaxDepth {
		w.problem(f.Disk, ErrTooDeep)
		return nil, nil
	}
	if row != nil && row.Present && row.Type == index.Dir && info.Type != fs.ModeDir {
		return nil, w.replacedDir(p, f, row, e.name)
	}
	return w.compare(p, f, row, e.name)
}

// finding is the beginning of one. Most files have not changed, and need no new strings.
func (p *place) finding(e entry, info Info, row *index.Base) Finding {
	f := Finding{Info: info}
	if row != nil {
		f.Path = row.Path
	} else {
		f.Path = index.PathOf(p.path, e.name)
	}
	if f.Disk = f.Path; e.disk != e.name || p.disk != p.path {
		f.Disk = index.PathOf(p.disk, e.disk)
	}
	return f
}

// compare compares what is there with its row, which may be missing.
func (w *walk) compare(p *place, f Finding, row *index.Base, name string) (*place, error) {
	if len(w.s.missing) > 0 {
		delete(w.s.missing, f.Path)
	}
	switch f.Info.Type {
	case fs.ModeDir:
		return w.directory(p, f, row, name), nil
	case 0:
		w.report.Files++
		w.report.Bytes += f.Info.Ident.Size
		want := p.want.below[name]
		return nil, w.file(p, f, row, want != nil && want.look&LookHash != 0)
	case fs.ModeSymlink:
		w.report.Links++
		w.symlink(f, row)
	default:
		w.problem(f.Disk, ErrSpecial) // B's file is not taken for deleted: a pipe stands in its place
	}
	return nil, nil
}

// choose is which of several twins has the name: the one that B knows, else the one in NFC. The others are reported.
func (w *walk) choose(p *place, twins []entry, row *index.Base) entry {
	if len(twins) == 1 {
		return twins[0]
	}
	chosen := 0
	if row != nil && row.Present {
		for i, t := range twins {
			if info, err := p.reader.lstat(t.disk); err == nil && info.Ident.Inode == row.Ident.Inode {
				chosen = i
				break
			}
		}
	}
	for i, t := range twins {
		if i != chosen {
			w.problem(index.PathOf(p.disk, t.disk), ErrTwin)
		}
	}
	return twins[chosen]
}

// hides reports whether a path is ignored, or somebody else's.
func (w *walk) hides(r *rules, path string, dir bool) bool {
	return w.s.opts.Skip != nil && w.s.opts.Skip(path) || r != nil && r.ignores(path, dir)
}

// keep is a copy of a row that is valid until the next.
func keep(row *index.Base) *index.Base {
	if row == nil {
		return nil
	}
	c := *row
	return &c
}

// directory compares a directory. What is in a new one is always looked at: nobody else will ask for it.
func (w *walk) directory(p *place, f Finding, row *index.Base, name string) *place {
	w.report.Dirs++
	f.Type = index.Dir
	f.XDev = f.Info.Ident.Dev != p.ident.Dev
	want := p.want.child(name)
	switch {
	case row != nil && row.Present && row.Type == index.Dir:
		if row.XDev != f.XDev { // a mount came or went
			w.report.Absent = append(w.report.Absent, f.Path)
			return nil
		}
		if row.Ident.Mode != f.Info.Ident.Mode || row.Ident.Inode != f.Info.Ident.Inode {
			f.Kind, f.Base = Touched, keep(row)
			w.add(f)
		}
	default:
		f.Kind, f.Base = Created, keep(row)
		if row != nil && row.Present {
			f.Kind = Retyped
		}
		w.add(f)
		want = newDeep()
	}
	if !want.deep() && len(want.below) == 0 {
		return nil
	}
	return &place{path: f.Path, disk: f.Disk, depth: p.depth + 1, ident: f.Info.Ident, rules: p.rules, want: want}
}

// file compares a regular file; hash says that it must be hashed even if nothing changed.
func (w *walk) file(p *place, f Finding, row *index.Base, hash bool) error {
	f.Type = index.File
	id := f.Info.Ident
	if row == nil || !row.Present || row.Type != index.File {
		if row != nil && row.Present && row.Type == index.Symlink && unchanged(row.Ident, id) {
			return nil // a symbolic link that is kept as a text file
		}
		f.Kind, f.Hash, f.Base = Created, true, keep(row)
		if row != nil && row.Present {
			f.Kind = Retyped
		}
		return w.recogniseLater(p, f)
	}
	was := row.Ident
	switch {
	case id.Size != was.Size || id.Inode != was.Inode:
		f.Kind, f.Hash = Edited, true
	case id.MTime != was.MTime || id.CTime != was.CTime || hash:
		f.Kind, f.Hash = Touched, true
	case id.Mode != was.Mode: // where there is no ctime
		f.Kind = Touched
	default:
		if Racy(id, w.now) {
			w.report.Settling = append(w.report.Settling, f.Path)
		}
		return nil
	}
	f.Base = keep(row)
	if id.Inode != was.Inode {
		return w.recogniseLater(p, f)
	}
	w.add(f)
	return nil
}

// symlink compares a symbolic link. It is never followed.
func (w *walk) symlink(f Finding, row *index.Base) {
	f.Type = index.Symlink
	same := row != nil && row.Present && row.Type == index.Symlink
	if same && unchanged(row.Ident, f.Info.Ident) {
		return
	}
	var err error
	if f.Target, err = w.s.fs.Readlink(f.Disk); err == nil && len(f.Target) > maxTarget {
		err = ErrTarget
	}
	if err != nil {
		w.problem(f.Disk, err)
		return
	}
	f.Base = keep(row)
	switch {
	case same && string(row.Value) == f.Target:
		f.Kind = Touched
	case same:
		f.Kind = Edited
	case row != nil && row.Present:
		f.Kind = Retyped
	default:
		f.Kind = Created
	}
	w.add(f)
}

// unchanged leaves out the device, whose number may be another after each start.
func unchanged(a, b index.Ident) bool {
	return a.Size == b.Size && a.MTime == b.MTime && a.CTime == b.CTime && a.Inode == b.Inode
}

// recogniseLater is recognise when no iteration over B is open: at once, or later.
func (w *walk) recogniseLater(p *place, f Finding) error {
	if !p.reading {
		return w.recognise(f)
	}
	p.later = append(p.later, func() error { return w.recognise(f) })
	return nil
}

// newDeep is what is wanted of a new directory.
func newDeep() *want { return &want{look: LookDeep} }
