package index

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"fmt"
	"io"
	"math"

	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/secret"
)

// MaxBoxes is how many keys a MOVED has boxes for.
const MaxBoxes = 4096

// maxBox is how long one box may be, in bytes: a token as text, sealed.
const maxBox = 256

// A Moved is what an admin says to all who are in an epoch of a share: there is a later one, and here is its secret for those
// who may have it (docs/shares.md §9). Everybody can check it.
type Moved struct {
	ID    blob.ID
	Blob  []byte // of kind moved
	Share secret.ShareID
	Key   [32]byte // W of the new epoch
	Cert  []byte   // by which A says so
	Epoch uint16   // the new one

	boxes []movedBox
}

type movedBox struct {
	to  [32]byte // X25519
	box []byte
}

// NewMoved signs one with the admin's keys of the new epoch; each recipient gets the secret of its role. rand gives secrets,
// 32 bytes for each. Errors wrap [ErrLimit] of too many, and [secret.ErrRole] when the keys are not an admin's.
func NewMoved(rand io.Reader, k *secret.Keys, to []Recipient) (*Moved, error) {
	cert, err := k.Certify()
	if err != nil {
		return nil, err
	}
	if len(to) > MaxBoxes {
		return nil, overLimit("%d boxes, at most %d are allowed", len(to), MaxBoxes)
	}
	b := bencode.AppendString([]byte("d1:A"), k.Share[:])
	b = bencode.AppendString(append(b, "1:W"...), []byte(k.Sign.Public().(ed25519.PublicKey)))
	b = append(b, "5:boxesl"...)
	for i := range to {
		token, err := k.Token().Weaken(to[i].Role)
		if err != nil {
			return nil, err
		}
		box, err := secret.SealTo(rand, to[i].Box, k.Share, k.Epoch, secret.FieldMoved, []byte(token.Text()))
		if err != nil {
			return nil, fmt.Errorf("sealing for %q: %w", to[i].Label, err)
		}
		b = append(bencode.AppendString(bencode.AppendString(append(b, 'l'), to[i].Box[:]), box), 'e')
	}
	b = bencode.AppendString(append(b, "e4:cert"...), cert)
	b = append(bencode.AppendInt(append(b, "1:e"...), int64(k.Epoch)), 'e')
	sig := secret.Sign(k.AdminSign, secret.SignMoved, append(blob.AppendHeader(nil, blob.Moved, nil), b...))
	id, whole := blob.Clear(blob.Moved, nil, append(b, sig...))
	return ParseMoved(k.Share, id, whole) // what is published is what others accept
}

// ParseMoved reads the blob b of the id, a MOVED of the share, and verifies it by the share's id alone. Whether its epoch is
// later than another is not looked at. Keys of later versions are passed over. Errors wrap [ErrInvalid].
func ParseMoved(share secret.ShareID, id blob.ID, b []byte) (*Moved, error) {
	if err := blob.Verify(id, b); err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrInvalid, id, err)
	}
	h, err := blob.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrInvalid, id, err)
	}
	if h.Kind != blob.Moved || h.Version != blob.Version || len(h.Refs) > 0 || len(h.Body) < secret.SignatureSize {
		return nil, invalid("%s is no move", id)
	}
	m := &Moved{ID: id, Blob: b}
	l := lexer{b: h.Body[:len(h.Body)-secret.SignatureSize]}
	l.moved(m)
	signed, sig := b[:len(b)-secret.SignatureSize], b[len(b)-secret.SignatureSize:]
	switch {
	case l.err != nil:
		return nil, fmt.Errorf("reading move %s: %w", id, l.err)
	case m.Share != share:
		return nil, invalid("move %s is one of another share", id)
	case !secret.Verify(share[:], secret.SignMoved, signed, sig):
		return nil, invalid("move %s has a wrong signature", id)
	case !secret.VerifyCert(share, m.Epoch, m.Key[:], m.Cert):
		return nil, invalid("move %s has a key that is not certified", id)
	}
	return m, nil
}

func (l *lexer) moved(m *Moved) {
	known := l.dict(func(key string) bool {
		switch key {
		case "A":
			l.fixed(m.Share[:])
		case "W":
			l.fixed(m.Key[:])
		case "boxes":
			for l.take('l'); l.more(); {
				l.movedBox(m)
			}
		case "cert":
			m.Cert = make([]byte, ed25519.SignatureSize)
			l.fixed(m.Cert)
		case "e":
			n := l.int()
			if n < 1 || n > math.MaxUint16 {
				l.fail("a move to epoch %d", n)
			}
			m.Epoch = uint16(n)
		default:
			return false
		}
		return true
	})
	if known != 5 {
		l.fail("a move without all that it needs")
	}
}

func (l *lexer) movedBox(m *Moved) {
	x := movedBox{}
	l.take('l')
	l.fixed(x.to[:])
	x.box = l.bytes()
	l.take('e')
	if len(x.box) > maxBox || len(m.boxes) == MaxBoxes {
		l.fail("a move with a box of %d bytes, or more than %d", len(x.box), MaxBoxes)
	}
	m.boxes = append(m.boxes, x)
}

// Boxes is how many keys it has boxes for.
func (m *Moved) Boxes() int { return len(m.boxes) }

// Open is the token that it has for one of the keys; false when it has none. A box that holds something else than a token of
// this share and epoch is none.
func (m *Moved) Open(keys ...*ecdh.PrivateKey) (t secret.Token, ok bool) {
	for _, priv := range keys {
		own := [32]byte(priv.PublicKey().Bytes())
		for i := range m.boxes {
			if m.boxes[i].to != own {
				continue
			}
			text, err := secret.OpenBox(priv, m.Share, m.Epoch, secret.FieldMoved, m.boxes[i].box)
			if err != nil {
				continue
			}
			t, err := secret.ParseToken(string(text))
			if err == nil && t.Share == m.Share && t.Epoch == m.Epoch && t.Role < secret.Admin {
				return t, true
			}
		}
	}
	return secret.Token{}, false
}
