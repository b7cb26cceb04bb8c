package db

import (
	"database/sql"
	"time"

	"shoal/share/blob"
	"shoal/share/index"
)

// AddTodo records natural paths where the disk may differ from the state.
func (t *Tx) AddTodo(n int64, paths ...string) error {
	for _, p := range paths {
		if err := t.exec("INSERT INTO todo(share, path) VALUES(?, ?) ON CONFLICT DO NOTHING", n, p); err != nil {
			return err
		}
	}
	return nil
}

// Todo are up to limit such paths after one, in the order of bytes.
func (t *Tx) Todo(n int64, after string, limit int) (all []string, err error) {
	err = t.each("SELECT path FROM todo WHERE share = ? AND path > ? ORDER BY path"+atMost(limit), []any{n, after}, func(r *sql.Rows) error {
		var p string
		if err := r.Scan(&p); err != nil {
			return err
		}
		all = append(all, p)
		return nil
	})
	return all, err
}

// CountTodo is how many there are.
func (t *Tx) CountTodo(n int64) (count int64, err error) {
	_, err = t.one("SELECT count(*) FROM todo WHERE share = ?", []any{n}, &count)
	return count, err
}

// Did removes a path from what is to do.
func (t *Tx) Did(n int64, path string) error {
	return t.exec("DELETE FROM todo WHERE share = ? AND path = ?", n, path)
}

// A Record is one own event in the journal: it is kept until a peer's head has long covered it.
type Record struct {
	Writer    index.Writer
	Counter   uint64
	Meta      bool // of the tree of members and the like
	AddedAt   string
	Added     []byte // encoded entry without refs; nil when the event only removed
	IDs       []blob.ID
	RemovedAt string
	Removed   []index.Dot
}

