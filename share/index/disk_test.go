package index

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An item is what is at a path of a disk in memory.
type item struct {
	kind    Type
	size    int64
	hash    [32]byte
	value   string
	mtime   int64
	mode    uint32
	hasMode bool
}

func itemOf(s *Shown) item {
	return item{s.Type, s.Size, s.Hash, string(s.Value), s.MTime, s.Mode, s.HasMode}
}

// same reports whether a user sees no other content.
func (i item) same(j item) bool {
	return i.kind == j.kind && i.size == j.size && i.hash == j.hash && i.value == j.value
}

// A memDisk does operations as strictly as it can, and is the base rows too.
type memDisk struct {
	items   map[string]item
	rows    map[string]Base
	parked  map[int]item
	archive []item
	log     []string
}

func newDisk() *memDisk {
	return &memDisk{items: map[string]item{}, rows: map[string]Base{}, parked: map[int]item{}}
}

func (d *memDisk) Row(path string) (Base, bool) { b, ok := d.rows[path]; return b, ok }

func (d *memDisk) Having(hash [32]byte, size int64) (found []Base) {
	for _, p := range slices.Sorted(maps.Keys(d.rows)) {
		if b := d.rows[p]; b.Type == File && b.Present && b.Hash == hash && b.Size == size {
			found = append(found, b)
		}
	}
	return found
}

// add puts what is shown on the disk, with its row.
func (d *memDisk) add(s Shown) {
	b := BaseOf(s)
	b.Present = true
	d.rows[s.Path], d.items[s.Path] = b, itemOf(&s)
}

// run does operations. fetch says which Puts work.
func (d *memDisk) run(ops []Op, fetch func(Op) bool) error {
	for _, op := range ops {
		if op.Kind == Put && op.Shown.Size > 0 && !fetch(op) {
			d.log = append(d.log, "not fetched: "+op.String())
			continue
		}
		d.log = append(d.log, op.String())
		if err := d.do(op); err != nil {
			return fmt.Errorf("%v: %w", op, err)
		}
	}
	if len(d.parked) > 0 {
		return fmt.Errorf("%d files are left in temporary places", len(d.parked))
	}
	return nil
}

func (d *memDisk) do(op Op) error {
	switch op.Kind {
	case Adopt, Forget:
		if _, ok := d.items[op.Path]; ok && (op.Absent || op.Kind == Forget) {
			return fmt.Errorf("something is there")
		}
	case SetMeta:
		it, ok := d.items[op.Path]
		if !ok {
			return fmt.Errorf("nothing is there")
		}
		it.mtime = op.Shown.MTime
		if op.Shown.HasMode {
			it.mode, it.hasMode = op.Shown.Mode, true
		}
		d.items[op.Path] = it
	case Mkdir, Put, MakeSymlink, Copy, Rename:
		return d.place(op)
	case Park, Delete:
		it, err := d.expect(op.Path, op.Base)
		if err != nil {
			return err
		}
		delete(d.items, op.Path)
		if op.Kind == Delete {
			d.archive = append(d.archive, it)
		} else {
			d.parked[op.Slot] = it
		}
		delete(d.rows, op.Path)
		return nil
	case Rmdir:
		if d.items[op.Path].kind != Dir {
			return fmt.Errorf("no directory is there")
		}
		for p := range d.items {
			if strings.HasPrefix(p, op.Path+"/") {
				return nil
			}
		}
		delete(d.items, op.Path)
	}
	d.row(op)
	return nil
}

// row is what the row of an operation's path says afterwards.
func (d *memDisk) row(op Op) {
	delete(d.rows, op.Path)
	if op.Shown != nil {
		b := BaseOf(*op.Shown)
		b.Present = !op.Absent
		d.rows[op.Path] = b
	}
}

// expect is what is at a path, which b has to know.
func (d *memDisk) expect(path string, b *Base) (item, error) {
	it, ok := d.items[path]
	switch {
	case b == nil || !b.Present:
		if ok {
			return it, fmt.Errorf("%q is not free", path)
		}
	case !ok:
		return it, fmt.Errorf("nothing is at %q", path)
	case it.kind != b.Type || !b.Local && it.hash != b.Hash:
		return it, fmt.Errorf("something else is at %q", path)
	}
	return it, nil
}

func (d *memDisk) place(op Op) error {
	old, err := d.expect(op.Path, op.Base)
	if err != nil {
		return err
	}
	if dir := parent(op.Path); dir != "" && d.items[dir].kind != Dir {
		return fmt.Errorf("it is in no directory")
	}
	if old.kind == Dir {
		return fmt.Errorf("a directory is there")
	}
	if op.replaces() {
		d.archive = append(d.archive, old)
	}
	it := itemOf(op.Shown)
	if op.Kind == Copy || op.Kind == Rename {
		from, ok := d.items[op.From]
		if op.From == "" {
			from, ok = d.parked[op.Slot]
			delete(d.parked, op.Slot)
		}
		if !ok || !from.same(it) || op.Source == nil || op.Source.Hash != it.hash {
			return fmt.Errorf("what is to come is not at %q", op.From)
		}
		if op.Kind == Rename && op.From != "" {
			delete(d.items, op.From)
			delete(d.rows, op.From)
		}
	}
	d.items[op.Path] = it
	d.row(op)
	return nil
}

// contents are those of all files that are somewhere.
func (d *memDisk) contents() map[content]bool {
	all := map[content]bool{}
	for _, items := range [][]item{slices.Collect(maps.Values(d.items)), slices.Collect(maps.Values(d.parked)), d.archive} {
		for _, it := range items {
			if it.size > 0 {
				all[content{it.hash, it.size}] = true
			}
		}
	}
	return all
}

func (d *memDisk) String() string {
	var s []string
	for _, p := range slices.Sorted(maps.Keys(d.items)) {
		it := d.items[p]
		s = append(s, fmt.Sprintf("%s %c %x m%o t%d", p, it.kind, it.hash[:2], it.mode, it.mtime))
	}
	for _, p := range slices.Sorted(maps.Keys(d.rows)) {
		b := d.rows[p]
		s = append(s, fmt.Sprintf("row %s of %s %c %x m%o t%d present %t local %t dots %v", p, b.Natural, b.Type, b.Hash[:2], b.Mode, b.MTime, b.Present, b.Local, len(b.Dots)))
	}
	return strings.Join(s, "\n")
}
