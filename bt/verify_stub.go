package bt

import (
	"bytes"
	"crypto/sha1"
)

// verifyPiece reports whether data is piece i of a v1 torrent.
func verifyPiece(m *Metainfo, i int, data []byte) bool {
	if (i+1)*sha1.Size > len(m.hashes) {
		return false
	}
	sum := sha1.Sum(data)
	return bytes.Equal(sum[:], m.hashes[i*sha1.Size:(i+1)*sha1.Size])
}

// pieceSize is the length in bytes of piece i: the last one ends with the last file.
func pieceSize(m *Metainfo, i int) int64 {
	var end int64
	for _, f := range m.Files {
		end = max(end, f.Offset+f.Length)
	}
	return min(m.PieceLength, end-int64(i)*m.PieceLength)
}