// PutRecord adds an own event to the journal.
func (t *Tx) PutRecord(n int64, r *Record) error {
	ids := make([]byte, 0, 32*len(r.IDs))
	for _, id := range r.IDs {
		ids = append(ids, id[:]...)
	}
	return t.exec("INSERT OR REPLACE INTO journal(share, writer, counter, meta, added_at, added, ids, removed_at, removed) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n, r.Writer[:], int64(r.Counter), r.Meta, r.AddedAt, r.Added, ids, r.RemovedAt, encodeDots(r.Removed))
}

// Record is the own event of a dot, or nil.
func (t *Tx) Record(n int64, d index.Dot) (*Record, error) {
	r := &Record{Writer: d.Writer, Counter: d.Counter}
	var ids, removed []byte
	ok, err := t.one("SELECT meta, added_at, added, ids, removed_at, removed FROM journal WHERE share = ? AND writer = ? AND counter = ?",
		[]any{n, d.Writer[:], int64(d.Counter)}, &r.Meta, &r.AddedAt, &r.Added, &ids, &r.RemovedAt, &removed)
	if err != nil || !ok {
		return nil, err
	}
	if r.Removed, err = decodeDots(removed); err != nil {
		return nil, err
	}
	for ; len(ids) >= 32; ids = ids[32:] {
		r.IDs = append(r.IDs, blob.ID(ids[:32]))
	}
	return r, nil
}

// Own are the ids that this node ever wrote under in a share, with the last event of each in the journal.
func (t *Tx) Own(n int64) (index.Context, error) {
	own := index.Context{}
	err := t.each("SELECT writer, max(counter) FROM journal WHERE share = ? GROUP BY writer", []any{n}, func(r *sql.Rows) error {
		var w []byte
		var c int64
		if err := r.Scan(&w, &c); err != nil {
			return err
		}
		own[index.Writer(w)] = uint64(c)
		return nil
	})
	return own, err
}

// Cover records that a peer's head covers own events up to those of ctx, and forgets those covered since before old.
func (t *Tx) Cover(n int64, ctx index.Context, now, old time.Time) error {
	for w, c := range ctx {
		if err := t.exec("UPDATE journal SET covered = ? WHERE share = ? AND writer = ? AND counter <= ? AND covered = 0", now.Unix(), n, w[:], int64(c)); err != nil {
			return err
		}
	}
	return t.exec("DELETE FROM journal WHERE share = ? AND covered > 0 AND covered < ?", n, old.Unix())
}

// A Held is an operation that waits for a person, or for room.
type Held struct {
	Path  string // natural
	Op    string
	Why   string // guard, archive, limit
	Since time.Time
}

// Hold records that the operations of a natural path wait.
func (t *Tx) Hold(n int64, h *Held) error {
	return t.exec("INSERT INTO held(share, path, op, why, since) VALUES(?, ?, ?, ?, ?) ON CONFLICT(share, path) DO UPDATE SET op = excluded.op, why = excluded.why",
		n, h.Path, h.Op, h.Why, h.Since.Unix())
}

// accepted is why a path is in the table of what is held though a person has let it go.
const accepted = "accepted"

// Held are all that wait.
func (t *Tx) Held(n int64) (all []Held, err error) {
	err = t.each("SELECT path, op, why, since FROM held WHERE share = ? AND why != '"+accepted+"' ORDER BY path", []any{n}, func(r *sql.Rows) error {
		var h Held
		var since int64
		if err := r.Scan(&h.Path, &h.Op, &h.Why, &since); err != nil {
			return err
		}
		h.Since = fromUnix(since)
		all = append(all, h)
		return nil
	})
	return all, err
}

// Accept lets all that is held go on, and remembers that until Accepted is told that it is done.
func (t *Tx) Accept(n int64) error {
	return t.exec("UPDATE held SET why = '"+accepted+"' WHERE share = ?", n)
}

// Accepted are the paths that were let go on.
func (t *Tx) Accepted(n int64) (paths []string, err error) {
	err = t.each("SELECT path FROM held WHERE share = ? AND why = '"+accepted+"' ORDER BY path", []any{n}, func(r *sql.Rows) error {
		var path string
		err := r.Scan(&path)
		paths = append(paths, path)
		return err
	})
	return paths, err
}

// Done forgets what was accepted: all of it has been done.
func (t *Tx) Done(n int64) error {
	return t.exec("DELETE FROM held WHERE share = ? AND why = '"+accepted+"'", n)
}

// Release lets a path go on; "" all of them.
func (t *Tx) Release(n int64, path string) error {
	if path == "" {
		return t.exec("DELETE FROM held WHERE share = ?", n)
	}
	return t.exec("DELETE FROM held WHERE share = ? AND path = ?", n, path)
}

// takenTable counts a file once, however often it is replaced.
const takenTable = `
DROP TABLE taken;
CREATE TABLE taken(                      -- what the guard counts: removed and replaced by others
	share INTEGER NOT NULL,
	path  TEXT NOT NULL,
	at    INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	PRIMARY KEY(share, path)
) WITHOUT ROWID;
CREATE INDEX taken_at ON taken(share, at);
`

// Take counts a file that others removed or replaced here.
func (t *Tx) Take(n int64, path string, at time.Time, bytes int64) error {
	return t.exec("INSERT INTO taken(share, path, at, bytes) VALUES(?, ?, ?, ?) ON CONFLICT(share, path) DO UPDATE SET at = excluded.at, bytes = max(bytes, excluded.bytes)",
		n, path, at.Unix(), bytes)
}

// WasTaken reports whether a file is among those that [Tx.Taken] counts.
func (t *Tx) WasTaken(n int64, path string, since time.Time) (bool, error) {
	var one int
	return t.one("SELECT 1 FROM taken WHERE share = ? AND path = ? AND at >= ?", []any{n, path, since.Unix()}, &one)
}

// Taken is how many were, since a time.
func (t *Tx) Taken(n int64, since time.Time) (files, bytes int64, err error) {
	if err := t.exec("DELETE FROM taken WHERE share = ? AND at < ?", n, since.Unix()-86400); err != nil {
		return 0, 0, err
	}
	_, err = t.one("SELECT count(*), coalesce(sum(bytes), 0) FROM taken INDEXED BY taken_at WHERE share = ? AND at >= ?", []any{n, since.Unix()}, &files, &bytes)
	return files, bytes, err
}

// A Problem is a path that is not shared, or not put on disk, and why.
type Problem struct {
	Path, Kind, Why string
	Since           time.Time
}

// SetProblem records the problem of a path; kind says what found it. Why "" ends it.
func (t *Tx) SetProblem(n int64, path, kind, why string, now time.Time) error {
	if why == "" {
		return t.exec("DELETE FROM problem WHERE share = ? AND path = ?", n, path)
	}
	return t.exec("INSERT INTO problem(share, path, kind, why, since) VALUES(?, ?, ?, ?, ?) ON CONFLICT(share, path) DO UPDATE SET kind = excluded.kind, why = excluded.why",
		n, path, kind, why, now.Unix())
}

// ClearProblems ends all that were found in one way.
func (t *Tx) ClearProblems(n int64, kind string) error {
	return t.exec("DELETE FROM problem WHERE share = ? AND kind = ?", n, kind)
}

// Problems are all of a share.
func (t *Tx) Problems(n int64) (all []Problem, err error) {
	err = t.each("SELECT path, kind, why, since FROM problem WHERE share = ? ORDER BY path", []any{n}, func(r *sql.Rows) error {
		var p Problem
		var since int64
		if err := r.Scan(&p.Path, &p.Kind, &p.Why, &since); err != nil {
			return err
		}
		p.Since = fromUnix(since)
		all = append(all, p)
		return nil
	})
	return all, err
}

// A Peer is an address where a node of the share was met.
type Peer struct {
	Addr  string
	PK    []byte // nil until it proved who it is
	Last  time.Time
	Fails int
}

// PutPeer records an address.
func (t *Tx) PutPeer(n int64, p *Peer) error {
	return t.exec("INSERT OR REPLACE INTO peer(share, addr, pk, last, fails) VALUES(?, ?, ?, ?, ?)", n, p.Addr, p.PK, unix(p.Last), p.Fails)
}

// MaxPeers is how many addresses of a share are remembered.
const MaxPeers = 1000

// TrimPeers forgets all addresses of a share but those where somebody was met last, [MaxPeers].
func (t *Tx) TrimPeers(n int64) error {
	return t.exec("DELETE FROM peer WHERE share = ? AND addr IN (SELECT addr FROM peer WHERE share = ? ORDER BY last DESC, addr LIMIT -1 OFFSET ?)", n, n, MaxPeers)
}

// Peers are the addresses of a share, last met first.
func (t *Tx) Peers(n int64, limit int) (all []Peer, err error) {
	err = t.each("SELECT addr, pk, last, fails FROM peer WHERE share = ? ORDER BY last DESC, addr"+atMost(limit), []any{n}, func(r *sql.Rows) error {
		var p Peer
		var last int64
		if err := r.Scan(&p.Addr, &p.PK, &last, &p.Fails); err != nil {
			return err
		}
		p.Last = fromUnix(last)
		all = append(all, p)
		return nil
	})
	return all, err
}
