package bt

import (
	"errors"
	"io"
)

// A Storage keeps the bytes of one torrent. Offsets are in the piece space (see the package comment); ranges that no
// file covers read as zeros and are dropped when written. All methods may be called concurrently, but for one piece no
// write overlaps its Mark calls. The engine verifies: it writes pieces, hashes them, and marks them.
type Storage interface {
	io.ReaderAt
	io.WriterAt
	// Complete reports whether the storage vouches for a piece: its bytes are here and were verified.
	Complete(piece int) bool
	// MarkComplete records that the piece was verified; from now on it may be served.
	MarkComplete(piece int) error
	// MarkIncomplete records that the piece is not, or no longer, good.
	MarkIncomplete(piece int) error
	// Close flushes and releases everything. It may be called twice.
	Close() error
}

// ErrPieceGone is what a Storage answers when the bytes of a piece that it vouched for are no longer what they were.
var ErrPieceGone = errors.New("a piece is no longer what it was")
