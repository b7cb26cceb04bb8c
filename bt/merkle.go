package bt

import (
	"crypto/sha256"
	"math/bits"
)

// A v2 file is the leaves of a binary hash tree, in blocks of 16 KiB; leaves that no block fills are zero (BEP 52).
const blockSize = 16 << 10

// merkle computes the root of a hash tree, leaf by leaf, in constant memory and without allocating.
type merkle struct {
	full [48][32]byte // full[l] is the last complete subtree of 1<<l leaves, when bit l of n is set
	n    uint64       // leaves added
}

// add appends a leaf.
func (t *merkle) add(h [32]byte) {
	l := 0
	for ; t.n>>l&1 == 1; l++ {
		h = hashPair(t.full[l], h)
	}
	t.full[l] = h
	t.n++
}

// root is that of a tree of 1<<levels leaves, the missing ones being pad. At most that many were added.
func (t *merkle) root(levels int, pad [32]byte) [32]byte {
	if t.n>>levels == 1 {
		return t.full[levels]
	}
	node, have := pad, false // the incomplete subtree at level l that follows the complete ones
	for l := range levels {
		switch set := t.n>>l&1 == 1; {
		case set && have:
			node = hashPair(t.full[l], node)
		case set:
			node, have = hashPair(t.full[l], pad), true
		case have:
			node = hashPair(node, pad)
		}
		pad = hashPair(pad, pad)
	}
	if !have {
		return pad
	}
	return node
}

// addBlocks appends the leaves of data, which begins at a block boundary.
func (t *merkle) addBlocks(data []byte) {
	for len(data) > 0 {
		n := min(blockSize, len(data))
		t.add(sha256.Sum256(data[:n]))
		data = data[n:]
	}
}

// layerRoot is the root of a file from the hashes of its pieces, 32 bytes each.
func layerRoot(layer string, pieceLength int64) [32]byte {
	var t merkle
	for i := 0; i+32 <= len(layer); i += 32 {
		t.add([32]byte([]byte(layer[i : i+32])))
	}
	return t.root(levelsFor(int64(len(layer)/32)), padHash(pieceLength))
}

// padHash is the hash of a piece of which no block exists.
func padHash(pieceLength int64) (h [32]byte) {
	for range levelsFor(pieceLength / blockSize) {
		h = hashPair(h, h)
	}
	return h
}

// levelsFor is the height of the smallest tree that has room for n leaves.
func levelsFor(n int64) int { return bits.Len64(uint64(max(n, 1)) - 1) }

func hashPair(a, b [32]byte) [32]byte {
	var buf [64]byte
	copy(buf[:32], a[:])
	copy(buf[32:], b[:])
	return sha256.Sum256(buf[:])
}
