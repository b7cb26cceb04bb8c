package blob

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrID is wrapped by errors about bytes that are not those that an id names.
var ErrID = errors.New("the bytes are not those of this id")

// idOf names the blob b.
func idOf(b []byte) (id ID) {
	sum := sha256.Sum256(b)
	id[0] = b[2]
	copy(id[1:], sum[:])
	return id
}

// Fits reports whether a plain text of n bytes with so many references fits into a blob of a kind that is sealed.
func Fits(refs, n int) bool {
	return refs <= MaxRefs && n <= MaxBlob && int64(HeaderLen(refs))+Padme(int64(n)) <= MaxBlob
}

// Seal encrypts plain under a key that derives from it, its references, and conv, the convergence secret of the share
// and epoch (docs/shares.md §2.1). kind is [Node], [Data] or [Recipe]. The bytes are a function of the arguments.
//
// What breaks a limit of the format is a bug of the caller, and a panic: see [Fits].
func Seal(conv [32]byte, kind Kind, refs []ID, plain []byte) (Cap, []byte) {
	b := padded(kind, refs, len(plain))
	copy(b[HeaderLen(len(refs)):], plain)
	return sealInPlace(conv, b, len(refs), len(plain), sha256.Sum256(plain))
}

// padded is a blob whose body is zeros, as long as n bytes of plain text need.
func padded(kind Kind, refs []ID, n int) []byte {
	if !kind.Sealed() {
		panic(fmt.Sprintf("blob: sealing kind %d", kind))
	}
	mustFit(kind, refs, Padme(int64(n)))
	b := make([]byte, 0, HeaderLen(len(refs))+int(Padme(int64(n))))
	return AppendHeader(b, kind, refs)[:cap(b)]
}

func mustFit(kind Kind, refs []ID, body int64) {
	if len(refs) > MaxRefs || int64(HeaderLen(len(refs)))+body > MaxBlob {
		panic(fmt.Sprintf("blob: %d references and %d bytes do not fit", len(refs), body))
	}
	if err := checkRefs(Version, kind, refs); err != nil {
		panic("blob: " + err.Error())
	}
}

// sealInPlace encrypts the body of b, of which the first n bytes are plain text with the hash sum.
func sealInPlace(conv [32]byte, b []byte, refs, n int, sum [32]byte) (Cap, []byte) {
	head := HeaderLen(refs)
	m := hmac.New(sha256.New, conv[:])
	m.Write([]byte("blob"))
	m.Write(b[2:3])
	m.Write(b[headLen:head])
	m.Write(sum[:])
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	var c Cap
	m.Sum(c.Key[:0])
	Crypt(c.Key, 0, b[head:], b[head:])
	c.ID = idOf(b)
	return c, b
}

// SealWith encrypts plain with a key that is known, as [Seal] would have.
func SealWith(key Key, kind Kind, refs []ID, plain []byte) (ID, []byte) {
	b := padded(kind, refs, len(plain))
	body := b[HeaderLen(len(refs)):]
	copy(body, plain)
	Crypt(key, 0, body, body)
	return idOf(b), b
}

// Reseal is the blob that c names, made again of its plain text (padded or not): how a node that holds the plain file
// serves the blob. When plain is no longer that, the error wraps [ErrID].
func Reseal(c Cap, refs []ID, plain []byte) ([]byte, error) {
	if !c.ID.Kind().Sealed() || !Fits(len(refs), len(plain)) || checkRefs(Version, c.ID.Kind(), refs) != nil {
		return nil, ErrID
	}
	id, b := SealWith(c.Key, c.ID.Kind(), refs, plain)
	if id != c.ID {
		return nil, ErrID
	}
	return b, nil
}

// Clear makes a blob of one of the kinds that are not encrypted: [Info], [Head] or [Moved]. What breaks a limit of the
// format is a panic, as in [Seal].
func Clear(kind Kind, refs []ID, plain []byte) (ID, []byte) {
	if !kind.Known() || kind.Sealed() {
		panic(fmt.Sprintf("blob: kind %d in the clear", kind))
	}
	mustFit(kind, refs, int64(len(plain)))
	b := AppendHeader(make([]byte, 0, HeaderLen(len(refs))+len(plain)), kind, refs)
	b = append(b, plain...)
	return idOf(b), b
}

// Verify reports whether b is the blob that id names, and has the form of a blob: nil, or an error that wraps [ErrID]
// or [ErrInvalid].
func Verify(id ID, b []byte) error {
	_, err := parseAs(id, b)
	return err
}

// parseAs is Parse of a blob that must be the one that id names.
func parseAs(id ID, b []byte) (Header, error) {
	if len(b) > MaxBlob {
		return Header{}, invalid("longer than %d bytes", MaxBlob)
	}
	if len(b) < headLen || idOf(b) != id {
		return Header{}, ErrID
	}
	return Parse(b)
}

// Open checks that b is the blob that c names, and decrypts it. plain still has its padding: zeros up to the Padmé
// length. Errors wrap [ErrID] or [ErrInvalid].
func Open(c Cap, b []byte) (refs []ID, plain []byte, err error) {
	h, err := parseAs(c.ID, b)
	if err != nil {
		return nil, nil, err
	}
	if h.Version != Version || !h.Kind.Sealed() {
		return nil, nil, invalid("kind %d of version %d is not sealed", h.Kind, h.Version)
	}
	plain = make([]byte, len(h.Body))
	Crypt(c.Key, 0, plain, h.Body)
	return h.Refs, plain, nil
}

// OpenFile is [Open] of a small file, of which its entry says the size, 1 to [Small] bytes, and the SHA-256.
func OpenFile(c Cap, size int64, hash [32]byte, b []byte) ([]byte, error) {
	if c.ID.Kind() != Data || size < 1 || size > Small {
		return nil, invalid("a file of %d bytes in a blob of kind %d", size, c.ID.Kind())
	}
	_, plain, err := Open(c, b)
	if err != nil {
		return nil, err
	}
	if int64(len(plain)) != Padme(size) {
		return nil, invalid("%d bytes of ciphertext for a file of %d", len(plain), size)
	}
	if sha256.Sum256(plain[:size]) != hash || !allZero(plain[size:]) {
		return nil, invalid("the content is not what the entry says")
	}
	return plain[:size], nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Crypt encrypts or decrypts src, which stands off bytes after the beginning of what key encrypts (a blob's body, or a
// chunk), to dst: AES-256-CTR whose counter is 0 at the beginning. dst and src are of equal length and the same or do
// not overlap; off is not negative.
func Crypt(key Key, off int64, dst, src []byte) {
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(off/aes.BlockSize))
	s := cipher.NewCTR(c, iv[:])
	if n := off % aes.BlockSize; n > 0 {
		s.XORKeyStream(iv[:n], iv[:n]) // drops what comes before off
	}
	s.XORKeyStream(dst, src)
}
