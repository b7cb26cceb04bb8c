package secret

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrSealed is wrapped by errors about boxes that do not open: damaged, or made with other keys, or for another field,
// share or epoch.
var ErrSealed = errors.New("the box does not open")

// fieldKey is the key that seals a field, and whether the role of k has it.
func (k *Keys) fieldKey(f Field) (key [32]byte, need Role) {
	switch f {
	case FieldHeadRead:
		return k.Head, Read
	case FieldReport:
		return k.Report, Read
	case FieldHeadStore:
		return k.SealedStore, Store
	case FieldExportWrite:
		return k.SealedWrite, Write
	}
	return key, Admin + 1
}

// Overhead is how many bytes longer than its content what [Keys.Seal] makes is; BoxOverhead is that of [SealTo].
const (
	Overhead    = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
	BoxOverhead = 32 + chacha20poly1305.Overhead
)

// Seal encrypts m for all who have the key of field f (docs/shares.md §1, seal). rand gives 24 bytes. When the role of k
// has no such key the error wraps [ErrRole].
func (k *Keys) Seal(rand io.Reader, f Field, m []byte) ([]byte, error) {
	key, need := k.fieldKey(f)
	if k.Role < need {
		return nil, fmt.Errorf("sealing %q: %w", f, ErrRole)
	}
	b := make([]byte, chacha20poly1305.NonceSizeX, len(m)+Overhead)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("sealing %q: %w", f, err)
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(b, b, m, sealedFor(k.Share, k.Epoch, f)), nil
}

// Open decrypts what Seal made of field f, with the same keys. Errors wrap [ErrSealed] or [ErrRole].
func (k *Keys) Open(f Field, b []byte) ([]byte, error) {
	key, need := k.fieldKey(f)
	if k.Role < need {
		return nil, fmt.Errorf("opening %q: %w", f, ErrRole)
	}
	if len(b) < Overhead {
		return nil, ErrSealed
	}
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	m, err := aead.Open(nil, b[:chacha20poly1305.NonceSizeX], b[chacha20poly1305.NonceSizeX:], sealedFor(k.Share, k.Epoch, f))
	if err != nil {
		return nil, ErrSealed
	}
	return m, nil
}

// sealedFor is what a box is bound to.
func sealedFor(share ShareID, epoch uint16, f Field) []byte {
	return append(append(share[:], u16(epoch)...), f...)
}

// SealTo encrypts m to an X25519 public key (docs/shares.md §1, sbox), bound to share, epoch and field. rand gives 32
// bytes, and must be secret. A key of small order is refused.
func SealTo(rand io.Reader, to [32]byte, share ShareID, epoch uint16, f Field, m []byte) ([]byte, error) {
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("sealing %q: %w", f, err)
	}
	priv, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		return nil, err
	}
	eph := priv.PublicKey().Bytes()
	key, err := boxSecret(priv, to, eph, to[:])
	if err != nil {
		return nil, fmt.Errorf("sealing %q: %w", f, err)
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(m)+BoxOverhead), eph...)
	// The key is used for this box alone.
	return aead.Seal(b, make([]byte, chacha20poly1305.NonceSize), m, sealedFor(share, epoch, f)), nil
}

// OpenBox decrypts what [SealTo] made for the public half of priv. Errors wrap [ErrSealed].
func OpenBox(priv *ecdh.PrivateKey, share ShareID, epoch uint16, f Field, b []byte) ([]byte, error) {
	if len(b) < BoxOverhead {
		return nil, ErrSealed
	}
	key, err := boxSecret(priv, [32]byte(b), b[:32], priv.PublicKey().Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		return nil, err
	}
	m, err := aead.Open(nil, make([]byte, chacha20poly1305.NonceSize), b[32:], sealedFor(share, epoch, f))
	if err != nil {
		return nil, ErrSealed
	}
	return m, nil
}

// boxSecret is the key of a box from the fresh key eph to the key to.
func boxSecret(priv *ecdh.PrivateKey, peer [32]byte, eph, to []byte) ([]byte, error) {
	pub, err := ecdh.X25519().NewPublicKey(peer[:])
	if err != nil {
		return nil, err
	}
	shared, err := priv.ECDH(pub) // refuses the result of all zeros
	if err != nil {
		return nil, err
	}
	return kdf(shared, labelSealedBox.with(eph, to), 32), nil
}

// SignatureSize is the length of a signature, in bytes.
const SignatureSize = ed25519.SignatureSize

// Sign signs m for one purpose. A purpose that is none is a bug, and a panic.
func Sign(priv ed25519.PrivateKey, p Purpose, m []byte) []byte {
	if p.String() == "" {
		panic(fmt.Sprintf("secret: signing for purpose %d", p))
	}
	return ed25519.Sign(priv, signed(p, m))
}

// Verify reports whether sig is a signature of m for the purpose p. Anything may be handed to it.
func Verify(pub []byte, p Purpose, m, sig []byte) bool {
	return p.String() != "" && len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, signed(p, m), sig)
}

func signed(p Purpose, m []byte) []byte { return append([]byte("shoal/1/"+p.String()), m...) }

// Certify is cert: the signature of A that the W of this epoch may sign heads. It takes an admin's keys; of others the
// error wraps [ErrRole].
func (k *Keys) Certify() ([]byte, error) {
	if k.Role != Admin {
		return nil, fmt.Errorf("certifying an epoch: %w", ErrRole)
	}
	return Sign(k.AdminSign, SignEpoch, certified(k.Share, k.Epoch, k.Sign.Public().(ed25519.PublicKey))), nil
}

// VerifyCert reports whether cert says that w is the W of this share and epoch.
func VerifyCert(share ShareID, epoch uint16, w, cert []byte) bool {
	return len(w) == ed25519.PublicKeySize && Verify(share[:], SignEpoch, certified(share, epoch, w), cert)
}

func certified(share ShareID, epoch uint16, w []byte) []byte {
	return append(append(share[:], u16(epoch)...), w...)
}
