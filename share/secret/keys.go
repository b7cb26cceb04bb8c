package secret

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ErrRole is wrapped by errors about what a role does not give.
var ErrRole = errors.New("the role does not give that")

// NewAdmin makes a share: its admin token, in epoch 0. rand gives 32 bytes.
func NewAdmin(rand io.Reader) (Token, error) {
	var a [32]byte
	if _, err := io.ReadFull(rand, a[:]); err != nil {
		return Token{}, fmt.Errorf("making a secret: %w", err)
	}
	return adminToken(a, 0), nil
}

func adminToken(a [32]byte, epoch uint16) Token {
	return Token{Role: Admin, Epoch: epoch, Secret: a, Share: ShareID(adminKey(a).Public().(ed25519.PublicKey))}
}

func adminKey(a [32]byte) ed25519.PrivateKey { return signKey(a, labelAdminSign) }

func signKey(k [32]byte, l label) ed25519.PrivateKey {
	seed := kdf32(k, l)
	return ed25519.NewKeyFromSeed(seed[:])
}

func boxKey(k [32]byte, l label) *ecdh.PrivateKey {
	seed := kdf32(k, l)
	priv, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		panic(err) // any 32 bytes are a key
	}
	return priv
}

// check reports whether t can be a token.
func (t Token) check() error {
	switch {
	case t.Role < Store || t.Role > Admin:
		return errors.New("a token without a role")
	case t.Role == Admin && adminToken(t.Secret, t.Epoch) != t:
		return errors.New("the admin token of another share")
	}
	return nil
}

// Weaken is the token of a role that is no stronger than that of t, of the same share and epoch. Of a stronger role the
// error wraps [ErrRole].
func (t Token) Weaken(to Role) (Token, error) {
	if err := t.check(); err != nil {
		return Token{}, err
	}
	if to > t.Role || to < Store {
		return Token{}, fmt.Errorf("deriving the %v token from a %v token: %w", to, t.Role, ErrRole)
	}
	for ; t.Role > to; t.Role-- {
		t.Secret = kdf32(t.Secret, t.nextLabel())
	}
	return t, nil
}

// nextLabel is the label of the secret one role below.
func (t Token) nextLabel() label {
	switch t.Role {
	case Admin:
		return labelWrite.with(u16(t.Epoch))
	case Write:
		return labelRead
	}
	return labelStore
}

// AtEpoch is the admin token t for another epoch. Of other roles the error wraps [ErrRole]: one epoch tells nothing of
// the next.
func (t Token) AtEpoch(epoch uint16) (Token, error) {
	if t.Role != Admin {
		return Token{}, fmt.Errorf("deriving another epoch from a %v token: %w", t.Role, ErrRole)
	}
	if err := t.check(); err != nil {
		return Token{}, err
	}
	t.Epoch = epoch
	return t, nil
}

// Export is the admin token of an export (docs/shares.md §8) with the id eid, in its epoch 0. t is an admin token;
// of other roles the error wraps [ErrRole].
func (t Token) Export(eid [16]byte) (Token, error) {
	if t.Role != Admin {
		return Token{}, fmt.Errorf("deriving an export from a %v token: %w", t.Role, ErrRole)
	}
	if err := t.check(); err != nil {
		return Token{}, err
	}
	return adminToken(kdf32(t.Secret, labelExport.with(eid[:])), 0), nil
}

// Keys derives all that t gives.
func (t Token) Keys() (*Keys, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	k := &Keys{Role: t.Role, Share: t.Share, Epoch: t.Epoch}
	for ; t.Role >= Store; t.Role-- {
		switch t.Role {
		case Admin:
			k.Admin, k.AdminSign = t.Secret, adminKey(t.Secret)
		case Write:
			k.Write, k.Sign = t.Secret, signKey(t.Secret, labelSign)
			k.SealedWrite = kdf32(t.Secret, labelSealedWrite)
		case Read:
			k.Read, k.Box = t.Secret, boxKey(t.Secret, labelBox)
			k.Conv = kdf32(t.Secret, labelConv)
			k.Head = kdf32(t.Secret, labelHead)
			k.Report = kdf32(t.Secret, labelReport)
		case Store:
			k.Store = t.Secret
			k.Rendezvous = [20]byte(kdf(t.Secret[:], labelRendezvous, 20))
			k.Extension = extension(t.Secret[:], labelExtension)
			k.PSK = kdf32(t.Secret, labelPSK)
			k.SealedStore = kdf32(t.Secret, labelSealedStore)
			return k, nil
		}
		t.Secret = kdf32(t.Secret, t.nextLabel())
	}
	return k, nil
}

// extension is the name of a BEP 10 extension: nobody without the secret knows what to look for.
func extension(k []byte, l label) string { return "x" + hex.EncodeToString(kdf(k, l, 4)) }

// Token is the token that k came from.
func (k *Keys) Token() Token {
	t := Token{Role: k.Role, Epoch: k.Epoch, Share: k.Share}
	switch k.Role {
	case Admin:
		t.Secret = k.Admin
	case Write:
		t.Secret = k.Write
	case Read:
		t.Secret = k.Read
	case Store:
		t.Secret = k.Store
	}
	return t
}

// NewNodeSeed makes the seed of a node. rand gives 32 bytes.
func NewNodeSeed(rand io.Reader) (s NodeSeed, err error) {
	if _, err := io.ReadFull(rand, s[:]); err != nil {
		return NodeSeed{}, fmt.Errorf("making a node's seed: %w", err)
	}
	return s, nil
}

// Identity is what the node with seed s is in a share.
func (s NodeSeed) Identity(share ShareID) Identity {
	return Identity{
		Sign: signKey(s, labelNode.with(share[:])),
		Box:  boxKey(s, labelNodeBox.with(share[:])),
	}
}

// Key is the node's public key pk, by which others know it.
func (id Identity) Key() [32]byte { return [32]byte(id.Sign.Public().(ed25519.PublicKey)) }

// BoxKey is the public half of Box.
func (id Identity) BoxKey() [32]byte { return [32]byte(id.Box.PublicKey().Bytes()) }
