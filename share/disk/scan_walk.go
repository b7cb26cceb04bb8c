package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"shoal/share/index"
)

// A walk is one scan. It goes directory by directory: it holds the names of one, and the directories still to enter.
type walk struct {
	s      *Scanner
	ctx    context.Context
	now    time.Time
	emit   func(Finding) error
	folds  bool
	buf    []Finding
	report Report
	mounts map[string]mount  // of directories that a rename was looked up in
	above  map[string]*rules // of the same
}

// A place is a directory on the walk.
type place struct {
	path, disk string
	depth      int // names of path
	ident      index.Ident
	rules      *rules
	want       *want
	reader     dirReader
	listed     []string // as the disk has them
	isListed   bool
	reading    bool           // an iteration over B is open: what asks B waits
	later      []func() error // for the end of it: first what came,
	last       []func() error // then what went, since a rename takes it
}

// An entry is a name in a directory. Several of one name are twins, the one in NFC first.
type entry struct{ name, disk string }

func (w *walk) top(what Paths) error {
	info, err := w.s.fs.Lstat(".")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	return w.dir(&place{ident: info.Ident, want: wantOf(what)})
}

// dir walks one directory.
func (w *walk) dir(p *place) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.s.opts.Enter != nil {
		w.s.opts.Enter(p.disk)
	}
	below, err := w.inside(p)
	p.listed = nil
	for _, b := range below {
		if err != nil {
			return err
		}
		err = w.dir(b)
	}
	return err
}

// inside looks at what is directly in p, and returns the directories to walk next.
func (w *walk) inside(p *place) ([]*place, error) {
	var err error
	if p.reader, err = openDir(w.s.fs, onFS(p.disk)); err != nil {
		w.problem(p.disk, err)
		return nil, nil
	}
	defer p.reader.close()
	entries, err := w.entries(p)
	if err == nil {
		err = w.readRules(p)
	}
	if err != nil {
		w.problem(p.disk, err)
		return nil, nil
	}
	var below []*place
	one := func(twins []entry, row *index.Base) error {
		b, err := w.one(p, twins, row)
		if b != nil {
			below = append(below, b)
		}
		return err
	}
	if err := w.join(p, entries, one); err != nil {
		return nil, err
	}
	for _, f := range append(p.later, p.last...) {
		if err := errors.Join(f(), w.flushFull()); err != nil {
			return nil, err
		}
	}
	return below, w.flush()
}

// readRules reads the ignore file of p. A bad pattern is a problem, and no error.
func (w *walk) readRules(p *place) error {
	if p.isListed && !slices.Contains(p.listed, IgnoreFile) {
		return nil
	}
	file := index.PathOf(p.disk, IgnoreFile)
	own, err := readRules(w.s.fs, p.rules, p.path, p.disk)
	if errors.Is(err, errPattern) {
		w.problem(file, err)
		err = nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	p.rules = own
	return nil
}

// entries are the names of a directory that are wanted and may be shared, sorted.
func (w *walk) entries(p *place) ([]entry, error) {
	if !p.want.deep() && !w.folds {
		if found, ok := w.direct(p); ok {
			return found, nil
		}
	}
	if err := p.list(); err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(p.listed))
	for _, disk := range p.listed {
		if disk == Dir || disk == IgnoreFile {
			continue
		}
		name := nfc(disk)
		if !p.want.deep() && p.want.below[name] == nil {
			continue
		}
		if err := checkName(name, disk); err != nil {
			w.problem(index.PathOf(p.disk, disk), err)
			continue
		}
		entries = append(entries, entry{name, disk})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		switch {
		case a.name != b.name:
			return strings.Compare(a.name, b.name)
		case a.disk == a.name:
			return -1
		case b.disk == b.name:
			return 1
		}
		return strings.Compare(a.disk, b.disk)
	})
	return entries, nil
}

// direct finds the wanted names without a listing. It does not when one is absent, since only a listing shows that, or when
// the disk could spell one otherwise.
func (w *walk) direct(p *place) ([]entry, bool) {
	names := p.want.names()
	found := make([]entry, 0, len(names))
	for _, name := range names {
		if !isASCII(name) || checkName(name, name) != nil {
			return nil, false
		}
		if _, err := p.reader.lstat(name); err != nil {
			return nil, false
		}
		found = append(found, entry{name, name})
	}
	return found, true
}

func checkName(name, disk string) error {
	if isASCII(name) && name[0] != '.' && len(name) <= index.MaxName {
		return nil // nearly all are
	}
	switch err := index.CheckName(name); {
	case err == nil:
		return nil
	case strings.ToValidUTF8(disk, "") != disk, len(name) > index.MaxName:
		return ErrName
	default:
		return ErrReserved // a listing has no other invalid names
	}
}

// list lists the directory once.
func (p *place) list() error {
	if p.isListed {
		return nil
	}
	names, err := p.reader.names()
	p.listed, p.isListed = names, err == nil
	return err
}

// join calls one for each name that is on disk or in B, in order.
func (w *walk) join(p *place, entries []entry, one func([]entry, *index.Base) error) error {
	last := ""
	p.reading = true
	for row, err := range w.rows(p) {
		if err != nil {
			return fmt.Errorf("reading what is known of %q: %w", p.path, err)
		}
		name := row.Path[strings.LastIndexByte(row.Path, '/')+1:]
		if parent(row.Path) != p.path || last >= name {
			return fmt.Errorf("reading what is known of %q: %q is out of order", p.path, row.Path)
		}
		last = name
		for len(entries) > 0 && entries[0].name < name {
			n := twins(entries)
			if err := one(entries[:n], nil); err != nil {
				return err
			}
			entries = entries[n:]
		}
		n := 0
		if len(entries) > 0 && entries[0].name == name {
			n = twins(entries)
		}
		if err := one(entries[:n], row); err != nil {
			return err
		}
		entries = entries[n:]
	}
	p.reading = false
	for len(entries) > 0 {
		n := twins(entries)
		if err := one(entries[:n], nil); err != nil {
			return err
		}
		entries = entries[n:]
		if err := w.flushFull(); err != nil {
			return err
		}
	}
	return nil
}

// twins is how many entries have the first one's name.
func twins(entries []entry) int {
	n := 1
	for n < len(entries) && entries[n].name == entries[0].name {
		n++
	}
	return n
}

// rows are those of B that are wanted of a directory.
func (w *walk) rows(p *place) iter.Seq2[*index.Base, error] {
	if p.want.deep() {
		return w.s.known.Children(p.path)
	}
	return func(yield func(*index.Base, error) bool) {
		for _, name := range p.want.names() {
			row, err := w.s.known.Row(index.PathOf(p.path, name))
			if (row != nil || err != nil) && !yield(row, err) {
				return
			}
		}
	}
}

func (w *walk) problem(disk string, err error) {
	if len(w.report.Problems) == maxProblems {
		w.report.MoreProblems++
		return
	}
	w.report.Problems = append(w.report.Problems, Problem{cmp.Or(disk, "."), err})
}

func (w *walk) add(f Finding) { w.buf = append(w.buf, f) }

func (w *walk) flushFull() error {
	if len(w.buf) < flushAt {
		return nil
	}
	return w.flush()
}

// flush emits what was found, if the folder is still the right one.
func (w *walk) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if err := CheckMark(w.s.fs, w.s.opts.Share); err != nil {
		return err
	}
	for _, f := range w.buf {
		if err := w.emit(f); err != nil {
			return err
		}
	}
	w.buf = w.buf[:0]
	return nil
}
