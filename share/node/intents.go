package node

import (
	"encoding/json"

	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// intents is where the applier's plans survive a crash: the database.
type intents struct{ e *engine }

// savedIntent is a disk.Intent as it is kept. Rows are in the form of the database, which has the keys of caps in it.
type savedIntent struct {
	Seq     int
	Do      disk.Action
	Path    string
	From    string `json:",omitempty"`
	Temp    string `json:",omitempty"`
	Old     []byte `json:",omitempty"`
	Over    []byte `json:",omitempty"`
	New     []byte `json:",omitempty"`
	Ident   index.Ident
	Archive string `json:",omitempty"`
}

func saveIntent(in *disk.Intent) ([]byte, error) {
	s := savedIntent{Seq: in.Seq, Do: in.Op.Do, Path: in.Op.Path, From: in.Op.From, Temp: in.Op.Temp, Ident: in.Temp, Archive: in.Archive}
	for _, r := range []struct {
		from *index.Base
		to   *[]byte
	}{{in.Op.Old, &s.Old}, {in.Op.Over, &s.Over}, {in.Op.New, &s.New}} {
		if r.from != nil {
			*r.to = db.EncodeBase(r.from)
		}
	}
	return json.Marshal(s)
}

func loadIntent(b []byte) (in disk.Intent, err error) {
	var s savedIntent
	if err := json.Unmarshal(b, &s); err != nil {
		return in, err
	}
	in = disk.Intent{Seq: s.Seq, Temp: s.Ident, Archive: s.Archive, Op: disk.Op{Do: s.Do, Path: s.Path, From: s.From, Temp: s.Temp}}
	for _, r := range []struct {
		from []byte
		to   **index.Base
	}{{s.Old, &in.Op.Old}, {s.Over, &in.Op.Over}, {s.New, &in.Op.New}} {
		if len(r.from) == 0 {
			continue
		}
		if *r.to, err = db.DecodeBase(r.from); err != nil {
			return in, err
		}
	}
	return in, nil
}

func (l intents) Begin(all []disk.Intent) error {
	return l.e.node.db.Update(l.e.ctx, func(t *db.Tx) error {
		for i := range all {
			b, err := saveIntent(&all[i])
			if err != nil {
				return err
			}
			if err := t.PutIntent(l.e.n, all[i].Op.Path, b); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l intents) End(all []disk.Outcome) error {
	return l.e.node.db.Update(l.e.ctx, func(t *db.Tx) error {
		for i := range all {
			if err := l.end(t, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l intents) end(t *db.Tx, o *disk.Outcome) error {
	n := l.e.n
	if err := t.DropIntent(n, o.Op.Path); err != nil {
		return err
	}
	if o.Archived != nil {
		l.e.shelved.Store(true)
		if err := t.AddArchived(n, l.row(o.Archived)); err != nil {
			return err
		}
	}
	if !o.Done() {
		return nil
	}
	if o.Op.From != "" {
		if err := t.DropBase(n, o.Op.From); err != nil {
			return err
		}
	}
	if row := o.Row(); row != nil {
		return t.PutBase(n, row)
	}
	if o.Op.Do == disk.Rmdir {
		if err := l.emptied(t, o.Op.Path); err != nil {
			return err
		}
	}
	return t.DropBase(n, o.Op.Path)
}

// emptied forgets what B still has below a directory that was empty: the user took it away, and no scan has missed it yet.
func (l intents) emptied(t *db.Tx, dir string) error {
	var paths, naturals []string
	err := t.Under(l.e.n, dir, func(b *index.Base) error {
		if b.Present {
			paths, naturals = append(paths, b.Path), append(naturals, b.Natural)
		}
		return nil
	})
	for _, p := range paths {
		if err == nil {
			err = t.DropBase(l.e.n, p)
		}
	}
	if err != nil || len(naturals) == 0 {
		return err
	}
	return t.AddTodo(l.e.n, naturals...)
}

func (l intents) Pending() (all []disk.Intent, err error) {
	err = l.e.node.db.View(l.e.ctx, func(t *db.Tx) error {
		bodies, err := t.Intents(l.e.n)
		if err != nil {
			return err
		}
		for _, b := range bodies {
			in, err := loadIntent(b)
			if err != nil {
				return err
			}
			all = append(all, in)
		}
		return nil
	})
	return all, err
}

// Archived, AddArchived and DropArchived make it a disk.Shelf, too.
func (l intents) Archived() (all []disk.Archived, err error) {
	err = l.e.node.db.View(l.e.ctx, func(t *db.Tx) error {
		rows, err := t.Archived(l.e.n)
		for _, r := range rows {
			all = append(all, disk.Archived{Name: r.Name, Path: r.Row.Path, Ident: r.Row.Ident, Added: r.Added, Size: r.Row.Size,
				Hash: r.Row.Hash, Caps: r.Row.Caps, Dots: r.Row.Dots})
		}
		return err
	})
	return all, err
}

func (l intents) AddArchived(all []disk.Archived) error {
	return l.e.node.db.Update(l.e.ctx, func(t *db.Tx) error {
		l.e.shelved.Store(true)
		for i := range all {
			if err := t.AddArchived(l.e.n, l.row(&all[i])); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l intents) DropArchived(names []string) error {
	return l.e.node.db.Update(l.e.ctx, func(t *db.Tx) error {
		for _, name := range names {
			if err := t.DropArchived(l.e.n, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// row is the row of a file that comes to the archive now.
func (l intents) row(a *disk.Archived) *db.Archived {
	r := archivedRow(a)
	r.Aged = l.e.node.ages.now()
	return r
}

func archivedRow(a *disk.Archived) *db.Archived {
	return &db.Archived{Name: a.Name, Added: a.Added, Row: index.Base{Path: a.Path, Ident: a.Ident, Size: a.Size, Hash: a.Hash, Caps: a.Caps, Dots: a.Dots}}
}
