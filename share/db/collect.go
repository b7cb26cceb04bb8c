package db

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"shoal/share/blob"
)

// upkeepTables are what keeping a node clean needs (docs/shares.md §6.4).
const upkeepTables = `
ALTER TABLE archive ADD COLUMN aged INTEGER NOT NULL DEFAULT 0;     -- added, by the clock of ages; 0 = not known
ALTER TABLE share ADD COLUMN policy BLOB NOT NULL DEFAULT x'';     -- the one with the highest seq that was seen

CREATE TABLE volume(                     -- the largest size of a share on a day
	share INTEGER NOT NULL,
	day   INTEGER NOT NULL,               -- of the clock of ages
	bytes INTEGER NOT NULL,
	PRIMARY KEY(share, day)
) WITHOUT ROWID;

CREATE TABLE data(                       -- torrents of large files whose pieces are, or may be, on this machine
	n     INTEGER PRIMARY KEY AUTOINCREMENT,
	share INTEGER NOT NULL,
	info  BLOB NOT NULL,
	hash  BLOB NOT NULL,                  -- infohash: the name of a store's file
	state INTEGER NOT NULL,
	bytes INTEGER NOT NULL DEFAULT 0,     -- of a store: those of pieces in its own file
	UNIQUE(share, info)
);
CREATE TABLE piece(                      -- where the pieces of a SHA-1 are
	sum  INTEGER NOT NULL,                -- its first 8 bytes; what is found is verified
	data INTEGER NOT NULL,
	i    INTEGER NOT NULL,
	PRIMARY KEY(sum, data, i)
) WITHOUT ROWID;
`

// touches are the blobs that somebody looked for while a collection runs: those were found present, and stay.
type touches struct {
	on atomic.Bool

	mu  sync.Mutex // guards ids
	ids map[Touched]struct{}
}

// Touched is a blob of a share that somebody looked for.
type Touched struct {
	Share int64
	ID    blob.ID
}

func (d *DB) touch(n int64, id blob.ID) {
	if !d.touched.on.Load() {
		return
	}
	d.touched.mu.Lock()
	defer d.touched.mu.Unlock()
	if d.touched.ids != nil {
		d.touched.ids[Touched{n, id}] = struct{}{}
	}
}

// Watch notes from now on which blobs are looked for, until stop is called. One watch runs at a time.
func (d *DB) Watch() (stop func()) {
	d.touched.mu.Lock()
	d.touched.ids = map[Touched]struct{}{}
	d.touched.mu.Unlock()
	d.touched.on.Store(true)
	return func() {
		d.touched.on.Store(false)
		d.touched.mu.Lock()
		d.touched.ids = nil
		d.touched.mu.Unlock()
	}
}

// Touches are the blobs that were looked for since the watch began, or since it was asked last.
func (d *DB) Touches() (all []Touched) {
	d.touched.mu.Lock()
	defer d.touched.mu.Unlock()
	for k := range d.touched.ids {
		all = append(all, k)
	}
	clear(d.touched.ids)
	return all
}

// ErrCrowded is Alone giving up: somebody reads for long.
var ErrCrowded = errors.New("somebody else reads the database for long")

// patience is how long Alone waits for those who read.
const patience = 2 * time.Second

