package disk

import (
	"fmt"
	"time"

	"shoal/share/index"
)

// An absence is what a look missed.
type absence struct {
	since, seen time.Time // the first look, and the last so far
	due         time.Time // of the next
}

// absent takes note that a row's path is not on disk, or finds it deleted at a second look.
func (w *walk) absent(p *place, row *index.Base) error {
	if row == nil || !row.Present || w.hides(p.rules, row.Path, row.Type == index.Dir) {
		return nil
	}
	if row.Type == index.Dir && row.XDev { // a mount that took its directory with it
		w.report.Absent = append(w.report.Absent, row.Path)
		return nil
	}
	gone := *row
	p.last = append(p.last, func() error {
		if w.s.claimed[gone.Path] || !w.clean(p) {
			return nil
		}
		due, err := w.missed(&gone)
		if err != nil || !due {
			return err
		}
		return w.deleted(&gone)
	})
	return nil
}

// replacedDir is a directory of B in whose place another thing stands: what was below it is missing, and until that is
// deleted there can be nothing else of its name.
func (w *walk) replacedDir(p *place, f Finding, row *index.Base, name string) error {
	if row.XDev {
		w.report.Absent = append(w.report.Absent, row.Path)
		return nil
	}
	was := *row
	p.last = append(p.last, func() error {
		due, err := w.missed(&was)
		if err != nil || !due {
			return err
		}
		if kept, err := w.deletedBelow(was.Path); kept || err != nil {
			return err
		}
		_, err = w.compare(p, f, &was, name)
		return err
	})
	return nil
}

// clean reports whether p was listed whole, and is still the directory that its parent has: a mount over it shows nothing
// that was there.
func (w *walk) clean(p *place) bool {
	err := p.list()
	if err == nil {
		var now Info
		now, err = p.reader.info()
		if err == nil && (now.Ident.Inode != p.ident.Inode || now.Ident.Dev != p.ident.Dev) {
			err = ErrMoved
		}
	}
	if err != nil {
		w.problem(p.disk, err)
	}
	return err == nil
}

// missed notes that row's path is not there, and reports whether it was missed long enough.
func (w *walk) missed(row *index.Base) (bool, error) {
	a := w.s.missing[row.Path]
	if a == nil {
		a = &absence{since: w.now, due: w.now.Add(SecondFile)}
		w.s.missing[row.Path] = a
	}
	a.seen = w.now
	if w.now.Before(a.since.Add(SecondFile)) {
		return false, nil
	}
	due := a.since.Add(SecondFile)
	if row.Type == index.Dir {
		files, err := w.hasFiles(row.Path)
		if err != nil {
			return false, err
		}
		if files {
			due = a.since.Add(max(w.s.opts.DirWait, SecondFile))
		}
	}
	a.due = due
	return !w.now.Before(due), nil
}

// hasFiles reports whether B has anything present below dir but directories.
func (w *walk) hasFiles(dir string) (bool, error) {
	var dirs []string
	for row, err := range w.s.known.Children(dir) {
		switch {
		case err != nil:
			return false, fmt.Errorf("reading what is known of %q: %w", dir, err)
		case !row.Present || w.s.claimed[row.Path]:
		case row.Type != index.Dir || row.XDev:
			return true, nil
		default:
			dirs = append(dirs, row.Path)
		}
	}
	for _, d := range dirs {
		if has, err := w.hasFiles(d); has || err != nil {
			return has, err
		}
	}
	return false, nil
}

// deleted finds that row is deleted, with everything below it.
func (w *walk) deleted(row *index.Base) error {
	delete(w.s.missing, row.Path)
	if row.Type == index.Dir {
		if kept, err := w.deletedBelow(row.Path); kept || err != nil {
			return err
		}
	}
	w.add(Finding{Kind: Deleted, Path: row.Path, Type: row.Type, Base: row})
	return nil
}

// deletedBelow finds that everything below dir is deleted, the deepest first. kept says that a mount was below it, which
// stays, and dir with it.
func (w *walk) deletedBelow(dir string) (kept bool, err error) {
	var dirs []index.Base
	for row, err := range w.s.known.Children(dir) {
		if err != nil {
			return false, fmt.Errorf("reading what is known of %q: %w", dir, err)
		}
		delete(w.s.missing, row.Path)
		switch {
		case !row.Present || w.s.claimed[row.Path]:
		case w.s.opts.Skip != nil && w.s.opts.Skip(row.Path):
			kept = true
		case row.Type == index.Dir && row.XDev:
			w.report.Absent = append(w.report.Absent, row.Path)
			kept = true
		case row.Type == index.Dir:
			dirs = append(dirs, *row)
		default:
			w.add(Finding{Kind: Deleted, Path: row.Path, Type: row.Type, Base: keep(row)})
		}
	}
	if err := w.flushFull(); err != nil {
		return false, err
	}
	for _, d := range dirs {
		below, err := w.deletedBelow(d.Path)
		if err != nil {
			return false, err
		}
		if kept = kept || below; !below {
			w.add(Finding{Kind: Deleted, Path: d.Path, Type: index.Dir, Base: &d})
		}
	}
	return kept, nil
}
