package blob

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

// String is the text form: 64 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads the text form of an id, in either case.
func ParseID(s string) (id ID, err error) {
	if len(s) != 2*len(id) {
		return ID{}, errors.New("a blob id has 64 hex digits")
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, errors.New("a blob id has only hex digits")
	}
	return id, nil
}

// MarshalText is [ID.String].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is [ParseID].
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// String tells that k is a key, and nothing of it.
func (k Key) String() string { return "key" }

// Format writes [Key.String], whatever the verb: %d and %x would show the key.
func (k Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, k.String()) }

// LogValue is [Key.String].
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText fails: a key leaves the program as bytes, on purpose, or not at all.
func (k Key) MarshalText() ([]byte, error) { return nil, errors.New("a key has no text form") }

// String tells which blob c opens, and nothing of the key.
func (c Cap) String() string { return "cap(" + c.ID.String() + ")" }

// Format writes [Cap.String], whatever the verb.
func (c Cap) Format(s fmt.State, _ rune) { fmt.Fprint(s, c.String()) }

// LogValue is [Cap.String].
func (c Cap) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText fails, as that of a key.
func (c Cap) MarshalText() ([]byte, error) { return c.Key.MarshalText() }
