package db

import (
	"database/sql"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"shoal/share/blob"
	"shoal/share/index"
)

// Flags of a base row.
const (
	basePresent = 1 << iota
	baseXDev
	baseLocal
)

const baseColumns = "dir, name, natural, type, dots, mtime, mode, size, hash, caps, value, flags, isize, imtime, ictime, inode, dev, imode"

// split is the directory of a path and its name in there; both are "" for the root.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// PutBase sets the row of a path.
func (t *Tx) PutBase(n int64, b *index.Base) error {
	dir, name := split(b.Path)
	var natural any
	if b.Natural != b.Path {
		natural = b.Natural
	}
	mode := int64(-1)
	if b.HasMode {
		mode = int64(b.Mode)
	}
	flags := 0
	if b.Present {
		flags |= basePresent
	}
	if b.XDev {
		flags |= baseXDev
	}
	if b.Local {
		flags |= baseLocal
	}
	i := &b.Ident
	return t.exec("INSERT OR REPLACE INTO base(share, "+baseColumns+") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n, dir, name, natural, int64(b.Type), encodeDots(b.Dots), b.MTime, mode, b.Size, hashOrNull(b.Hash), encodeCaps(b.Caps), b.Value, flags,
		i.Size, i.MTime, i.CTime, int64(i.Inode), int64(i.Dev), int64(i.Mode))
}

// DropBase removes the row of a path, if there is one.
func (t *Tx) DropBase(n int64, path string) error {
	dir, name := split(path)
	return t.exec("DELETE FROM base WHERE share = ? AND dir = ? AND name = ?", n, dir, name)
}

func scanBase(r *sql.Rows, b *index.Base) error {
	var dir, name string
	var natural sql.NullString
	var typ, mode, flags, inode, dev, imode int64
	var dots, hash, caps []byte
	i := &b.Ident
	if err := r.Scan(&dir, &name, &natural, &typ, &dots, &b.MTime, &mode, &b.Size, &hash, &caps, &b.Value, &flags,
		&i.Size, &i.MTime, &i.CTime, &inode, &dev, &imode); err != nil {
		return err
	}
	b.Path = index.PathOf(dir, name)
	b.Natural = b.Path
	if natural.Valid {
		b.Natural = natural.String
	}
	if hash != nil && len(hash) != 32 {
		return fmt.Errorf("a hash of %d bytes", len(hash))
	}
	copy(b.Hash[:], hash)
	b.Type, b.HasMode = index.Type(typ), mode >= 0
	if b.HasMode {
		b.Mode = uint32(mode) & uint32(fs.ModePerm)
	}
	b.Present, b.XDev, b.Local = flags&basePresent != 0, flags&baseXDev != 0, flags&baseLocal != 0
	i.Inode, i.Dev, i.Mode = uint64(inode), uint64(dev), uint32(imode)
	var err error
	if b.Dots, err = decodeDots(dots); err != nil {
		return err
	}
	b.Caps, err = decodeCaps(caps)
	return err
}

// bases are the rows that q says. Without statistics SQLite guesses that the primary key is as good as any other index, so
// that index names the one to use.
func (t *Tx) bases(by, q string, args ...any) (all []index.Base, err error) {
	err = t.each("SELECT "+baseColumns+" FROM base "+by+" WHERE share = ? "+q, args, func(r *sql.Rows) error {
		var b index.Base
		if err := scanBase(r, &b); err != nil {
			return err
		}
		all = append(all, b)
		return nil
	})
	return all, err
}

// atMost ends a query after so many rows. The number stands in the query: SQLite plans anew for each value of a parameter
// there.
func atMost(limit int) string { return " LIMIT " + strconv.Itoa(limit) }

