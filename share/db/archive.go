package db

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"shoal/share/index"
)

// rowText is a row of B outside its table.
type rowText struct {
	Path, Natural string
	Type          index.Type
	Dots          []byte
	MTime         int64
	Mode          uint32
	HasMode       bool
	Size          int64
	Hash          []byte `json:",omitempty"`
	Caps          []byte `json:",omitempty"`
	Value         []byte `json:",omitempty"`
	Present, XDev bool
	Local         bool
	Ident         index.Ident
}

// EncodeBase is a row of B as bytes.
func EncodeBase(b *index.Base) []byte {
	r := rowText{b.Path, b.Natural, b.Type, encodeDots(b.Dots), b.MTime, b.Mode, b.HasMode, b.Size, nil, encodeCaps(b.Caps), b.Value, b.Present, b.XDev, b.Local, b.Ident}
	if b.Hash != [32]byte{} {
		r.Hash = b.Hash[:]
	}
	out, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers, bytes and texts
	}
	return out
}

// DecodeBase is the row that EncodeBase was given.
func DecodeBase(in []byte) (*index.Base, error) {
	var r rowText
	if err := json.Unmarshal(in, &r); err != nil {
		return nil, err
	}
	if len(r.Hash) != 0 && len(r.Hash) != 32 {
		return nil, fmt.Errorf("a hash of %d bytes", len(r.Hash))
	}
	b := &index.Base{Path: r.Path, Natural: r.Natural, Type: r.Type, MTime: r.MTime, Mode: r.Mode, HasMode: r.HasMode, Size: r.Size,
		Value: r.Value, Present: r.Present, XDev: r.XDev, Local: r.Local, Ident: r.Ident}
	copy(b.Hash[:], r.Hash)
	var err error
	if b.Dots, err = decodeDots(r.Dots); err != nil {
		return nil, err
	}
	b.Caps, err = decodeCaps(r.Caps)
	return b, err
}

// PutIntent keeps what is about to be done to a path; DropIntent forgets it.
func (t *Tx) PutIntent(n int64, path string, body []byte) error {
	return t.exec("INSERT OR REPLACE INTO intent(share, path, body) VALUES(?, ?, ?)", n, path, body)
}

// DropIntent forgets what was about to be done to a path.
func (t *Tx) DropIntent(n int64, path string) error {
	return t.exec("DELETE FROM intent WHERE share = ? AND path = ?", n, path)
}

// Intents are the bodies of all.
func (t *Tx) Intents(n int64) (all [][]byte, err error) {
	err = t.each("SELECT body FROM intent WHERE share = ? ORDER BY path", []any{n}, func(r *sql.Rows) error {
		var b []byte
		err := r.Scan(&b)
		all = append(all, b)
		return err
	})
	return all, err
}

// Archived is a file in the archive: its name there, since when, and the row that it had, with its identity now.
type Archived struct {
	Name  string
	Added time.Time
	Aged  time.Time // the same by the clock of ages; zero = not known
	Row   index.Base
}

// AddArchived adds a file to the archive.
func (t *Tx) AddArchived(n int64, a *Archived) error {
	b, i := &a.Row, &a.Row.Ident
	return t.exec("INSERT OR REPLACE INTO archive(share, name, path, size, added, hash, caps, dots, aged, isize, imtime, ictime, inode, dev, imode) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n, a.Name, b.Path, b.Size, unix(a.Added), hashOrNull(b.Hash), encodeCaps(b.Caps), encodeDots(b.Dots), unix(a.Aged), i.Size, i.MTime, i.CTime, int64(i.Inode), int64(i.Dev), int64(i.Mode))
}

// DropArchived forgets a file of the archive.
func (t *Tx) DropArchived(n int64, name string) error {
	return t.exec("DELETE FROM archive WHERE share = ? AND name = ?", n, name)
}

// Archived are the files in the archive, the oldest first.
func (t *Tx) Archived(n int64) ([]Archived, error) { return t.archived("", "", n) }

// ArchivedAt are those that were at a path or below it.
func (t *Tx) ArchivedAt(n int64, path string) ([]Archived, error) {
	if path == "" {
		return t.Archived(n)
	}
	return t.archived("INDEXED BY archive_path", "AND (path = ? OR path >= ? AND path < ?) ", n, path, path+"/", path+"0")
}

// ArchivedByCap are those whose content is what a cap with that id gives.
func (t *Tx) ArchivedByCap(n int64, id []byte) ([]Archived, error) {
	return t.archived("INDEXED BY archive_cap", "AND caps IS NOT NULL AND substr(caps, 1, 32) = ? ", n, id)
}

func (t *Tx) archived(by, where string, args ...any) (all []Archived, err error) {
	err = t.each("SELECT name, path, size, added, aged, hash, caps, dots, isize, imtime, ictime, inode, dev, imode FROM archive "+by+" WHERE share = ? "+where+"ORDER BY added, name", args, func(r *sql.Rows) error {
		var a Archived
		var added, aged, inode, dev, mode int64
		var hash, caps, dots []byte
		b, i := &a.Row, &a.Row.Ident
		if err := r.Scan(&a.Name, &b.Path, &b.Size, &added, &aged, &hash, &caps, &dots, &i.Size, &i.MTime, &i.CTime, &inode, &dev, &mode); err != nil {
			return err
		}
		a.Added, a.Aged = fromUnix(added), fromUnix(aged)
		copy(b.Hash[:], hash)
		i.Inode, i.Dev, i.Mode = uint64(inode), uint64(dev), uint32(mode)
		if b.Caps, err = decodeCaps(caps); err != nil {
			return err
		}
		if b.Dots, err = decodeDots(dots); err != nil {
			return err
		}
		b.Natural, b.Type, b.Present = b.Path, index.File, true
		all = append(all, a)
		return nil
	})
	return all, err
}
