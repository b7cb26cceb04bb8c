// Package blob is how content becomes ciphertext with a name (docs/shares.md §2): blobs of up to 1 MiB whose id is their
// hash, and large files as one torrent per version with a recipe of chunk keys.
//
// Small things, and everything of the index, are one blob: [Seal] makes it, [Open] reads it, [Verify] needs no key. The
// key comes from the content, so equal content gives equal bytes, and no key ever meets a second content. Files longer
// than [Small] are cut into pieces of the length that [PieceLength] says; each has a key of its own, and the recipe blob
// lists them. [Ingest] takes files of both sorts.
//
// Nothing here touches disk or network, and nothing needs randomness or a clock.
package blob

// A Kind is what a blob is; it is the first byte of its id. Others than these may come one day: stores keep them. 0 is
// none.
type Kind byte

// The kinds of blob.
const (
	Node   Kind = 1 // of the index: keys and entries
	Data   Kind = 2 // a small file
	Recipe Kind = 3 // how to put a large file together
	Info   Kind = 4 // the info dictionary of a large file's torrent; in the clear
	Head   Kind = 5 // a signed state; in the clear
	Moved  Kind = 6 // the way to the next epoch; in the clear
)

// Known reports whether k is a kind of this version of the format.
func (k Kind) Known() bool { return k >= Node && k <= Moved }

// Sealed reports whether blobs of this kind are encrypted; those that are known and not sealed are in the clear.
func (k Kind) Sealed() bool { return k >= Node && k <= Recipe }

// Format constants.
const (
	Version = 1         // of the header that this package writes
	MaxBlob = 1 << 20   // bytes of a blob, header included
	MaxRefs = 4096      // references of a blob
	Small   = 512 << 10 // bytes: a longer file is a torrent (docs/shares.md §2.5)
)

// An ID names a blob: its kind, and 31 bytes of its SHA-256.
type ID [32]byte

// Kind is the kind that the id claims.
func (id ID) Kind() Kind { return Kind(id[0]) }

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// A Key opens one blob or chunk. It derives from the content, so none is ever used for two. It is a secret: its
// methods for printing show nothing of it.
type Key [32]byte

// A Cap gives exactly one file or subtree: which blob, and how to open it. The zero Cap is that of nothing.
type Cap struct {
	ID  ID
	Key Key
}

// IsZero reports whether c gives nothing.
func (c Cap) IsZero() bool { return c == Cap{} }
