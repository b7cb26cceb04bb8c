// Package index is the state of a share: entries with dots below natural paths, kept in encrypted trees, merged without
// clocks, shown on disk, planned (docs/shares.md §3, §4, §6). It touches neither disk nor network.
//
// An [Entry] is a dot and what it says. A [Forest] keeps sets of entries as trees of encrypted nodes: a directory is one
// leaf, or a leaf for each shard of the hashes of its names, so the tree is a function of the set alone, and equal
// subtrees have equal caps. [Forest.Apply] changes a tree, [Forest.Diff] compares two, [Forest.Check] and
// [Forest.CheckNode] refuse what a stranger made otherwise. [Reach] and [Missing] walk by headers, without keys. A
// [Head] is a signed state.
//
// What the section leaves open is decided so:
//   - The limit of an entry's encoding is that without r, which depends on where the entry stands.
//   - t is there in every f and s, s in every f and in an m with a cap, p only where a mode is known; f, k, o, r and v
//     are absent rather than empty. An f has one cap, to data or a recipe as its size says; p and t one, to a node; an m
//     has one to data if its value is longer than 2 KiB, else none; d, s and l none. o is in order.
//   - Of a type that is unknown, only n, y, w, c, o, r and k are understood; all other keys, known ones too, are kept.
//   - The limit of siblings does not count the tree record. An m stands in the meta tree and nowhere else; f, d, s, l and
//     p do not stand there.
//   - Nodes have the key that c_e gives them; but for those below a pin, and below the root of an export ([Export]), which are
//     sealed under another secret. Names in a pin count for the depth of the path that the pin is at.
//   - Counters in ctx are at least 1. Unknown keys of a head are passed over, those of a root are refused.
package index

import "shoal/share/blob"

// Format constants (docs/shares.md §3).
const (
	MaxEntry    = 3 << 10 // bytes of an entry's encoding, without its references
	MaxName     = 255     // bytes of a name
	MaxCaps     = 16      // of an entry
	Leaf        = 128     // entries of a leaf node; more are split
	MaxSiblings = 256     // entries of one name in a directory
	MaxDepth    = 128     // names of a path
	MaxHead     = 512 << 10
	MaxWriters  = 4096 // of a context
	MaxValue    = 2 << 10
	MaxRepeated = 1 << 20 // entries of a state that stand in a node which another path leads to, too
)

// A Writer is a random id under which one node counts its events, until it cannot prove that nobody else uses it (§4.2).
type Writer [8]byte

// A Dot names one event: the writer and its counter, from 1.
type Dot struct {
	Writer  Writer
	Counter uint64
}

// A Context is the highest counter seen of each writer.
type Context map[Writer]uint64

// A Type is what an entry is.
type Type byte

// The types of entry. Unknown ones are kept and not shown.
const (
	File    Type = 'f'
	Dir     Type = 'd' // "this directory exists"; what is in it hangs on the tree record
	Symlink Type = 's'
	Link    Type = 'l'
	Pin     Type = 'p'
	Meta    Type = 'm'
	Tree    Type = 't' // computed: the cap of a directory's node; has no dot
)

// An Entry is a dot and what it says; immutable. Two are the same when all fields are.
type Entry struct {
	Name    string
	Type    Type
	Dot     Dot
	MTime   int64  // ns since 1970, of File and Symlink
	Mode    uint32 // permission bits
	HasMode bool
	Size    int64      // bytes, of File
	Hash    [32]byte   // of the content; zero for an empty file: "same content"
	Caps    []blob.Cap // at most 16
	Value   []byte     // symlink target, token of a link, meta value
	Old     []Dot      // earlier dots, after a compaction
	Extra   []byte     // unknown keys: a bencoded dictionary, kept byte for byte; nil = none
}

// A Root is the two trees of a state. A zero Cap is an empty tree.
type Root struct {
	Files blob.Cap // of the directory ""
	Meta  blob.Cap
}

// A State is everything that a share says: what lives, and what was seen.
type State struct {
	Ctx  Context
	Root Root
}

// A Change is the difference of two trees at one natural path: the entries there without tree records, before and after.
type Change struct {
	Path          string // natural: names joined by "/", without a leading one
	Before, After []Entry
}

// An Event is one local change: dots that go at one natural path, and an entry that comes at (perhaps) another.
// An edit of a conflict copy removes its dots where they are and adds the new entry under the name that was shown.
// The counter of Add.Dot is set by Commit. A removal alone takes a counter too.
type Event struct {
	RemoveAt string
	Remove   []Dot
	AddAt    string
	Add      *Entry // nil: only removes
	Meta     bool   // in the meta tree
}

// An Ident is by what a file on disk is recognised.
type Ident struct {
	Size         int64
	MTime, CTime int64 // ns
	Inode, Dev   uint64
	Mode         uint32 // permission bits
}

// A Base is what was last put on, or seen on, disk under a path: B of §6.1. A row of a file or symbolic link without
// Dots is what a scan found and no event says yet: nothing is done to it, unless the index shows the same there.
type Base struct {
	Path    string // on disk, as shown
	Natural string // of its entries in the index; differs from Path for conflict copies
	Type    Type   // File, Dir or Symlink
	Dots    []Dot  // all dots that are shown here
	MTime   int64  // as the index says
	Mode    uint32
	HasMode bool
	Size    int64
	Hash    [32]byte
	Caps    []blob.Cap
	Value   []byte // symlink target
	Present bool   // it is on disk; else it is unwanted, or not yet fetched
	Local   bool   // a read-only node's user edited it (Present) or deleted it: what else the row says is not so on disk
	Ident   Ident  // when present
	XDev    bool   // a directory that crosses to another device
}

// A Shown is what should be on disk under a name: T of §6.1. Twins of equal content are one, with the dots of all.
type Shown struct {
	Path    string // as shown
	Natural string
	Type    Type
	Dots    []Dot
	MTime   int64
	Mode    uint32
	HasMode bool
	Size    int64
	Hash    [32]byte
	Caps    []blob.Cap
	Value   []byte
}
