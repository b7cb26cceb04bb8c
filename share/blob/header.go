package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every error about bytes that break the format.
var ErrInvalid = errors.New("invalid blob")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// headLen is the length of a header without its references: 'S', version, kind, count.
const headLen = 5

// A Header is what anybody can read of a blob.
type Header struct {
	Version byte // from 1; the layout of the header is the same in all
	Kind    Kind
	Refs    []ID   // what a node that keeps this blob must keep too
	Body    []byte // ciphertext, or plain text of the kinds that are in the clear; a slice of the blob
}

// HeaderLen is the length of a header with n references, in bytes.
func HeaderLen(n int) int { return headLen + n*len(ID{}) }

// AppendHeader appends the header of a blob, as it is signed in heads.
func AppendHeader(b []byte, kind Kind, refs []ID) []byte {
	b = append(b, 'S', Version, byte(kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(refs)))
	for i := range refs {
		b = append(b, refs[i][:]...)
	}
	return b
}

// Parse reads the header of a blob, and checks all that can be checked without a key: size, number and kinds of
// references, padding. Of kinds and versions that are not known it checks only size and count (docs/shares.md §2.1).
// Errors wrap [ErrInvalid]. It does not check the id: [Verify] does.
func Parse(b []byte) (Header, error) {
	if len(b) > MaxBlob {
		return Header{}, invalid("longer than %d bytes", MaxBlob)
	}
	if len(b) < headLen || b[0] != 'S' || b[1] == 0 || b[2] == 0 {
		return Header{}, invalid("no header")
	}
	h := Header{Version: b[1], Kind: Kind(b[2])}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n > MaxRefs {
		return Header{}, invalid("more than %d references", MaxRefs)
	}
	if len(b) < HeaderLen(n) {
		return Header{}, invalid("it ends among its references")
	}
	if n > 0 {
		h.Refs = make([]ID, n)
	}
	for i := range h.Refs {
		copy(h.Refs[i][:], b[HeaderLen(i):])
	}
	h.Body = b[HeaderLen(n):]
	if err := checkRefs(h.Version, h.Kind, h.Refs); err != nil {
		return Header{}, err
	}
	if h.Version == Version && h.Kind.Sealed() && Padme(int64(len(h.Body))) != int64(len(h.Body)) {
		return Header{}, invalid("a body of %d bytes is not padded", len(h.Body))
	}
	return h, nil
}

// checkRefs checks that a blob may have these references.
func checkRefs(version byte, kind Kind, refs []ID) error {
	one := Kind(0)
	switch {
	case version != Version || !kind.Known():
	case kind == Recipe:
		one = Info
	case kind == Head:
		one = Node
	case kind != Node && len(refs) > 0:
		return invalid("kind %d has no references", kind)
	}
	if one != 0 && (len(refs) != 1 || refs[0].Kind() != one) {
		return invalid("kind %d has one reference, of kind %d", kind, one)
	}
	for i := range refs {
		switch k := refs[i].Kind(); {
		case k == 0:
			return invalid("a reference without a kind")
		case version == Version && kind == Node && k.Known() && !k.Sealed():
			return invalid("a node has no reference of kind %d", k)
		}
	}
	return nil
}
