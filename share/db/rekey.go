package db

import (
	"database/sql"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
)

// rekeyTables are what a node knows of epochs that it has left, and of who may go on (docs/shares.md §9).
const rekeyTables = `
ALTER TABLE share ADD COLUMN moving INTEGER NOT NULL DEFAULT 0; -- the state is of an epoch before that of the token

CREATE TABLE moved(                      -- epochs that are over
	share INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	id    BLOB NOT NULL,                  -- of the MOVED that says so; '' = it has not come yet
	at    INTEGER NOT NULL,               -- since when it is known, by the clock of ages
	twice INTEGER NOT NULL DEFAULT 0,     -- another MOVED leads to the same epoch
	PRIMARY KEY(share, epoch)
) WITHOUT ROWID;
CREATE TABLE member(                     -- nodes that an admin ever saw listed
	share   INTEGER NOT NULL,
	pk      BLOB NOT NULL,
	record  BLOB NOT NULL,                -- one value of its entry: there may be several
	removed INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY(share, pk, record)
) WITHOUT ROWID;
CREATE TABLE owed(                       -- own removals of entries that the present epoch does not know
	share   INTEGER NOT NULL,
	meta    INTEGER NOT NULL,
	path    TEXT NOT NULL,
	writer  BLOB NOT NULL,
	counter INTEGER NOT NULL,
	PRIMARY KEY(share, meta, path, writer, counter)
) WITHOUT ROWID;
`

// SetMoving records whether the state of a share is of an earlier epoch than its token.
func (t *Tx) SetMoving(n int64, moving bool) error {
	return t.exec("UPDATE share SET moving = ? WHERE n = ?", moving, n)
}

// An Ended is an epoch that is over.
type Ended struct {
	Epoch uint16
	Moved *blob.ID  // the MOVED that says so; nil = it has not come yet
	At    time.Time // since when it is known, by the clock of ages
	Twice bool      // another MOVED leads to the same epoch
}

// PutEnded records that an epoch is over. A MOVED that is known stays.
func (t *Tx) PutEnded(n int64, e *Ended) error {
	id := []byte{}
	if e.Moved != nil {
		id = e.Moved[:]
	}
	return t.exec("INSERT INTO moved(share, epoch, id, at, twice) VALUES(?, ?, ?, ?, ?) ON CONFLICT(share, epoch) DO UPDATE SET twice = max(twice, excluded.twice), id = CASE WHEN id = x'' THEN excluded.id ELSE id END",
		n, int64(e.Epoch), id, unix(e.At), e.Twice)
}

// Ended are the epochs of a share that are over, the first one first.
func (t *Tx) Ended(n int64) (all []Ended, err error) {
	err = t.each("SELECT epoch, id, at, twice FROM moved WHERE share = ? ORDER BY epoch", []any{n}, func(r *sql.Rows) error {
		var e Ended
		var epoch, at int64
		var id []byte
		if err := r.Scan(&epoch, &id, &at, &e.Twice); err != nil {
			return err
		}
		e.Epoch, e.At = uint16(epoch), fromUnix(at)
		if len(id) > 0 {
			moved, err := toID(id)
			if err != nil {
				return err
			}
			e.Moved = &moved
		}
		all = append(all, e)
		return nil
	})
	return all, err
}

// DropEnded forgets an epoch that is over.
func (t *Tx) DropEnded(n int64, epoch uint16) error {
	return t.exec("DELETE FROM moved WHERE share = ? AND epoch = ?", n, int64(epoch))
}

// A Seen is what this node, an admin, once saw a node listed as.
type Seen struct {
	PK      [32]byte
	Record  []byte // the value of its entry
	Removed bool   // it was removed since
}

// maxSeen is how many records of members are kept.
const maxSeen = 16384

// PutSeen records what a node is listed as, unless that is known, or there are too many.
func (t *Tx) PutSeen(n int64, pk [32]byte, record []byte) error {
	return t.exec("INSERT INTO member(share, pk, record) SELECT ?, ?, ? WHERE (SELECT count(*) FROM member WHERE share = ?) < ? ON CONFLICT DO NOTHING", n, pk[:], record, n, maxSeen)
}

// SetRemoved records that a node was removed, or that it was let in again.
func (t *Tx) SetRemoved(n int64, pk [32]byte, removed bool) error {
	return t.exec("UPDATE member SET removed = ? WHERE share = ? AND pk = ?", removed, n, pk[:])
}

// Seen is all that nodes were ever listed as.
func (t *Tx) Seen(n int64) (all []Seen, err error) {
	err = t.each("SELECT pk, record, removed FROM member WHERE share = ? ORDER BY pk, record", []any{n}, func(r *sql.Rows) error {
		var s Seen
		var pk []byte
		if err := r.Scan(&pk, &s.Record, &s.Removed); err != nil || len(pk) != 32 {
			return err
		}
		s.PK = [32]byte(pk)
		all = append(all, s)
		return nil
	})
	return all, err
}

// AddOwed records removals that are to be repeated; PayOwed that one has been, or need not be.
func (t *Tx) AddOwed(n int64, all ...index.Owed) error {
	for i := range all {
		o := &all[i]
		if err := t.exec("INSERT INTO owed(share, meta, path, writer, counter) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			n, o.Meta, o.Path, o.Dot.Writer[:], int64(o.Dot.Counter)); err != nil {
			return err
		}
	}
	return nil
}

// PayOwed forgets a removal that was to be repeated.
func (t *Tx) PayOwed(n int64, o *index.Owed) error {
	return t.exec("DELETE FROM owed WHERE share = ? AND meta = ? AND path = ? AND writer = ? AND counter = ?", n, o.Meta, o.Path, o.Dot.Writer[:], int64(o.Dot.Counter))
}

// Owed are the removals that are to be repeated.
func (t *Tx) Owed(n int64) (all []index.Owed, err error) {
	err = t.each("SELECT meta, path, writer, counter FROM owed WHERE share = ? ORDER BY meta, path, writer, counter", []any{n}, func(r *sql.Rows) error {
		var o index.Owed
		var w []byte
		var c int64
		if err := r.Scan(&o.Meta, &o.Path, &w, &c); err != nil || len(w) != 8 {
			return err
		}
		o.Dot = index.Dot{Writer: index.Writer(w), Counter: uint64(c)}
		all = append(all, o)
		return nil
	})
	return all, err
}

// Records gives the whole journal.
func (t *Tx) Records(n int64, f func(*Record) error) error {
	return t.each("SELECT writer, counter, meta, added_at, added, ids, removed_at, removed FROM journal WHERE share = ? ORDER BY writer, counter", []any{n}, func(r *sql.Rows) error {
		var rec Record
		var w, ids, removed []byte
		var c int64
		if err := r.Scan(&w, &c, &rec.Meta, &rec.AddedAt, &rec.Added, &ids, &rec.RemovedAt, &removed); err != nil || len(w) != 8 {
			return err
		}
		rec.Writer, rec.Counter = index.Writer(w), uint64(c)
		var err error
		if rec.Removed, err = decodeDots(removed); err != nil {
			return err
		}
		for ; len(ids) >= 32; ids = ids[32:] {
			rec.IDs = append(rec.IDs, blob.ID(ids[:32]))
		}
		return f(&rec)
	})
}
