package db

import (
	"database/sql"
	"fmt"
	"time"
)

// inviteTable holds the invites that this node gave out, and what became of them (docs/shares.md §7).
const inviteTable = `
CREATE TABLE invite(
	id      BLOB PRIMARY KEY,             -- H(code)
	share   INTEGER NOT NULL,
	role    TEXT NOT NULL,
	label   TEXT NOT NULL,
	approve INTEGER NOT NULL,             -- a person must say yes
	added   INTEGER NOT NULL,             -- unix seconds, as all times here
	expires INTEGER NOT NULL,
	changed INTEGER NOT NULL,
	state   TEXT NOT NULL,
	pk      BLOB NOT NULL,                -- who came first; empty = nobody yet
	box     BLOB NOT NULL,
	sigj    BLOB NOT NULL,
	name    TEXT NOT NULL,
	others  INTEGER NOT NULL,             -- how often somebody else tried it
	other   BLOB NOT NULL                 -- the last of those
) WITHOUT ROWID;
CREATE INDEX invite_share ON invite(share);
`

// An Invite is a code that this node gave out. What comes after Changed is of the node that came first; before one came
// it is zero.
type Invite struct {
	ID      [32]byte // H(code): the vault has the code
	Share   int64
	Role    string
	Label   string // how the inviter calls the share
	Approve bool
	State   string // the node's affair
	Added   time.Time
	Expires time.Time
	Changed time.Time // when State last did

	PK   [32]byte
	Box  [32]byte
	SigJ [64]byte
	Name string

	Others int64    // how often other nodes tried it
	Other  [32]byte // the last of those
}

const inviteColumns = "id, share, role, label, approve, added, expires, changed, state, pk, box, sigj, name, others, other"

func scanInvite(r *sql.Rows, v *Invite) error {
	var id, pk, box, sigj, other []byte
	var added, expires, changed int64
	if err := r.Scan(&id, &v.Share, &v.Role, &v.Label, &v.Approve, &added, &expires, &changed, &v.State, &pk, &box, &sigj, &v.Name, &v.Others, &other); err != nil {
		return err
	}
	if copy(v.ID[:], id) != len(v.ID) {
		return fmt.Errorf("an invite of %d bytes", len(id))
	}
	copy(v.PK[:], pk)
	copy(v.Box[:], box)
	copy(v.SigJ[:], sigj)
	copy(v.Other[:], other)
	v.Added, v.Expires, v.Changed = fromUnix(added), fromUnix(expires), fromUnix(changed)
	return nil
}

// Invites are those of a share, oldest first; 0 = of all shares.
func (t *Tx) Invites(n int64) (all []Invite, err error) {
	err = t.each("SELECT "+inviteColumns+" FROM invite WHERE share = ? OR ? = 0 ORDER BY added, id", []any{n, n}, func(r *sql.Rows) error {
		var v Invite
		err := scanInvite(r, &v)
		all = append(all, v)
		return err
	})
	return all, err
}

// Invite is the invite of an id, or nil.
func (t *Tx) Invite(id [32]byte) (v *Invite, err error) {
	err = t.each("SELECT "+inviteColumns+" FROM invite WHERE id = ?", []any{id[:]}, func(r *sql.Rows) error {
		v = &Invite{}
		return scanInvite(r, v)
	})
	return v, err
}

// PutInvite adds an invite, or replaces what is known of it.
func (t *Tx) PutInvite(v *Invite) error {
	return t.exec("INSERT OR REPLACE INTO invite("+inviteColumns+") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		v.ID[:], v.Share, v.Role, v.Label, v.Approve, v.Added.Unix(), v.Expires.Unix(), v.Changed.Unix(), v.State,
		v.PK[:], v.Box[:], v.SigJ[:], v.Name, v.Others, v.Other[:])
}

// RemoveInvite forgets one.
func (t *Tx) RemoveInvite(id [32]byte) error {
	return t.exec("DELETE FROM invite WHERE id = ?", id[:])
}