// Base is the row of a path, or nil.
func (t *Tx) Base(n int64, path string) (*index.Base, error) {
	dir, name := split(path)
	all, err := t.bases("", "AND dir = ? AND name = ?", n, dir, name)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Children are the rows of a directory, by name in the order of bytes.
func (t *Tx) Children(n int64, dir string) ([]index.Base, error) {
	all, err := t.bases("", "AND dir = ? ORDER BY name", n, dir)
	if dir == "" { // the root itself would stand as "" in ""
		all = without(all, "")
	}
	return all, err
}

func without(all []index.Base, path string) []index.Base {
	for i := range all {
		if all[i].Path == path {
			return append(all[:i:i], all[i+1:]...)
		}
	}
	return all
}

// Under calls f for every row below a directory ("" = all), parents not always before children.
func (t *Tx) Under(n int64, dir string, f func(*index.Base) error) error {
	q, args := "", []any{n}
	if dir != "" {
		q, args = "AND (dir = ? OR dir >= ? AND dir < ?)", []any{n, dir, dir + "/", dir + "0"} // "0" follows "/"
	}
	return t.each("SELECT "+baseColumns+" FROM base WHERE share = ? "+q, args, func(r *sql.Rows) error {
		var b index.Base
		if err := scanBase(r, &b); err != nil {
			return err
		}
		return f(&b)
	})
}

// Dirs are the rows of directories that are present.
func (t *Tx) Dirs(n int64) ([]index.Base, error) {
	return t.bases("", "AND type = ? AND flags & 1", n, int64(index.Dir))
}

// ShownOf are the rows that show entries of a natural path: its own, and conflict copies.
func (t *Tx) ShownOf(n int64, natural string) ([]index.Base, error) {
	all, err := t.bases("INDEXED BY base_natural", "AND natural = ? ORDER BY dir, name", n, natural)
	if err != nil {
		return nil, err
	}
	own, err := t.Base(n, natural)
	if err != nil || own == nil || own.Natural != natural {
		return all, err
	}
	return append([]index.Base{*own}, all...), nil
}

// AnyConflict reports whether a row shows an entry under another path than its natural one.
func (t *Tx) AnyConflict(n int64) (bool, error) {
	var one int
	return t.one("SELECT 1 FROM base INDEXED BY base_natural WHERE share = ? AND natural IS NOT NULL LIMIT 1", []any{n}, &one)
}

// ByHash are rows of files with that content, at most limit.
func (t *Tx) ByHash(n int64, hash [32]byte, limit int) ([]index.Base, error) {
	if hash == [32]byte{} {
		return nil, nil
	}
	return t.bases("INDEXED BY base_hash", "AND hash = ?"+atMost(limit), n, hash[:])
}

// ByCap are rows whose content is what a cap with that id gives, at most limit.
func (t *Tx) ByCap(n int64, id blob.ID, limit int) ([]index.Base, error) {
	return t.bases("INDEXED BY base_cap", "AND caps IS NOT NULL AND substr(caps, 1, 32) = ?"+atMost(limit), n, id[:])
}

// ByInode are present rows with that inode, at most limit. It reads all rows of the share.
func (t *Tx) ByInode(n int64, inode uint64, limit int) ([]index.Base, error) {
	return t.bases("INDEXED BY base_inode", "AND inode = ? AND flags & 1"+atMost(limit), n, int64(inode))
}

// CountBase is how many files are present and how many bytes they have, by the index.
func (t *Tx) CountBase(n int64) (files, bytes int64, err error) {
	_, err = t.one("SELECT count(*), coalesce(sum(size), 0) FROM base WHERE share = ? AND type = ? AND flags & 1", []any{n, int64(index.File)}, &files, &bytes)
	return files, bytes, err
}

// Locals calls f for each row that a read-only node's user changed.
func (t *Tx) Locals(n int64, f func(*index.Base) error) error {
	return t.each("SELECT "+baseColumns+" FROM base WHERE share = ? AND flags & 4 ORDER BY dir, name", []any{n}, func(r *sql.Rows) error {
		var b index.Base
		if err := scanBase(r, &b); err != nil {
			return err
		}
		return f(&b)
	})
}
