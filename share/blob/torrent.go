package blob

import (
	"bytes"
	"crypto/sha1" // the pieces of a v1 torrent
	"errors"
	"fmt"

	"shoal/bt/bencode"
)

// Format constants of large files (docs/shares.md §2.2).
const (
	MinPiece  = 256 << 10 // bytes
	MaxPiece  = 64 << 20
	MaxPieces = 32000
	MaxFile   = MaxPieces * MaxPiece // bytes: 2000 GiB; no larger file is shared
)

// ErrTooLarge is wrapped by errors about files of more than [MaxFile] bytes.
var ErrTooLarge = errors.New("too large to be shared")

// PieceLength is P(L): how long the pieces of a torrent of so many bytes are. It is the smallest power of two from
// [MinPiece] that makes at most [MaxPieces]. Of more than [MaxFile] bytes the error wraps [ErrTooLarge].
func PieceLength(length int64) (int64, error) {
	if length < 1 {
		return 0, invalid("a torrent of %d bytes", length)
	}
	for p := int64(MinPiece); p <= MaxPiece; p *= 2 {
		if pieces(length, p) <= MaxPieces {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%d bytes are %w: the limit is %d", length, ErrTooLarge, int64(MaxFile))
}

func pieces(length, piece int64) int64 { return (length-1)/piece + 1 }

// A Torrent is what anybody can read of a large file: its ciphertext as one ordinary private torrent.
type Torrent struct {
	Info        ID       // of the info blob
	InfoHash    [20]byte // SHA-1 of Dict
	Dict        []byte   // the info dictionary
	Length      int64    // bytes of ciphertext: the Padmé length of the file
	PieceLength int64    // bytes; the last piece may be shorter
	Sums        []byte   // SHA-1 of the pieces of ciphertext, 20 bytes each; a slice of Dict
}

// Pieces is how many there are.
func (t *Torrent) Pieces() int { return len(t.Sums) / sha1.Size }

// PieceLen is how many bytes piece i has.
func (t *Torrent) PieceLen(i int) int64 {
	return min(t.PieceLength, t.Length-int64(i)*t.PieceLength)
}

// CheckPiece reports whether b is the ciphertext of piece i.
func (t *Torrent) CheckPiece(i int, b []byte) bool {
	sum := sha1.Sum(b)
	return bytes.Equal(sum[:], t.Sums[i*sha1.Size:][:sha1.Size])
}

// newTorrent is the torrent of pieces with these sums. Its length has a piece length.
func newTorrent(length, piece int64, sums []byte) (*Torrent, []byte) {
	t := &Torrent{Length: length, PieceLength: piece, Dict: infoDict(length, piece, sums)}
	t.Sums = t.Dict[len(t.Dict)-len(infoTail)-len(sums):][:len(sums):len(sums)]
	t.InfoHash = sha1.Sum(t.Dict)
	id, b := Clear(Info, nil, t.Dict)
	t.Info = id
	return t, b
}

const infoTail = "7:privatei1ee"

// infoDict is the only form that the info dictionary of a share's torrent has.
func infoDict(length, piece int64, sums []byte) []byte {
	b := make([]byte, 0, len(sums)+128)
	b = bencode.AppendInt(append(b, "d6:length"...), length)
	b = bencode.AppendInt(append(b, "4:name1:s12:piece length"...), piece)
	b = bencode.AppendString(append(b, "6:pieces"...), sums)
	return append(b, infoTail...)
}

// CheckInfo checks that b is the info blob that id names, in the only form that an info dictionary has, of a length that
// padding gives. It is all that a store node can check (docs/shares.md §2.2). Errors wrap [ErrID] or [ErrInvalid].
func CheckInfo(id ID, b []byte) (*Torrent, error) {
	if id.Kind() != Info {
		return nil, invalid("kind %d is no info dictionary", id.Kind())
	}
	h, err := parseAs(id, b)
	if err != nil {
		return nil, err
	}
	length, sums, ok := readInfo(h.Body)
	if !ok || h.Version != Version {
		return nil, invalid("not the info dictionary of a share's torrent")
	}
	if length <= Small || Padme(length) != length {
		return nil, invalid("a torrent of %d bytes", length)
	}
	piece, err := PieceLength(length)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if int64(len(sums)) != sha1.Size*pieces(length, piece) {
		return nil, invalid("%d bytes of piece sums for a torrent of %d bytes", len(sums), length)
	}
	t, again := newTorrent(length, piece, sums)
	if !bytes.Equal(again, b) {
		return nil, invalid("an info dictionary of another form")
	}
	return t, nil
}

// readInfo finds the two values of an info dictionary that do not follow from others.
func readInfo(dict []byte) (length int64, sums []byte, ok bool) {
	if bencode.Check(dict, bencode.Limits{Depth: 1, Count: 11, Size: MaxBlob}) != nil {
		return 0, nil, false
	}
	c := bencode.NewCursor(dict)
	for c.Enter(bencode.Dict); c.More(); {
		switch key, _ := c.Bytes(); string(key) {
		case "length":
			length, _ = c.Int64()
		case "pieces":
			sums, _ = c.Bytes()
		default:
			c.Skip()
		}
	}
	return length, sums, true
}

// Sum is the SHA-1 of piece i.
func (t *Torrent) Sum(i int) []byte { return t.Sums[i*sha1.Size:][:sha1.Size:sha1.Size] }
