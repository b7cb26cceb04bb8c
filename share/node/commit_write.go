package node

import (
	"errors"
	"path"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/disk"
	"shoal/share/index"
)

// changes is what a batch of findings comes to.
type changes struct {
	events []index.Event
	rows   []*found        // of events, in their order: the dot of an added entry goes there; nil of removals
	put    []*found        // rows to write
	drop   []string        // rows that go
	todo   []string        // natural paths where what is shown may change beyond the finding itself
	above  map[string]bool // directories that were looked at for that
}

// write commits the batch as events of this writer.
func (c *commit) write() error {
	e := c.e
	ch := changes{above: map[string]bool{}}
	for i := range c.batch {
		if f := &c.batch[i]; !f.skip {
			if err := c.change(f, &ch); err != nil {
				return err
			}
		}
	}
	w, counter := e.row.Writer, e.row.Counter
	if len(ch.events) > 0 && !e.node.continuity.Proven(e.token.Share, w, counter) {
		// Somebody else may have gone on under the old id: a backup, a clone (docs/shares.md §4.2).
		w, counter = e.freshWriter(), 0
	}
	state, journal, err := index.Commit(e.forest, e.row.State, w, ch.events)
	if err != nil {
		e.blobs.written()
		return err
	}
	counter += uint64(len(journal))
	for i, f := range ch.rows {
		if f != nil {
			f.row.Dots = []index.Dot{journal[i].Dot}
		}
	}
	err = e.node.db.Update(e.ctx, func(t *db.Tx) error {
		if err := c.store(t, &ch, journal); err != nil {
			return err
		}
		return t.SetState(e.n, state, w, counter)
	})
	e.blobs.written()
	if err != nil {
		return err
	}
	e.row.State, e.row.Writer, e.row.Counter = state, w, counter
	e.plan.again = e.plan.again || len(ch.todo) > 0
	if len(journal) > 0 {
		e.node.continuity.Record(e.token.Share, w, counter)
	}
	return nil
}

// store writes what a batch changes, but the state.
func (c *commit) store(t *db.Tx, ch *changes, journal []index.JournalEvent) error {
	e := c.e
	if err := e.blobs.flush(t); err != nil {
		return err
	}
	for _, p := range ch.drop {
		if err := t.DropBase(e.n, p); err != nil {
			return err
		}
	}
	for _, f := range ch.put {
		if err := t.PutBase(e.n, &f.row); err != nil {
			return err
		}
		if f.content.Large != nil {
			if err := e.storeLarge(t, &f.content); err != nil {
				return err
			}
		}
	}
	for i := range journal {
		if err := e.record(t, &journal[i]); err != nil {
			return err
		}
	}
	e.plan.again = e.plan.again || len(ch.todo) > 0
	return t.AddTodo(e.n, ch.todo...)
}

// storeLarge keeps the recipe and the info of a large file; the file itself is on disk.
func (e *engine) storeLarge(t *db.Tx, c *blob.Content) error {
	for _, b := range c.Blobs {
		if err := t.PutBlob(e.n, b.ID, b.Bytes, int64(len(b.Bytes))); err != nil {
			return err
		}
	}
	if err := e.chunksOf(t, &c.Large.Torrent); err != nil {
		return err
	}
	return t.PutLarge(e.n, c.Large.Info, c.Cap.ID, c.Size)
}

// change works out what a finding means.
func (c *commit) change(f *found, ch *changes) error {
	b := f.Base
	if f.Kind == disk.Deleted {
		ch.drop = append(ch.drop, f.Path)
		if len(b.Dots) == 0 {
			return nil
		}
		ch.events = append(ch.events, index.Event{RemoveAt: b.Natural, Remove: b.Dots})
		ch.rows = append(ch.rows, nil)
		return c.others(ch, b.Natural, b.Type, len(b.Dots))
	}
	c.describe(f)
	ch.put = append(ch.put, f)
	if !f.News(f.row) {
		f.row.Dots, f.row.Natural, f.row.Caps = b.Dots, b.Natural, b.Caps
		return nil
	}
	set, err := c.e.forest.Find(c.e.row.State.Root.Files, f.Path)
	if err != nil {
		return err
	}
	ev := index.Event{AddAt: f.Path, Add: entryOf(&f.row)}
	switch {
	case f.Kind == disk.Renamed:
		ch.drop = append(ch.drop, f.From.Path)
		ev.RemoveAt, ev.Remove = f.From.Natural, f.From.Dots
	case b != nil && b.Present:
		ev.RemoveAt, ev.Remove = b.Natural, b.Dots
	case c.adopt(f, &set):
		ch.todo = append(ch.todo, f.Path)
		return nil
	}
	ch.events, ch.rows = append(ch.events, ev), append(ch.rows, f)
	if ev.RemoveAt != "" && ev.RemoveAt != f.Path {
		ch.todo = append(ch.todo, ev.RemoveAt, f.Path)
		return errors.Join(c.directories(ch, ev.RemoveAt), c.directories(ch, f.Path))
	}
	return c.others(ch, f.Path, f.Type, len(ev.Remove))
}

