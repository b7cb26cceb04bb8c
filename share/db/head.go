package db

import (
	"database/sql"
	"fmt"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
)

// A Head is a kept head of a share. Its blob is in the table of blobs.
type Head struct {
	ID         blob.ID
	Epoch      uint16
	Writer     index.Writer
	Ctx        index.Context
	Root       blob.ID
	Complete   bool // every index blob below it is here
	Mine       bool
	Merged     bool // it is in the state
	Received   time.Time
	Superseded time.Time // zero, or since when a complete head dominates it
}

// PutHead adds a head, or changes what is known of it.
func (t *Tx) PutHead(n int64, h *Head) error {
	return t.exec("INSERT OR REPLACE INTO head(share, id, epoch, writer, ctx, root, complete, mine, merged, received, superseded) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n, h.ID[:], int64(h.Epoch), h.Writer[:], encodeCtx(h.Ctx), h.Root[:], h.Complete, h.Mine, h.Merged, unix(h.Received), unix(h.Superseded))
}

func unix(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

func fromUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// Heads are all kept heads, in the order in which they came.
func (t *Tx) Heads(n int64) (all []Head, err error) {
	err = t.each("SELECT id, epoch, writer, ctx, root, complete, mine, merged, received, superseded FROM head WHERE share = ? ORDER BY received, id", []any{n}, func(r *sql.Rows) error {
		var h Head
		var id, writer, ctx, root []byte
		var epoch, received, superseded int64
		if err := r.Scan(&id, &epoch, &writer, &ctx, &root, &h.Complete, &h.Mine, &h.Merged, &received, &superseded); err != nil {
			return err
		}
		if len(writer) != 8 {
			return fmt.Errorf("a writer of %d bytes", len(writer))
		}
		h.Epoch, h.Writer, h.Received, h.Superseded = uint16(epoch), index.Writer(writer), fromUnix(received), fromUnix(superseded)
		if h.ID, err = toID(id); err != nil {
			return err
		}
		if h.Root, err = toID(root); err != nil {
			return err
		}
		if h.Ctx, err = decodeCtx(ctx); err != nil {
			return err
		}
		all = append(all, h)
		return nil
	})
	return all, err
}

// DropHead forgets a head; its blob goes with the next collection.
func (t *Tx) DropHead(n int64, id blob.ID) error {
	return t.exec("DELETE FROM head WHERE share = ? AND id = ?", n, id[:])
}

// Sign records that this node signed a head; HasSigned reports whether it did.
func (t *Tx) Sign(n int64, id blob.ID) error {
	return t.exec("INSERT INTO signed(share, id) VALUES(?, ?) ON CONFLICT DO NOTHING", n, id[:])
}

// HasSigned reports whether this node signed a head.
func (t *Tx) HasSigned(n int64, id blob.ID) (bool, error) {
	var one int
	return t.one("SELECT 1 FROM signed WHERE share = ? AND id = ?", []any{n, id[:]}, &one)
}

// PutBlob keeps a blob that peers of the share may ask for. Bytes nil says that it is in a file, size bytes long.
func (t *Tx) PutBlob(n int64, id blob.ID, bytes []byte, size int64) error {
	t.db.touch(n, id)
	return t.exec("INSERT INTO blob(share, id, size, bytes) VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING", n, id[:], size, bytes)
}

// Blob is a kept blob: its bytes (nil when they are in a file) and whether there is one.
func (t *Tx) Blob(n int64, id blob.ID) (b []byte, ok bool, err error) {
	t.db.touch(n, id)
	ok, err = t.one("SELECT bytes FROM blob WHERE share = ? AND id = ?", []any{n, id[:]}, &b)
	return b, ok, err
}

// HasBlob reports whether a blob is kept.
func (t *Tx) HasBlob(n int64, id blob.ID) (bool, error) {
	var one int
	t.db.touch(n, id)
	return t.one("SELECT 1 FROM blob WHERE share = ? AND id = ?", []any{n, id[:]}, &one)
}

// CountBlobs is how many blobs of a kind are kept, and their bytes.
func (t *Tx) CountBlobs(n int64, kind blob.Kind) (count, bytes int64, err error) {
	_, err = t.one("SELECT count(*), coalesce(sum(size), 0) FROM blob WHERE share = ? AND id >= ? AND id < ?",
		[]any{n, []byte{byte(kind)}, []byte{byte(kind) + 1}}, &count, &bytes)
	return count, bytes, err
}

// PutLarge records which recipe the torrent of an info belongs to, and the size of its file in bytes.
func (t *Tx) PutLarge(n int64, info, recipe blob.ID, size int64) error {
	return t.exec("INSERT OR REPLACE INTO large(share, info, recipe, size) VALUES(?, ?, ?, ?)", n, info[:], recipe[:], size)
}

// Large is the recipe of an info's torrent.
func (t *Tx) Large(n int64, info blob.ID) (recipe blob.ID, ok bool, err error) {
	var b []byte
	if ok, err = t.one("SELECT recipe FROM large WHERE share = ? AND info = ?", []any{n, info[:]}, &b); !ok {
		return recipe, false, err
	}
	recipe, err = toID(b)
	return recipe, true, err
}
