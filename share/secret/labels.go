package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// A label says what a derived secret is for. This is all of them: no two derivations from one secret share a label
// (docs/shares.md §1).
type label string

const (
	labelAdminSign   label = "admin-sign"   // a: seed of A
	labelWrite       label = "write/"       // a: w, with the epoch
	labelExport      label = "export/"      // a: the admin secret of an export, with its id (§8)
	labelSign        label = "sign"         // w: seed of W
	labelSealedWrite label = "sealed-write" // w: z
	labelRead        label = "read"         // w: r
	labelConv        label = "conv"         // r: c
	labelHead        label = "head"         // r: h
	labelReport      label = "report"       // r: q
	labelBox         label = "box"          // r: b
	labelStore       label = "store"        // r: s
	labelRendezvous  label = "rendezvous"   // s: rz
	labelExtension   label = "ext"          // s: x
	labelPSK         label = "psk"          // s: k
	labelSealedStore label = "sealed-store" // s: o
	labelNode        label = "node/"        // node seed: seed of pk, with A
	labelNodeBox     label = "nodebox/"     // node seed: box, with A
	labelSealedBox   label = "sealed-box"   // X25519 result: key of an sbox, with both public keys

	labelInviteRendezvous label = "inv-rz"  // code of an invite (§7): infohash of its swarm
	labelInvitePSK        label = "inv-psk" // code: pre-shared key of its handshake
	labelInviteExtension  label = "inv-ext" // code: name of its BEP 10 extension
)

// with is the label of one of many: an epoch, an export, a share.
func (l label) with(parts ...[]byte) label {
	for _, p := range parts {
		l += label(p)
	}
	return l
}

// kdf is KDF(k, l, n), HKDF-SHA256.
func kdf(k []byte, l label, n int) []byte {
	b, err := hkdf.Key(sha256.New, k, []byte("shoal/1"), string(l), n)
	if err != nil {
		panic(err) // only for n above 8160
	}
	return b
}

// kdf32 is KDF(k, l).
func kdf32(k [32]byte, l label) [32]byte { return [32]byte(kdf(k[:], l, 32)) }

// A Field is what is sealed; it is bound into the box, so that no box is taken for another.
type Field string

// The fields: all that is ever sealed.
const (
	FieldHeadRead    Field = "hr"     // of a head, for readers: under h
	FieldHeadStore   Field = "hs"     // of a head, for store nodes: under o
	FieldReport      Field = "report" // of a node: under q
	FieldExportWrite Field = "sw"     // the write secret of an export: under z
	FieldMoved       Field = "moved"  // the token of the next epoch: to the box of a node or share
)

// A Purpose is what a signature says; it is bound into it. The zero Purpose is none.
type Purpose uint8

// The purposes: all signatures there are, and whose.
const (
	SignEpoch  Purpose = 1 + iota // by A: a certificate of W
	SignPolicy                    // by A
	SignMoved                     // by A
	SignHead                      // by W
	SignHello                     // by a node
	SignJoin                      // by a node
	SignReport                    // by a node
	SignMember                    // by a node, or A
)

var purposes = [...]string{
	SignEpoch: "epoch", SignPolicy: "policy", SignMoved: "moved", SignHead: "head",
	SignHello: "hello", SignJoin: "join", SignReport: "report", SignMember: "member",
}

// String is the word that is signed; empty when p is no purpose.
func (p Purpose) String() string {
	if int(p) < len(purposes) {
		return purposes[p]
	}
	return ""
}

func u16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
