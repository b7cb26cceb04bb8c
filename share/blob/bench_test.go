package blob

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// again reads the same bytes over and over.
type again struct{ b []byte }

func (a again) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], a.b)
	}
	return n, nil
}

func BenchmarkIngest(b *testing.B) {
	for _, size := range []int64{16 << 10, Small, 1 << 20, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			src := again{content(1, 1<<20+7)}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Ingest(b.Context(), [32]byte{}, io.LimitReader(src, size), size, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSum(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		if _, err := Sum(b.Context(), io.LimitReader(again{make([]byte, 1<<20)}, size), size, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPiece(b *testing.B) {
	plain := content(1, 8<<20)
	c, err := Ingest(b.Context(), [32]byte{}, bytes.NewReader(plain), int64(len(plain)), 0)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, c.Large.PieceLength)
	b.SetBytes(c.Large.PieceLength)
	for b.Loop() {
		if _, err := c.Large.Piece(3, bytes.NewReader(plain), buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCrypt16K(b *testing.B) {
	buf := make([]byte, 16<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		Crypt(Key{1}, 16<<10, buf, buf)
	}
}
