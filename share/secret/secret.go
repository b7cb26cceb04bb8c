// Package secret is the ladder of secrets of a share (docs/shares.md §1): admin > write > read > store, each derived one
// way from the one before, their text form, and everything that is sealed or signed with them.
//
// A [Token] is one rung: what people hand to each other. [Token.Keys] derives all that its role may have, [Token.Weaken]
// the token of a weaker role. A secret has one use; every derivation has its label, everything sealed its [Field],
// every signature its [Purpose], and the lists of them in labels.go are complete.
//
// What is secret never prints itself: the methods of package fmt and log/slog show role and share alone. Two ways remain
// that Go leaves open: the arrays in Keys print as such, and so do tokens in unexported fields of another struct.
// The text form of a token comes from Text, and from nowhere else.
//
// Nothing here touches disk or network; randomness is a parameter.
package secret

import (
	"crypto/ecdh"
	"crypto/ed25519"
)

// A Role is what a secret allows. Each role can do what those below it can.
type Role uint8

// The roles, from the weakest.
const (
	Store Role = 1 + iota // find, authenticate, replicate what it cannot read
	Read                  // names and content
	Write                 // change files
	Admin                 // make epochs, exports, policy; revoke
)

// A ShareID names a share: the Ed25519 public key A of its admin secret. It is not secret.
type ShareID [32]byte

// A Token is one secret of one share in one epoch. Of an admin token Share follows from Secret, and Epoch is a hint:
// it opens all epochs.
type Token struct {
	Role   Role
	Epoch  uint16
	Secret [32]byte
	Share  ShareID
}

// Keys is what a Token opens: all that its role and the roles below derive. What the role does not give is nil or zero.
type Keys struct {
	Role  Role
	Share ShareID
	Epoch uint16

	// Of Store and above.
	Store       [32]byte // s
	Rendezvous  [20]byte // rz: infohash of the meeting swarm
	Extension   string   // "x" and the hex of x: name of the BEP 10 extension
	PSK         [32]byte // k: pre-shared key of the Noise handshake
	SealedStore [32]byte // o: seals what store nodes read of heads

	// Of Read and above.
	Read   [32]byte         // r
	Conv   [32]byte         // c: from it come the keys of new blobs
	Head   [32]byte         // h: seals what readers read of heads
	Report [32]byte         // q: seals node reports
	Box    *ecdh.PrivateKey // b: receives the keys of another share

	// Of Write and above.
	Write       [32]byte           // w
	SealedWrite [32]byte           // z
	Sign        ed25519.PrivateKey // of W: signs heads

	// Of Admin alone.
	Admin     [32]byte           // a
	AdminSign ed25519.PrivateKey // of A: signs epochs, policy
}

// A NodeSeed is what all identities of a node derive from: 32 random bytes.
type NodeSeed [32]byte

// An Identity is what a node is in one share: two shares cannot tell that it is the same node.
type Identity struct {
	Sign ed25519.PrivateKey // of pk
	Box  *ecdh.PrivateKey   // receives the keys of the next epoch
}
