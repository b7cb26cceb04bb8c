package blob

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A Large is how a large file is put together: its torrent, and what its recipe says.
type Large struct {
	Torrent
	Size int64    // of the file, in bytes
	Hash [32]byte // fh: SHA-256 of the SHA-256s of the chunks; the file's f
	Keys []Key    // of the chunks; chunk i is the plain text of piece i
}

// ErrContent is wrapped by errors about plain text that is not what a recipe says.
var ErrContent = errors.New("the content is not the one that was shared")

// recipeHead is how many bytes of a recipe come before its keys.
const recipeHead = 8 + 32

// chunkKey is the key of a chunk with this SHA-256.
func chunkKey(conv, sum [32]byte) (k Key) {
	m := hmac.New(sha256.New, conv[:])
	m.Write([]byte("chunk"))
	m.Write(sum[:])
	m.Sum(k[:0])
	return k
}

// hashOf is fh of chunks with these SHA-256s.
func hashOf(sums [][32]byte) (fh [32]byte) {
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	h.Sum(fh[:0])
	return fh
}

// seal makes the recipe blob of l.
func (l *Large) seal(conv [32]byte) (Cap, []byte) {
	plain := make([]byte, 0, recipeHead+len(l.Keys)*len(Key{}))
	plain = binary.BigEndian.AppendUint64(plain, uint64(l.Size))
	plain = append(plain, l.Hash[:]...)
	for i := range l.Keys {
		plain = append(plain, l.Keys[i][:]...)
	}
	return Seal(conv, Recipe, []ID{l.Info}, plain)
}

// OpenRecipe opens the recipe blob that c names with the info blob that it refers to, and checks both against each
// other and against what the entry says of the file: its size in bytes, and its hash f (docs/shares.md §2.2). Errors
// wrap [ErrID] or [ErrInvalid].
func OpenRecipe(c Cap, size int64, hash [32]byte, recipe, info []byte) (*Large, error) {
	if c.ID.Kind() != Recipe {
		return nil, invalid("kind %d is no recipe", c.ID.Kind())
	}
	refs, plain, err := Open(c, recipe)
	if err != nil {
		return nil, fmt.Errorf("opening a recipe: %w", err)
	}
	t, err := CheckInfo(refs[0], info)
	if err != nil {
		return nil, fmt.Errorf("reading the info of a recipe: %w", err)
	}
	end := recipeHead + t.Pieces()*len(Key{})
	if int64(len(plain)) != Padme(int64(end)) || !allZero(plain[end:]) {
		return nil, invalid("a recipe of %d bytes for %d pieces", len(plain), t.Pieces())
	}
	l := &Large{Torrent: *t, Size: size, Hash: hash, Keys: make([]Key, t.Pieces())}
	if binary.BigEndian.Uint64(plain) != uint64(size) || !bytes.Equal(plain[8:recipeHead], hash[:]) {
		return nil, invalid("the recipe is of another file than the entry says")
	}
	if size <= Small || Padme(size) != t.Length {
		return nil, invalid("a torrent of %d bytes for a file of %d", t.Length, size)
	}
	for i := range l.Keys {
		copy(l.Keys[i][:], plain[recipeHead+i*len(Key{}):])
	}
	return l, nil
}

// Padding reports whether piece i holds nothing of the file: whoever has the recipe can compute it.
func (l *Large) Padding(i int) bool { return int64(i)*l.PieceLength >= l.Size }

// Piece reads chunk i from plain, the file, and encrypts it: what is served, and only when it has the SHA-1 that the
// info dictionary names. When plain is no longer what was shared the error wraps [ErrContent]; errors of plain come
// through. A piece that is all padding needs no plain. The result uses buf when it is large enough.
func (l *Large) Piece(i int, plain io.ReaderAt, buf []byte) ([]byte, error) {
	n := l.PieceLen(i)
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	off := int64(i) * l.PieceLength
	content := max(0, min(n, l.Size-off))
	if content > 0 {
		switch got, err := plain.ReadAt(buf[:content], off); {
		case int64(got) == content:
		case err == nil || errors.Is(err, io.EOF):
			return nil, fmt.Errorf("piece %d: %w: the file is shorter", i, ErrContent)
		default:
			return nil, err
		}
	}
	clear(buf[content:])
	Crypt(l.Keys[i], 0, buf, buf)
	if !l.CheckPiece(i, buf) {
		return nil, fmt.Errorf("piece %d: %w", i, ErrContent)
	}
	return buf, nil
}

// Crypt encrypts or decrypts src, which stands at off in the torrent, to dst; it may reach over several pieces.
// dst and src are of equal length, within the torrent, and the same or do not overlap.
func (l *Large) Crypt(off int64, dst, src []byte) {
	for len(src) > 0 {
		i, in := off/l.PieceLength, off%l.PieceLength
		n := min(l.PieceLength-in, int64(len(src)))
		Crypt(l.Keys[i], in, dst[:n], src[:n])
		off, dst, src = off+n, dst[n:], src[n:]
	}
}

// CheckChunks checks a file that has arrived end to end, by the SHA-256s of all its chunks (plain, with padding). The
// error wraps [ErrContent].
func (l *Large) CheckChunks(sums [][32]byte) error {
	if len(sums) != len(l.Keys) || hashOf(sums) != l.Hash {
		return ErrContent
	}
	return nil
}