// Alone runs f in a transaction that may write, while nobody reads: whoever looks for a blob has either noted it before, or
// sees what f did. f must be short. When others read for too long it is ErrCrowded, and f was not called.
func (d *DB) Alone(ctx context.Context, f func(*Tx) error) error {
	return d.Update(ctx, func(t *Tx) error {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		for range maxReaders {
			select {
			case d.reading <- struct{}{}:
				defer func() { <-d.reading }()
			case <-timer.C:
				return ErrCrowded
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return f(t)
	})
}

// Peek is the bytes of a blob, nil when it is not here or in a file; it does not count as looking for it.
func (t *Tx) Peek(n int64, id blob.ID) (b []byte, err error) {
	_, err = t.one("SELECT bytes FROM blob WHERE share = ? AND id = ?", []any{n, id[:]}, &b)
	return b, err
}

// BlobIDs are up to limit ids after one, in their order, and whether each is in a file. The zero id is the beginning.
func (t *Tx) BlobIDs(n int64, after blob.ID, limit int) (ids []blob.ID, inFile []bool, err error) {
	err = t.each("SELECT id, bytes IS NULL FROM blob WHERE share = ? AND id > ? ORDER BY id LIMIT ?", []any{n, after[:], limit}, func(r *sql.Rows) error {
		var b []byte
		var file bool
		if err := r.Scan(&b, &file); err != nil {
			return err
		}
		id, err := toID(b)
		ids, inFile = append(ids, id), append(inFile, file)
		return err
	})
	return ids, inFile, err
}

// BlobBytes is how many bytes all blobs of a share have.
func (t *Tx) BlobBytes(n int64) (bytes int64, err error) {
	_, err = t.one("SELECT coalesce(sum(size), 0) FROM blob WHERE share = ?", []any{n}, &bytes)
	return bytes, err
}

// Recipes are the ids of the recipes of large files on disk and in the archive.
func (t *Tx) Recipes(n int64, f func(blob.ID) error) error {
	for _, q := range []string{
		"SELECT substr(caps, 1, 32) FROM base WHERE share = ? AND caps IS NOT NULL AND size > ?",
		"SELECT substr(caps, 1, 32) FROM archive WHERE share = ? AND caps IS NOT NULL AND size > ?",
	} {
		if err := t.each(q, []any{n, blob.Small}, func(r *sql.Rows) error {
			var b []byte
			if err := r.Scan(&b); err != nil {
				return err
			}
			id, err := toID(b)
			if err != nil {
				return err
			}
			return f(id)
		}); err != nil {
			return err
		}
	}
	return nil
}

// DropLarge forgets which recipe an info belongs to.
func (t *Tx) DropLarge(n int64, info blob.ID) error {
	return t.exec("DELETE FROM large WHERE share = ? AND info = ?", n, info[:])
}

// Mounts are the directories where another device begins.
func (t *Tx) Mounts(n int64) (dirs []string, err error) {
	rows, err := t.bases("", "AND flags & 2", n)
	for i := range rows {
		dirs = append(dirs, rows[i].Path)
	}
	return dirs, err
}

// NoteVolume records that the share was that large on a day; the days before first are forgotten.
func (t *Tx) NoteVolume(n, day, first, bytes int64) error {
	if err := t.exec("DELETE FROM volume WHERE share = ? AND day < ?", n, first); err != nil {
		return err
	}
	return t.exec("INSERT INTO volume(share, day, bytes) VALUES(?, ?, ?) ON CONFLICT(share, day) DO UPDATE SET bytes = max(bytes, excluded.bytes)", n, day, bytes)
}

// Volume is the largest size of a share on the days that are known.
func (t *Tx) Volume(n int64) (bytes int64, err error) {
	_, err = t.one("SELECT coalesce(max(bytes), 0) FROM volume WHERE share = ?", []any{n}, &bytes)
	return bytes, err
}

// Policy is the signed policy that was kept; nil when there is none. SetPolicy keeps one.
func (t *Tx) Policy(n int64) (b []byte, err error) {
	_, err = t.one("SELECT policy FROM share WHERE n = ?", []any{n}, &b)
	return b, err
}

// SetPolicy keeps a signed policy.
func (t *Tx) SetPolicy(n int64, b []byte) error {
	return t.exec("UPDATE share SET policy = ? WHERE n = ?", notNil(b), n)
}

// ArchiveBytes is how many bytes the archive has.
func (t *Tx) ArchiveBytes(n int64) (bytes int64, err error) {
	_, err = t.one("SELECT coalesce(sum(size), 0) FROM archive WHERE share = ?", []any{n}, &bytes)
	return bytes, err
}
