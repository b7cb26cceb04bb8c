package bt

import (
	"crypto/sha1"
	"hash"
	"sort"
	"sync"
)

// FilesIn is the range of Files that lie between off and off+n of the piece space: Files[first:end]. Empty files
// inside the range are among them. It takes logarithmic time.
func (m *Metainfo) FilesIn(off, n int64) (first, end int) {
	first = sort.Search(len(m.Files), func(i int) bool { return m.Files[i].Offset+m.Files[i].Length > off })
	end = first + sort.Search(len(m.Files)-first, func(i int) bool { return m.Files[first+i].Offset >= off+n })
	return first, end
}

// PieceSize is the number of bytes that the hash of piece i covers, at most PieceLength: with v1 hashes those of the
// piece space, gaps included; for a v2-only torrent those of the one file the piece belongs to. It is 0 when there is
// no such piece.
func (m *Metainfo) PieceSize(i int) int64 {
	if i < 0 || i >= m.NumPieces {
		return 0
	}
	if m.HasV1() {
		return min(m.PieceLength, m.space-int64(i)*m.PieceLength)
	}
	return m.dataEnd(i)
}

// dataEnd is how many bytes of piece i there are up to the end of the last file in it; what follows is a gap.
func (m *Metainfo) dataEnd(i int) int64 {
	start := int64(i) * m.PieceLength
	_, end := m.FilesIn(start, m.PieceLength)
	// An empty file may lie inside a gap: the end that counts is that of the last file with bytes.
	for end--; end >= 0 && m.Files[end].Length == 0; end-- {
	}
	if end < 0 {
		return 0
	}
	return min(m.PieceLength, max(0, m.Files[end].Offset+m.Files[end].Length-start))
}

// VerifyPiece reports whether data is piece i. data is PieceSize(i) bytes, or fewer when what it lacks is the gap at
// the end. A v2-only torrent that came without the piece layer of a file larger than a piece cannot verify that file,
// see [Metainfo.WithPieceLayers]. Calls may be concurrent; they allocate nothing.
func (m *Metainfo) VerifyPiece(i int, data []byte) bool {
	size, n := m.PieceSize(i), int64(len(data))
	if size == 0 || n > size || n < size && n < m.dataEnd(i) {
		return false
	}
	if m.HasV1() {
		return sha1Padded(data, size) == [20]byte(m.hashes[20*i:])
	}
	start := int64(i) * m.PieceLength
	first, _ := m.FilesIn(start, 1)
	if first == len(m.Files) || m.Files[first].Offset > start {
		return false
	}
	f := &m.Files[first]
	var t merkle
	t.addBlocks(data)
	if f.Length <= m.PieceLength {
		return t.root(levelsFor(int64(t.n)), [32]byte{}) == f.Root
	}
	layer := m.PieceLayers[string(f.Root[:])]
	at := (start - f.Offset) / m.PieceLength * 32
	if at+32 > int64(len(layer)) {
		return false
	}
	root := t.root(levelsFor(m.PieceLength/blockSize), [32]byte{})
	return string(root[:]) == layer[at:at+32]
}

// A padHasher is kept in a pool with the room for its sum, which would be allocated otherwise.
type padHasher struct {
	hash.Hash
	sum [20]byte
}

var (
	padHashers = sync.Pool{New: func() any { return &padHasher{Hash: sha1.New()} }}
	zeros      [64 << 10]byte
)

// sha1Padded is the hash of data followed by zeros, size bytes in all.
func sha1Padded(data []byte, size int64) [20]byte {
	gap := size - int64(len(data))
	if gap == 0 {
		return sha1.Sum(data)
	}
	h := padHashers.Get().(*padHasher)
	defer padHashers.Put(h)
	h.Reset()
	h.Write(data)
	for gap > 0 {
		n := min(gap, int64(len(zeros)))
		h.Write(zeros[:n])
		gap -= n
	}
	h.Sum(h.sum[:0])
	return h.sum
}
