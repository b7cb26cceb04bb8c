package db

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"shoal/share/index"
	"shoal/share/secret"
)

// ErrExists is adding a share that is there, or a second one of the same name.
var ErrExists = errors.New("it is there already")

// A Share is what a node knows of one of its shares. N is how other tables call it.
type Share struct {
	N       int64
	ID      secret.ShareID
	Name    string
	Dir     string // "" = no folder: a store, or a share that holds only links
	Ref     string // which of the tokens in the vault it is, as the node writes it. Older databases have the token itself there
	Options []byte // JSON; the node's affair
	Paused  bool
	Added   time.Time
	Created bool // made here, not joined: it need not wait for a first head

	Cert    []byte // of the epoch; nil until known
	State   index.State
	Writer  index.Writer // current own writer id; zero = none yet
	Counter uint64       // its last event
	Walked  time.Time    // last whole walk of the folder
	Moving  bool         // State is of an epoch before that of the token
}

const shareColumns = "n, id, name, dir, token, options, paused, added, created, cert, ctx, files, meta, writer, counter, walked, moving"

func scanShare(row *sql.Rows, s *Share) error {
	var id, ctx, files, meta, writer []byte
	var added, counter, walked int64
	if err := row.Scan(&s.N, &id, &s.Name, &s.Dir, &s.Ref, &s.Options, &s.Paused, &added, &s.Created, &s.Cert, &ctx, &files, &meta, &writer, &counter, &walked, &s.Moving); err != nil {
		return err
	}
	if len(id) != 32 || len(writer) != 0 && len(writer) != 8 {
		return fmt.Errorf("a share of id %x, writer %x", id, writer)
	}
	s.ID, s.Added, s.Counter = secret.ShareID(id), time.Unix(added, 0).UTC(), uint64(counter)
	if walked > 0 {
		s.Walked = time.Unix(walked, 0).UTC()
	}
	if len(writer) == 8 {
		s.Writer = index.Writer(writer)
	}
	var err error
	if s.State.Ctx, err = decodeCtx(ctx); err != nil {
		return err
	}
	if s.State.Root.Files, err = decodeCap(files); err != nil {
		return err
	}
	s.State.Root.Meta, err = decodeCap(meta)
	return err
}

// Shares are all shares, by name.
func (t *Tx) Shares() (all []Share, err error) {
	err = t.each("SELECT "+shareColumns+" FROM share ORDER BY name", nil, func(r *sql.Rows) error {
		var s Share
		if err := scanShare(r, &s); err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	return all, err
}

// Share is the share of that number, or nil.
func (t *Tx) Share(n int64) (s *Share, err error) {
	err = t.each("SELECT "+shareColumns+" FROM share WHERE n = ?", []any{n}, func(r *sql.Rows) error {
		s = &Share{}
		return scanShare(r, s)
	})
	return s, err
}

// AddShare adds a share and sets its N. ErrExists when its id or its name is taken.
func (t *Tx) AddShare(s *Share) error {
	var n int64
	taken, err := t.one("SELECT n FROM share WHERE id = ? OR name = ?", []any{s.ID[:], s.Name}, &n)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("adding share %s: %w", s.Name, ErrExists)
	}
	if err := t.exec("INSERT INTO share(id, name, dir, token, options, added, created) VALUES(?, ?, ?, ?, ?, ?, ?)",
		s.ID[:], s.Name, s.Dir, s.Ref, notNil(s.Options), s.Added.Unix(), s.Created); err != nil {
		return err
	}
	_, err = t.one("SELECT n FROM share WHERE id = ?", []any{s.ID[:]}, &s.N)
	return err
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// RemoveShare forgets a share and everything about it.
func (t *Tx) RemoveShare(n int64) error {
	if err := t.exec("DELETE FROM piece WHERE data IN (SELECT n FROM data WHERE share = ?)", n); err != nil {
		return err
	}
	for _, table := range []string{"base", "todo", "journal", "head", "signed", "blob", "large", "intent", "archive", "held", "taken", "keep", "peer", "problem", "volume", "data", "invite", "moved", "member", "owed"} {
		if err := t.exec("DELETE FROM "+table+" WHERE share = ?", n); err != nil {
			return err
		}
	}
	return t.exec("DELETE FROM share WHERE n = ?", n)
}

// SetState records the state of a share, and up to where its own writer has counted.
func (t *Tx) SetState(n int64, s index.State, w index.Writer, counter uint64) error {
	id := w[:]
	if w == (index.Writer{}) {
		id = nil
	}
	return t.exec("UPDATE share SET ctx = ?, files = ?, meta = ?, writer = ?, counter = ? WHERE n = ?",
		encodeCtx(s.Ctx), encodeCap(s.Root.Files), encodeCap(s.Root.Meta), notNil(id), int64(counter), n)
}

// SetCert records the certificate of the epoch, SetPaused and SetOptions what they say, SetWalked when the folder was walked.
func (t *Tx) SetCert(n int64, cert []byte) error {
	return t.exec("UPDATE share SET cert = ? WHERE n = ?", notNil(cert), n)
}

// SetRef records which token a share has.
func (t *Tx) SetRef(n int64, ref string) error {
	return t.exec("UPDATE share SET token = ? WHERE n = ?", ref, n)
}

// SetCreated lets a share that was joined be one that was made here: it waits for nobody.
func (t *Tx) SetCreated(n int64) error {
	return t.exec("UPDATE share SET created = 1 WHERE n = ?", n)
}

// SetPaused pauses or resumes a share.
func (t *Tx) SetPaused(n int64, paused bool) error {
	return t.exec("UPDATE share SET paused = ? WHERE n = ?", paused, n)
}

// SetOptions replaces the options of a share.
func (t *Tx) SetOptions(n int64, options []byte) error {
	return t.exec("UPDATE share SET options = ? WHERE n = ?", notNil(options), n)
}

// SetWalked records that the whole folder was walked.
func (t *Tx) SetWalked(n int64, at time.Time) error {
	return t.exec("UPDATE share SET walked = ? WHERE n = ?", at.Unix(), n)
}

// Value is a value of the node by its key, nil when it has none.
func (t *Tx) Value(key string) (b []byte, err error) {
	_, err = t.one("SELECT value FROM node WHERE key = ?", []any{key}, &b)
	return b, err
}

// SetValue sets a value of the node.
func (t *Tx) SetValue(key string, b []byte) error {
	return t.exec("INSERT INTO node(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", key, notNil(b))
}
