package db

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
)

// Promise records that units are held for others until a time at least (docs/shares.md §6.6). An earlier promise that lasts
// longer stays.
func (t *Tx) Promise(n int64, until time.Time, units ...[32]byte) error {
	for i := range units {
		if err := t.exec("INSERT INTO keep(share, unit, until) VALUES(?, ?, ?) ON CONFLICT(share, unit) DO UPDATE SET until = max(until, excluded.until)",
			n, units[i][:], until.Unix()+1); err != nil { // seconds are cut: a promise is never shorter than was said
			return err
		}
	}
	return nil
}

// Promised is until when a unit is promised; zero when it is not, or no longer at now.
func (t *Tx) Promised(n int64, unit [32]byte, now time.Time) (time.Time, error) {
	var until int64
	_, err := t.one("SELECT until FROM keep WHERE share = ? AND unit = ? AND until > ?", []any{n, unit[:], now.Unix()}, &until)
	return fromUnix(until), err
}

// ForgetPromises removes the promises that are over.
func (t *Tx) ForgetPromises(n int64, now time.Time) error {
	return t.exec("DELETE FROM keep WHERE share = ? AND until <= ?", n, now.Unix())
}

// BasePage is up to limit rows after a path, in an order of its own: a walk over all rows that keeps no transaction open.
// "" is the beginning.
func (t *Tx) BasePage(n int64, after string, limit int) ([]index.Base, error) {
	dir, name := split(after)
	return t.bases("", "AND (dir, name) > (?, ?) ORDER BY dir, name"+atMost(limit), n, dir, name)
}

// perQuery is how many ids are looked for at once.
const perQuery = 64

// FilesOf calls f for present rows whose content is what a cap with one of these ids gives, each with its id.
func (t *Tx) FilesOf(n int64, ids []blob.ID, f func(id blob.ID, b *index.Base)) error {
	for some := range slices.Chunk(ids, perQuery) {
		q := "AND caps IS NOT NULL AND flags & 1 AND substr(caps, 1, 32) IN (?" + strings.Repeat(", ?", perQuery-1) + ")"
		args := []any{n}
		for i := range perQuery {
			args = append(args, some[min(i, len(some)-1)][:])
		}
		rows, err := t.bases("INDEXED BY base_cap", q, args...)
		if err != nil {
			return err
		}
		for i := range rows {
			f(rows[i].Caps[0].ID, &rows[i])
		}
	}
	return nil
}

// Larges are the infos of all large files that are known, by their recipes.
func (t *Tx) Larges(n int64) (infos map[blob.ID]blob.ID, sizes map[blob.ID]int64, err error) {
	infos, sizes = map[blob.ID]blob.ID{}, map[blob.ID]int64{}
	err = t.each("SELECT info, recipe, size FROM large WHERE share = ?", []any{n}, func(r *sql.Rows) error {
		var a, b []byte
		var size int64
		if err := r.Scan(&a, &b, &size); err != nil {
			return err
		}
		info, err := toID(a)
		if err != nil {
			return err
		}
		recipe, err := toID(b)
		infos[recipe], sizes[info] = info, size
		return err
	})
	return infos, sizes, err
}

// CountLarges is how many there are, and how long they are together: it changes when they do.
func (t *Tx) CountLarges(n int64) (count, bytes int64, err error) {
	_, err = t.one("SELECT count(*), coalesce(sum(size), 0) FROM large WHERE share = ?", []any{n}, &count, &bytes)
	return count, bytes, err
}

// A KeptBlob is a blob and its bytes, nil when these are in a file.
type KeptBlob struct {
	ID    blob.ID
	Size  int64
	Bytes []byte
}

// BlobPage is up to limit blobs of a kind after one, by their ids; kind 0 = all. The zero id is the beginning.
func (t *Tx) BlobPage(n int64, kind blob.Kind, after blob.ID, limit int) (all []KeptBlob, err error) {
	end := []byte{0xff, 0xff}
	if kind != 0 {
		end = []byte{byte(kind) + 1}
		if after.IsZero() {
			after[0] = byte(kind)
		}
	}
	err = t.each("SELECT id, size, bytes FROM blob WHERE share = ? AND id > ? AND id < ? ORDER BY id"+atMost(limit), []any{n, after[:], end}, func(r *sql.Rows) error {
		var b KeptBlob
		var id []byte
		if err := r.Scan(&id, &b.Size, &b.Bytes); err != nil {
			return err
		}
		b.ID, err = toID(id)
		all = append(all, b)
		return err
	})
	return all, err
}

// ReplaceBlob keeps the right bytes of a blob whose bytes were found to be wrong.
func (t *Tx) ReplaceBlob(n int64, id blob.ID, bytes []byte) error {
	return t.exec("INSERT OR REPLACE INTO blob(share, id, size, bytes) VALUES(?, ?, ?, ?)", n, id[:], int64(len(bytes)), bytes)
}

// DropBlob forgets a blob.
func (t *Tx) DropBlob(n int64, id blob.ID) error {
	return t.exec("DELETE FROM blob WHERE share = ? AND id = ?", n, id[:])
}

// AnyArchived reports whether there is something in the archive.
func (t *Tx) AnyArchived(n int64) (bool, error) {
	var one int
	return t.one("SELECT 1 FROM archive WHERE share = ? LIMIT 1", []any{n}, &one)
}
