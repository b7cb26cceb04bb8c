package index

import (
	"math"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// Check reports whether e may stand in an index: nil, or an error that wraps [ErrInvalid], and [ErrLimit] when something
// of it is too large (docs/shares.md §3.1).
func (e *Entry) Check() error {
	if err := CheckName(e.Name); err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return err
	}
	// Most entries are far from it, and need not be encoded to know that.
	if len(e.Name)+len(e.Value)+len(e.Extra)+48*len(e.Caps)+40*len(e.Old)+200 > MaxEntry {
		if n := len(e.Raw()); n > MaxEntry {
			return overLimit("%q has an entry of %d bytes, at most %d are allowed", e.Name, n, MaxEntry)
		}
	}
	return nil
}

// check is Check without name and length.
func (e *Entry) check() error {
	if err := e.checkDots(); err != nil {
		return err
	}
	if len(e.Caps) > MaxCaps {
		return overLimit("%q has %d caps", e.Name, len(e.Caps))
	}
	for i := range e.Caps {
		if k := e.Caps[i].ID.Kind(); k == 0 || k.Known() && !k.Sealed() {
			return invalid("%q has a cap of kind %d", e.Name, k)
		}
	}
	if err := e.checkExtra(); err != nil {
		return err
	}
	if !e.Type.Known() {
		return e.checkUnknown()
	}
	return e.checkFields()
}

func (e *Entry) checkDots() error {
	if e.Type == Tree {
		if !e.Dot.IsZero() || e.Old != nil || e.Extra != nil {
			return invalid("the tree record of %q says more than a cap", e.Name)
		}
		return nil
	}
	if e.Dot.Counter == 0 || e.Dot.Counter > math.MaxInt64 {
		return invalid("%q has the counter %d", e.Name, e.Dot.Counter)
	}
	for i, d := range e.Old {
		if d.Counter == 0 || d.Counter > math.MaxInt64 || i > 0 && e.Old[i-1].Compare(d) >= 0 {
			return invalid("the earlier dots of %q are not in order", e.Name)
		}
	}
	return nil
}

// checkExtra checks that the unknown keys are a canonical dictionary with no key in it that is known.
func (e *Entry) checkExtra() error {
	switch {
	case e.Extra == nil:
		return nil
	case len(e.Extra) > MaxEntry:
		return overLimit("%q has %d bytes of unknown keys", e.Name, len(e.Extra))
	case len(e.Extra) <= 2 || e.Extra[0] != 'd':
		return invalid("the unknown keys of %q are no dictionary with keys", e.Name)
	}
	if err := bencode.Check(e.Extra, extraLimits); err != nil || !bencode.IsCanonical(e.Extra) {
		return invalid("the unknown keys of %q are not canonical bencode", e.Name)
	}
	c := bencode.NewCursor(e.Extra)
	for c.Enter(bencode.Dict); c.More(); c.Skip() {
		if k, _ := c.Bytes(); len(k) == 1 && isKey(e.Type, k[0]) {
			return invalid("%q has the key %q twice", e.Name, k)
		}
	}
	return nil
}

// extraLimits bound what a later version may put into an entry.
var extraLimits = bencode.Limits{Depth: 16, Size: MaxEntry, Count: MaxEntry}

// isKey reports whether k is a key that entries of type t know.
func isKey(t Type, k byte) bool {
	switch k {
	case 'c', 'k', 'n', 'o', 'r', 'w', 'y':
		return true
	case 'f', 'p', 's', 't', 'v':
		return t.Known()
	}
	return false
}

func (e *Entry) checkUnknown() error {
	if e.Type <= ' ' || e.Type > '~' {
		return invalid("%q has the type %d", e.Name, e.Type)
	}
	if e.MTime != 0 || e.HasMode || e.Mode != 0 || e.Size != 0 || e.Hash != [32]byte{} || len(e.Value) > 0 {
		return invalid("%q of the unknown type %c says what only known types do", e.Name, e.Type)
	}
	return nil
}

// checkFields checks that an entry of a known type has the fields of its type and no others.
func (e *Entry) checkFields() error {
	file, inBlob := e.Type == File, e.Type == Meta && len(e.Caps) > 0
	bad := ""
	switch {
	case e.MTime != 0 && !file && e.Type != Symlink:
		bad = "a time"
	case e.HasMode && !file && e.Type != Dir:
		bad = "a mode"
	case e.Mode&^0o777 != 0 || !e.HasMode && e.Mode != 0:
		bad = "a mode that is none"
	case len(e.Value) > MaxValue:
		return overLimit("%q has a value of %d bytes", e.Name, len(e.Value))
	case len(e.Value) > 0 && (file || e.Type == Dir || e.Type == Tree || inBlob):
		bad = "a value"
	case len(e.Value) == 0 && (e.Type == Symlink || e.Type == Link):
		bad = "no value"
	case e.Size < 0 || e.Size > blob.MaxFile || e.Size > 0 && !file && !inBlob:
		bad = "a size that cannot be"
	case (e.Hash != [32]byte{}) != (e.Size > 0):
		bad = "a hash, or none, against its size"
	case inBlob && (e.Size <= MaxValue || e.Size > blob.Small):
		bad = "a value in a blob that belongs elsewhere"
	}
	if bad != "" {
		return invalid("%q of type %c has %s", e.Name, e.Type, bad)
	}
	return e.checkCaps()
}

// checkCaps checks that an entry of a known type has the one cap that belongs to it.
func (e *Entry) checkCaps() error {
	want := blob.Kind(0)
	switch e.Type {
	case File:
		if e.Size > 0 {
			want = blob.Data
		}
		if e.Size > blob.Small {
			want = blob.Recipe
		}
	case Meta:
		if len(e.Caps) > 0 {
			want = blob.Data
		}
	case Pin, Tree:
		want = blob.Node
	}
	switch {
	case want == 0 && len(e.Caps) > 0:
		return invalid("%q of type %c has a cap", e.Name, e.Type)
	case want != 0 && (len(e.Caps) != 1 || e.Caps[0].ID.Kind() != want):
		return invalid("%q of type %c has not one cap, of kind %d", e.Name, e.Type, want)
	}
	return nil
}
