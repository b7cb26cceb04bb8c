package secret

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

var errNoText = errors.New("a secret has no text form but that of its method Text")

var roleNames = [...]string{Store: "store", Read: "read", Write: "write", Admin: "admin"}

// String is the role's word: store, read, write or admin.
func (r Role) String() string {
	if r >= Store && r <= Admin {
		return roleNames[r]
	}
	return "none"
}

// ParseRole reads a role's word.
func ParseRole(s string) (Role, error) {
	for r := Store; r <= Admin; r++ {
		if s == r.String() {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q is no role: store, read, write or admin", s)
}

// MarshalText is [Role.String].
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is [ParseRole].
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRole(string(b))
	return err
}

// String is the text form: 64 lower-case hex digits.
func (id ShareID) String() string { return hex.EncodeToString(id[:]) }

// Short is the beginning of the text form, for people.
func (id ShareID) Short() string { return hex.EncodeToString(id[:4]) + "…" }

// ParseShareID reads the text form of a share's id.
func ParseShareID(s string) (id ShareID, err error) {
	if len(s) != 2*len(id) {
		return ShareID{}, errors.New("a share id has 64 hex digits")
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ShareID{}, errors.New("a share id has only hex digits")
	}
	return id, nil
}

// MarshalText is [ShareID.String].
func (id ShareID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is [ParseShareID].
func (id *ShareID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseShareID(string(b))
	return err
}

// String tells role and share of t, and nothing of the secret.
func (t Token) String() string { return fmt.Sprintf("token(%v, share %s)", t.Role, t.Share.Short()) }

// Format writes [Token.String], whatever the verb: %d and %x would show the secret.
func (t Token) Format(s fmt.State, _ rune) { fmt.Fprint(s, t.String()) }

// LogValue is [Token.String].
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText fails.
func (t Token) MarshalText() ([]byte, error) { return nil, errNoText }

// String tells role and share of k, and nothing of the keys.
func (k Keys) String() string { return fmt.Sprintf("keys(%v, share %s)", k.Role, k.Share.Short()) }

// Format writes [Keys.String], whatever the verb.
func (k Keys) Format(s fmt.State, _ rune) { fmt.Fprint(s, k.String()) }

// LogValue is [Keys.String].
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText fails.
func (k Keys) MarshalText() ([]byte, error) { return nil, errNoText }

// String tells that s is a seed.
func (s NodeSeed) String() string { return "node seed" }

// Format writes [NodeSeed.String], whatever the verb.
func (s NodeSeed) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// LogValue is [NodeSeed.String].
func (s NodeSeed) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText fails.
func (s NodeSeed) MarshalText() ([]byte, error) { return nil, errNoText }

// String tells the public key of id.
func (id Identity) String() string {
	if id.Sign == nil {
		return "node"
	}
	key := id.Key()
	return "node(" + hex.EncodeToString(key[:4]) + "…)"
}

// Format writes [Identity.String], whatever the verb.
func (id Identity) Format(s fmt.State, _ rune) { fmt.Fprint(s, id.String()) }

// LogValue is [Identity.String].
func (id Identity) LogValue() slog.Value { return slog.StringValue(id.String()) }

// MarshalText fails.
func (id Identity) MarshalText() ([]byte, error) { return nil, errNoText }

// String tells that v is an invite.
func (v Invite) String() string { return "invite" }

// Format writes [Invite.String], whatever the verb.
func (v Invite) Format(s fmt.State, _ rune) { fmt.Fprint(s, v.String()) }

// LogValue is [Invite.String].
func (v Invite) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText fails.
func (v Invite) MarshalText() ([]byte, error) { return nil, errNoText }

// Format tells that k are keys.
func (k InviteKeys) Format(s fmt.State, _ rune) { fmt.Fprint(s, "keys(invite)") }

// MarshalText fails.
func (k InviteKeys) MarshalText() ([]byte, error) { return nil, errNoText }
