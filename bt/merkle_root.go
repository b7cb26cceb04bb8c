package bt

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
)

// PiecesRoot reads r to its end and is the pieces root of a file with that content (BEP 52), and its size in bytes. The
// root of an empty file, which has none in a torrent, is zero. progress is told the bytes that are done; nil tells nobody.
// Errors are those of r, and the cause of ctx.
func PiecesRoot(ctx context.Context, r io.Reader, progress func(done int64)) (root [32]byte, size int64, err error) {
	var t merkle
	buf := make([]byte, 64*blockSize)
	for {
		if ctx.Err() != nil {
			return root, size, context.Cause(ctx)
		}
		n, err := io.ReadFull(r, buf)
		t.addBlocks(buf[:n])
		size += int64(n)
		if progress != nil && n > 0 {
			progress(size)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return root, size, err
		}
	}
	if size == 0 {
		return root, 0, nil
	}
	return t.root(levelsFor(int64(t.n)), [sha256.Size]byte{}), size, nil
}
