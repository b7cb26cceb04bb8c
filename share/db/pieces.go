package db

import (
	"database/sql"
	"encoding/binary"
	"fmt"

	"shoal/share/blob"
)

// A DataState is how much of a torrent a store has.
type DataState int

// The states of the data of a torrent.
const (
	DataPart  DataState = iota // some pieces may be here
	DataWhole                  // all are, in its own file or in those of others
	DataDonor                  // nobody wants it any more but for pieces that others share
	DataPlain                  // of a reader or writer: the plain file may be on disk
)

// Data is a torrent whose pieces are, or may be, on this machine.
type Data struct {
	N     int64 // what pieces call it
	Share int64
	Info  blob.ID
	Hash  [20]byte // infohash
	State DataState
	Bytes int64 // in its own file
}

const dataColumns = "n, share, info, hash, state, bytes"

func (t *Tx) data(where string, args ...any) (all []Data, err error) {
	err = t.each("SELECT "+dataColumns+" FROM data WHERE "+where, args, func(r *sql.Rows) error {
		var d Data
		var info, hash []byte
		if err := r.Scan(&d.N, &d.Share, &info, &hash, &d.State, &d.Bytes); err != nil {
			return err
		}
		if len(hash) != 20 {
			return fmt.Errorf("an infohash of %d bytes", len(hash))
		}
		d.Hash = [20]byte(hash)
		var err error
		d.Info, err = toID(info)
		all = append(all, d)
		return err
	})
	return all, err
}

// Data is the torrent of an info, or nil; DataN that of a number.
func (t *Tx) Data(n int64, info blob.ID) (*Data, error) {
	return first(t.data("share = ? AND info = ?", n, info[:]))
}

// DataN is the torrent of a number, or nil.
func (t *Tx) DataN(data int64) (*Data, error) { return first(t.data("n = ?", data)) }

func first(all []Data, err error) (*Data, error) {
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// AllData are all torrents of a share.
func (t *Tx) AllData(n int64) ([]Data, error) { return t.data("share = ? ORDER BY n", n) }

// AddData adds a torrent, and sets its N; one that is there already is taken as it is.
func (t *Tx) AddData(d *Data) error {
	old, err := t.Data(d.Share, d.Info)
	if err != nil {
		return err
	}
	if old != nil {
		*d = *old
		return nil
	}
	if err := t.exec("INSERT INTO data(share, info, hash, state, bytes) VALUES(?, ?, ?, ?, ?)", d.Share, d.Info[:], d.Hash[:], int(d.State), d.Bytes); err != nil {
		return err
	}
	_, err = t.one("SELECT last_insert_rowid()", nil, &d.N)
	return err
}

// SetData changes the state and the bytes of a torrent.
func (t *Tx) SetData(d *Data) error {
	return t.exec("UPDATE data SET state = ?, bytes = ? WHERE n = ?", int(d.State), d.Bytes, d.N)
}

// GrowData adds to the bytes that are in the own file of a torrent.
func (t *Tx) GrowData(data, bytes int64) error {
	return t.exec("UPDATE data SET bytes = max(0, bytes + ?) WHERE n = ?", bytes, data)
}

// DropData forgets a torrent; its pieces must be gone.
func (t *Tx) DropData(data int64) error { return t.exec("DELETE FROM data WHERE n = ?", data) }

// DataBytes is how many bytes the files of all torrents of a share have.
func (t *Tx) DataBytes(n int64) (bytes int64, err error) {
	_, err = t.one("SELECT coalesce(sum(bytes), 0) FROM data WHERE share = ?", []any{n}, &bytes)
	return bytes, err
}

// A Piece is where a piece is: number I of a torrent.
type Piece struct {
	Data int64
	I    int
}

// pieceKey is how the table knows a SHA-1.
func pieceKey(sum []byte) int64 { return int64(binary.BigEndian.Uint64(sum)) }

// PutPiece records that piece i of a torrent, of this SHA-1, is here.
func (t *Tx) PutPiece(sum []byte, data int64, i int) error {
	return t.exec("INSERT INTO piece(sum, data, i) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", pieceKey(sum), data, i)
}

// DropPiece forgets one.
func (t *Tx) DropPiece(sum []byte, data int64, i int) error {
	return t.exec("DELETE FROM piece WHERE sum = ? AND data = ? AND i = ?", pieceKey(sum), data, i)
}

// Pieces is where a piece of this SHA-1 may be, at most limit places.
func (t *Tx) Pieces(sum []byte, limit int) (all []Piece, err error) {
	err = t.each("SELECT data, i FROM piece WHERE sum = ? LIMIT ?", []any{pieceKey(sum), limit}, func(r *sql.Rows) error {
		var p Piece
		err := r.Scan(&p.Data, &p.I)
		all = append(all, p)
		return err
	})
	return all, err
}

// HasPiece reports whether piece i of a torrent is in its own file.
func (t *Tx) HasPiece(sum []byte, data int64, i int) (bool, error) {
	var one int
	return t.one("SELECT 1 FROM piece WHERE sum = ? AND data = ? AND i = ?", []any{pieceKey(sum), data, i}, &one)
}
