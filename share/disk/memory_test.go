package disk_test

import (
	"slices"

	"shoal/share/disk"
	"shoal/share/index"
)

// memory is what a database does for an Applier.
type memory struct {
	step    func(string) // before and after each transaction
	rows    map[string]index.Base
	pending []disk.Intent
	shelf   []disk.Archived
	fail    error
}

func newMemory() *memory { return &memory{step: func(string) {}, rows: map[string]index.Base{}} }

func (m *memory) tx(name string, do func()) error {
	m.step(name)
	if m.fail != nil {
		return m.fail
	}
	do()
	m.step(name + " done")
	return nil
}

func (m *memory) Begin(in []disk.Intent) error {
	return m.tx("begin", func() { m.pending = append(m.pending, in...) })
}

func (m *memory) End(outs []disk.Outcome) error {
	return m.tx("end", func() {
		for i := range outs {
			o := &outs[i]
			m.pending = slices.DeleteFunc(m.pending, func(in disk.Intent) bool { return in.Op.Path == o.Op.Path })
			if !o.Done() {
				continue
			}
			if o.Op.Old != nil {
				delete(m.rows, o.Op.Old.Path)
			}
			if row := o.Row(); row != nil {
				m.rows[row.Path] = *row
			}
			if o.Archived != nil {
				m.shelf = append(m.shelf, *o.Archived)
			}
		}
	})
}

func (m *memory) Pending() ([]disk.Intent, error)    { return slices.Clone(m.pending), m.fail }
func (m *memory) Archived() ([]disk.Archived, error) { return slices.Clone(m.shelf), m.fail }
func (m *memory) AddArchived(rows []disk.Archived) error {
	return m.tx("add", func() { m.shelf = append(m.shelf, rows...) })
}

func (m *memory) DropArchived(names []string) error {
	return m.tx("drop", func() {
		m.shelf = slices.DeleteFunc(m.shelf, func(a disk.Archived) bool { return slices.Contains(names, a.Name) })
	})
}
