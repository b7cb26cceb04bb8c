package blob

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// content is bytes that anybody can make again: SHA-256 of the seed byte and a counter of 8 bytes, one after the other.
func content(seed byte, size int64) []byte {
	b := make([]byte, 0, size+32)
	for i := uint64(0); int64(len(b)) < size; i++ {
		sum := sha256.Sum256([]byte{seed, byte(i >> 56), byte(i >> 48), byte(i >> 40), byte(i >> 32), byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		b = append(b, sum[:]...)
	}
	return b[:size]
}

func ingest(t testing.TB, conv [32]byte, plain []byte) Content {
	t.Helper()
	c, err := Ingest(t.Context(), conv, bytes.NewReader(plain), int64(len(plain)), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSmallFiles(t *testing.T) {
	t.Parallel()
	if c := ingest(t, [32]byte{1}, nil); !c.Cap.IsZero() || len(c.Blobs) != 0 || c.Hash != [32]byte{} {
		t.Errorf("an empty file became %v", c)
	}
	for _, size := range []int64{1, 9, 4096, Small - 1, Small} {
		plain := content(1, size)
		c := ingest(t, [32]byte{1}, plain)
		sealed, b := Seal([32]byte{1}, Data, nil, plain)
		if c.Cap != sealed || len(c.Blobs) != 1 || !bytes.Equal(c.Blobs[0].Bytes, b) || c.Large != nil {
			t.Errorf("%d bytes are not one blob as Seal makes it", size)
		}
		if got, err := OpenFile(c.Cap, size, c.Hash, b); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestLargeFiles(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{Small + 1, Small + 8192, 3 * MinPiece, 3*MinPiece + 1, 9<<20 + 12345} {
		plain := content(2, size)
		c := ingest(t, [32]byte{1}, plain)
		recipe := c.Blobs[1].Bytes
		l, err := OpenRecipe(c.Cap, size, c.Hash, recipe, c.Blobs[0].Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if l.Length != Padme(size) || l.InfoHash != sha1.Sum(l.Dict) || l.InfoHash != c.Large.InfoHash {
			t.Errorf("%d bytes: %d of ciphertext, infohash %x", size, l.Length, l.InfoHash)
		}
		padded := append(bytes.Clone(plain), make([]byte, l.Length-size)...)
		var all, buf []byte
		var sums [][32]byte
		for i := range l.Pieces() {
			if buf, err = l.Piece(i, bytes.NewReader(plain), buf); err != nil {
				t.Fatal(err)
			}
			all = append(all, buf...)
			sums = append(sums, sha256.Sum256(padded[len(all)-len(buf):len(all)]))
		}
		got := make([]byte, len(all))
		l.Crypt(0, got, all)
		if !bytes.Equal(got, padded) {
			t.Errorf("%d bytes decrypt to something else", size)
		}
		if err := l.CheckChunks(sums); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		sums[0][0] ^= 1
		if err := l.CheckChunks(sums); !errors.Is(err, ErrContent) {
			t.Errorf("a wrong chunk: %v", err)
		}
	}
}

// A file is the same whoever takes it in, with however many goroutines and however its reader gives it.
func TestIngestIsAFunction(t *testing.T) {
	t.Parallel()
	plain := content(3, 3<<20+1)
	want := ingest(t, [32]byte{7}, plain)
	for _, workers := range []int{1, 2, 9} {
		r := iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(plain)))
		got, err := Ingest(t.Context(), [32]byte{7}, r, int64(len(plain)), workers)
		if err != nil || got.Cap != want.Cap || !bytes.Equal(got.Blobs[0].Bytes, want.Blobs[0].Bytes) {
			t.Errorf("%d workers: %v, other content", workers, err)
		}
		sum, err := Sum(t.Context(), bytes.NewReader(plain), int64(len(plain)), workers)
		if err != nil || sum != want.Hash {
			t.Errorf("%d workers: %v, other sum", workers, err)
		}
	}
	if got := ingest(t, [32]byte{8}, plain); got.Hash != want.Hash || got.Large.InfoHash == want.Large.InfoHash {
		t.Error("under another secret: f must be the same, the ciphertext another")
	}
	small := plain[:5000]
	if sum, err := Sum(t.Context(), bytes.NewReader(small), 5000, 0); err != nil || sum != ingest(t, [32]byte{}, small).Hash {
		t.Errorf("a small file has another sum: %v", err)
	}
}

// One byte changed in place is one chunk changed: the rest is not sent again.
func TestChangeInPlace(t *testing.T) {
	t.Parallel()
	plain := content(4, 4<<20)
	old := ingest(t, [32]byte{1}, plain).Large
	plain[3*MinPiece+5] ^= 1
	l := ingest(t, [32]byte{1}, plain).Large
	for i := range l.Pieces() {
		same := bytes.Equal(old.Sums[i*20:][:20], l.Sums[i*20:][:20])
		if same == (i == 3) || (old.Keys[i] == l.Keys[i]) != same {
			t.Errorf("piece %d: same %v", i, same)
		}
	}
}

func TestIngestErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("a broken disk")
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	for name, tc := range map[string]struct {
		ctx        context.Context
		have, said int64
		r          io.Reader
		want       error
	}{
		"small, shorter":  {have: 99, said: 100, want: ErrSize},
		"small, longer":   {have: 101, said: 100, want: ErrSize},
		"empty, longer":   {have: 1, said: 0, want: ErrSize},
		"large, shorter":  {have: 1<<20 - 1, said: 1 << 20, want: ErrSize},
		"large, longer":   {have: 1<<20 + 1, said: 1 << 20, want: ErrSize},
		"grown a lot":     {have: 2 << 20, said: Small + 1, want: ErrSize},
		"negative":        {have: 0, said: -1, want: ErrSize},
		"small, broken":   {said: 100, r: iotest.ErrReader(broken), want: broken},
		"large, broken":   {said: 9 << 20, r: iotest.ErrReader(broken), want: broken},
		"broken at last":  {said: 1 << 20, r: io.MultiReader(bytes.NewReader(content(1, 1<<20)), iotest.ErrReader(broken)), want: broken},
		"too large":       {have: 1, said: MaxFile + 1, want: ErrTooLarge},
		"small, canceled": {ctx: canceled, have: 100, said: 100, want: broken},
		"large, canceled": {ctx: canceled, have: 1 << 20, said: 1 << 20, want: broken},
	} {
		if tc.r == nil {
			tc.r = bytes.NewReader(content(1, tc.have))
		}
		if tc.ctx == nil {
			tc.ctx = t.Context()
		}
		_, err := Ingest(tc.ctx, [32]byte{}, tc.r, tc.said, 0)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Sum(t.Context(), bytes.NewReader(make([]byte, 5)), 6, 0); !errors.Is(err, ErrSize) {
		t.Errorf("sum of less: %v", err)
	}
}

// A file that was edited since is not served: what would be sent is checked first.
func TestPieceOfAChangedFile(t *testing.T) {
	t.Parallel()
	plain := content(5, 1<<20)
	l := ingest(t, [32]byte{1}, plain).Large
	plain[MinPiece+7] ^= 1
	if _, err := l.Piece(0, bytes.NewReader(plain), nil); err != nil {
		t.Errorf("a piece that is as it was: %v", err)
	}
	if _, err := l.Piece(1, bytes.NewReader(plain), nil); !errors.Is(err, ErrContent) {
		t.Errorf("a changed piece: %v", err)
	}
	if _, err := l.Piece(3, bytes.NewReader(plain[:1<<20-1]), nil); !errors.Is(err, ErrContent) {
		t.Errorf("a shorter file: %v", err)
	}
}

// The pieces that are all padding come from the recipe alone.
func TestPaddingPieces(t *testing.T) {
	t.Parallel()
	const size = 128<<20 + 1 // padded by 4 MiB
	r := io.MultiReader(bytes.NewReader(make([]byte, size)))
	c, err := Ingest(t.Context(), [32]byte{1}, r, size, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, n := c.Large, 0
	for i := range l.Pieces() {
		if l.Padding(i) {
			n++
			if _, err := l.Piece(i, nil, nil); err != nil {
				t.Errorf("piece %d: %v", i, err)
			}
		}
	}
	if want := int(Padme(size)-size) / MinPiece; n != want || n == 0 {
		t.Errorf("%d pieces of padding, want %d", n, want)
	}
}

func TestCryptOverPieces(t *testing.T) {
	t.Parallel()
	plain := content(6, 1<<20)
	l := ingest(t, [32]byte{1}, plain).Large
	whole := make([]byte, len(plain))
	l.Crypt(0, whole, plain)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, len(plain)).Draw(t, "from")
		to := rapid.IntRange(from, len(plain)).Draw(t, "to")
		got := make([]byte, to-from)
		l.Crypt(int64(from), got, whole[from:to])
		if !bytes.Equal(got, plain[from:to]) {
			t.Fatal("a range decrypts to something else")
		}
	})
}

// T12 of docs/shares.md §12: whatever size a file has, recipe and info are blobs.
func TestEverySizeFits(t *testing.T) {
	t.Parallel()
	check := func(t interface{ Fatalf(string, ...any) }, size int64) {
		length := Padme(size)
		p, err := PieceLength(length)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		n := pieces(length, p)
		if n > MaxPieces || p > MinPiece && pieces(length, p/2) <= MaxPieces {
			t.Fatalf("%d bytes: %d pieces of %d", size, n, p)
		}
		if !Fits(1, int(recipeHead+32*n)) || 20*n+128 > 640_128 {
			t.Fatalf("%d bytes: recipe or info are too large", size)
		}
	}
	for p := int64(MinPiece); p <= MaxPiece; p *= 2 {
		for _, d := range []int64{-1, 0, 1} {
			check(t, min(p*MaxPieces+d, MaxFile))
			check(t, min(p*32256+d, MaxFile))
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Int64Range(Small+1, MaxFile).Draw(t, "size")) })
	if _, err := PieceLength(MaxFile + 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := PieceLength(0); err == nil {
		t.Error("no bytes at all have pieces")
	}
}

// The largest recipes, as blobs: 8 GiB, and sizes around the greatest number of pieces.
func TestLargestRecipes(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int64{8 << 30: 16384, 32000 * MinPiece: 32000, 32000*MinPiece + 1: 16128, 32257 * MinPiece: 16256, MaxFile: 32000} {
		length := Padme(size)
		p, _ := PieceLength(length)
		n := pieces(length, p)
		if n != want {
			t.Errorf("%d bytes are %d pieces, want %d", size, n, want)
		}
		l := &Large{Size: size, Hash: [32]byte{5}, Keys: make([]Key, n)}
		for i := range l.Keys {
			l.Keys[i] = Key{byte(i), byte(i >> 8)}
		}
		tor, info := newTorrent(length, p, content(7, 20*n))
		l.Torrent = *tor
		c, recipe := l.seal([32]byte{1})
		got, err := OpenRecipe(c, size, l.Hash, recipe, info)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if got.Keys[n-1] != l.Keys[n-1] || got.InfoHash != l.InfoHash {
			t.Errorf("%d bytes opened to something else", size)
		}
		if n == MaxPieces && len(recipe) != 1_032_229 {
			t.Errorf("the largest recipe has %d bytes", len(recipe))
		}
		if len(recipe) > MaxBlob || len(info) > MaxBlob {
			t.Errorf("%d bytes: recipe of %d, info of %d", size, len(recipe), len(info))
		}
	}
}
