package bt

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestPiecesRoot compares with what creating a torrent says, whatever its piece length.
func TestPiecesRoot(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1, blockSize, blockSize + 1, 3 * blockSize, 65_537, 1 << 20, 1<<20 + 1, 3_000_001} {
		b := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		var told int64
		got, n, err := PiecesRoot(t.Context(), bytes.NewReader(b), func(done int64) { told = done })
		if err != nil || n != size || told != size {
			t.Errorf("%d bytes: %d, told %d, %v", size, n, told, err)
		}
		for _, piece := range []int64{16 << 10, 64 << 10, 1 << 20} {
			m, err := Create(t.Context(), CreateOptions{Path: path, Format: FormatV2, PieceLength: piece})
			if err != nil {
				t.Fatal(err)
			}
			if m.Files[0].Root != got {
				t.Errorf("%d bytes in pieces of %d: %x, not %x", size, piece, got, m.Files[0].Root)
			}
		}
	}
	if root, n, err := PiecesRoot(t.Context(), bytes.NewReader(nil), nil); root != [32]byte{} || n != 0 || err != nil {
		t.Errorf("nothing: %x, %d, %v", root, n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := PiecesRoot(ctx, bytes.NewReader([]byte("x")), nil); err == nil {
		t.Error("it goes on when nobody waits")
	}
}