// others adds a natural path to what is to do, when more lives there than an event of this type removes.
func (c *commit) others(ch *changes, natural string, y index.Type, removed int) error {
	set, err := c.e.forest.Find(c.e.row.State.Root.Files, natural)
	if err != nil {
		return err
	}
	if len(set.Entries) > removed || y != index.Dir && !set.Below.IsZero() {
		ch.todo = append(ch.todo, natural)
	}
	return c.directories(ch, natural)
}

// directories adds those above a natural path to what is to do, where one is not there by itself alone: what comes or goes
// below it may take its name from a file, or give it back, or be all that it lives by.
func (c *commit) directories(ch *changes, natural string) error {
	for d := path.Dir(natural); d != "." && !ch.above[d]; d = path.Dir(d) {
		ch.above[d] = true
		set, err := c.e.forest.Find(c.e.row.State.Root.Files, d)
		if err != nil {
			return err
		}
		if len(set.Entries) != 1 || set.Entries[0].Type != index.Dir {
			ch.todo = append(ch.todo, d)
		}
	}
	return nil
}

// describe is the row of a finding whose content is known.
func (c *commit) describe(f *found) {
	if f.hashed {
		return
	}
	from := f.Base
	if f.From != nil {
		from = f.From
	}
	var hash [32]byte
	var caps []blob.Cap
	if f.Type == index.File && from != nil {
		hash, caps = from.Hash, from.Caps
	}
	f.row = f.Row(f.Info.Ident, hash, c.now)
	f.row.Caps = caps
}

// adopt takes what is in the share already for a file that was found: no event, for nothing is new.
func (c *commit) adopt(f *found, set *index.NameSet) bool {
	var dots []index.Dot
	for _, x := range set.Entries {
		if x.Type != f.Type {
			continue
		}
		switch x.Type {
		case index.File:
			if x.Size != f.row.Size || x.Hash != f.row.Hash {
				continue
			}
			f.row.Caps = x.Caps
		case index.Symlink:
			if string(x.Value) != string(f.row.Value) {
				continue
			}
		}
		dots = append(dots, x.Dot)
	}
	f.row.Dots = dots
	return len(dots) > 0 || f.Type == index.Dir && !set.Below.IsZero() && f.row.Mode == index.ImpliedMode
}

// entryOf is the entry that says what a row says.
func entryOf(b *index.Base) *index.Entry {
	e := &index.Entry{Name: path.Base(b.Path), Type: b.Type}
	switch b.Type {
	case index.File:
		e.MTime, e.Mode, e.HasMode, e.Size, e.Hash, e.Caps = b.MTime, b.Mode, b.HasMode, b.Size, b.Hash, b.Caps
	case index.Symlink:
		e.MTime, e.Value = b.MTime, b.Value
	case index.Dir:
		e.Mode, e.HasMode = b.Mode, b.HasMode
	}
	return e
}

// keepLocal notes what the user of a read-only node did: it is no event, and stays until the index, or revert, changes
// the path.
func (c *commit) keepLocal() error {
	e := c.e
	return e.node.db.Update(e.ctx, func(t *db.Tx) error {
		for i := range c.batch {
			f := &c.batch[i]
			if f.skip {
				continue
			}
			if err := c.localRow(t, f); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *commit) localRow(t *db.Tx, f *found) error {
	e := c.e
	if f.Kind == disk.Deleted {
		row := *f.Base
		if len(row.Dots) == 0 {
			return t.DropBase(e.n, row.Path)
		}
		row.Present, row.Local = false, true
		return t.PutBase(e.n, &row)
	}
	c.describe(f)
	if f.Kind == disk.Renamed {
		from := *f.From
		from.Present, from.Local = false, true
		if err := t.PutBase(e.n, &from); err != nil {
			return err
		}
	}
	if b := f.Base; b != nil && b.Present && !f.News(f.row) {
		row := *b
		row.Ident = f.row.Ident
		return t.PutBase(e.n, &row)
	}
	set, err := e.forest.Find(e.row.State.Root.Files, f.Path)
	if err != nil {
		return err
	}
	if c.adopt(f, &set) {
		if err := t.PutBase(e.n, &f.row); err != nil {
			return err
		}
		e.plan.again = true
		return t.AddTodo(e.n, f.Path)
	}
	if b := f.Base; b != nil && len(b.Dots) > 0 && b.Type == f.Type { // edited: the row goes on saying what is shown
		row := *b
		row.Present, row.Local, row.Ident = true, true, f.row.Ident
		return t.PutBase(e.n, &row)
	}
	f.row.Dots, f.row.Local = nil, true
	return t.PutBase(e.n, &f.row)
}
