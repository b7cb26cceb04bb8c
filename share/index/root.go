package index

import (
	"fmt"

	"shoal/bt/bencode"
	"shoal/share/blob"
)

// PutRoot stores the root node of a state, which a head names (docs/shares.md §3.3). There is one of an empty state, too.
func (f *Forest) PutRoot(r Root) (blob.Cap, error) {
	refs, plain := r.encode()
	c, b := blob.Seal(f.conv, blob.Node, refs, plain)
	if err := f.blobs.Put(c.ID, b); err != nil {
		return blob.Cap{}, fmt.Errorf("writing root %s: %w", c.ID, err)
	}
	return c, nil
}

// ReadRoot reads a root node.
func (f *Forest) ReadRoot(c blob.Cap) (Root, error) {
	refs, plain, err := f.open(c)
	if err != nil {
		return Root{}, err
	}
	return decodeRoot(refs, plain)
}

// encode is the plain text of the root node, and its references.
func (r *Root) encode() (refs []blob.ID, plain []byte) {
	plain = append(plain, 'd')
	for _, t := range []struct {
		key  string
		tree *blob.Cap
	}{{"d", &r.Files}, {"m", &r.Meta}} {
		if !t.tree.IsZero() {
			plain = bencode.AppendString(plain, t.key)
			plain = bencode.AppendString(plain, t.tree.Key[:])
			refs = append(refs, t.tree.ID)
		}
	}
	return refs, append(plain, 'e')
}

// decodeRoot reads the plain text of a root node, padded, in its one form.
func decodeRoot(refs []blob.ID, plain []byte) (r Root, err error) {
	l := lexer{b: plain}
	last := byte(0)
	for l.take('d'); l.more(); {
		k := l.bytes()
		if len(k) != 1 || k[0] != 'd' && k[0] != 'm' || k[0] <= last || len(refs) == 0 {
			l.fail("a root node with the key %q", k)
			break
		}
		last = k[0]
		t := &r.Files
		if last == 'm' {
			t = &r.Meta
		}
		t.ID, refs = refs[0], refs[1:]
		if l.fixed(t.Key[:]); t.ID.Kind() != blob.Node {
			l.fail("a root node with a reference that is no node")
		}
	}
	if len(refs) > 0 {
		l.fail("a root node with references that it does not use")
	}
	if l.padding(len(plain)); l.err != nil {
		return Root{}, fmt.Errorf("reading a root: %w", l.err)
	}
	return r, nil
}
