package vault

import (
	"bytes"
	"compress/gzip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"io"

	"golang.org/x/crypto/chacha20"

	"shoal/bt"
	"shoal/share/api"
)

// KDBX 4 is the format of KeePass 2.35 and later: a header, its hash, its MAC, then blocks with a MAC each, which hold
// ciphertext of packed XML (https://keepass.info/help/kb/kdbx.html).

var (
	kdbxMagic   = []byte{0x03, 0xd9, 0xa2, 0x9a, 0x67, 0xfb, 0x4b, 0xb5}
	kdbxVersion = []byte{0, 0, 4, 0} // minor, major

	cipherAES      = []byte("\x31\xc1\xf2\xe6\xbf\x71\x43\x50\xbe\x58\x05\x21\x6a\xfc\x5a\xff")
	cipherChaCha20 = []byte("\xd6\x03\x8a\x2b\x8b\x6f\x4c\xb5\xa5\x24\x33\x9a\x31\xdb\xb5\x9a")
)

// Fields of the header, and of the inner one.
const (
	fieldEnd         = 0
	fieldCipher      = 2
	fieldCompression = 3
	fieldSeed        = 4
	fieldIV          = 7
	fieldKDF         = 11

	innerEnd    = 0
	innerStream = 1
	innerKey    = 2

	streamChaCha20 = 3
	kdbxBlock      = 1 << 20
)

// errKDBX is that of a file that is none, or damaged.
func errKDBX(what string) error {
	return api.Errorf(bt.BadInput, "reading secrets: the kdbx file %s", what)
}

// appendField writes a field of the header: its number, its size, its value.
func appendField(b []byte, id byte, value []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, id), uint32(len(value)))
	return append(b, value...)
}

// takeField reads a field.
func takeField(b []byte) (id byte, value, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, nil, errKDBX("is cut short")
	}
	value, rest, err = takeSized(b[1:])
	return b[0], value, rest, err
}

// takeSized reads a value behind its size.
func takeSized(b []byte) (value, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errKDBX("is cut short")
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errKDBX("is cut short")
	}
	return b[4 : 4+n], b[4+n:], nil
}

// kdbxKeys are the keys of a file, made of its seed and of what the password became.
type kdbxKeys struct{ cipher, mac []byte }

func deriveKeys(seed, transformed []byte) kdbxKeys {
	all := append(append([]byte{}, seed...), transformed...)
	c := sha256.Sum256(all)
	m := sha512.Sum512(append(all, 1))
	return kdbxKeys{c[:], m[:]}
}

// sum is the MAC of a block; that of the header has the number 2^64-1.
func (k kdbxKeys) sum(number uint64, parts ...[]byte) []byte {
	n := binary.LittleEndian.AppendUint64(nil, number)
	key := sha512.Sum512(append(n, k.mac...))
	h := hmac.New(sha256.New, key[:])
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

const headerNumber = 1<<64 - 1

// encodeKDBX writes a list as a database of KeePass, AES-256 under Argon2id.
func encodeKDBX(list []Entry, password string) ([]byte, error) {
	if password == "" {
		return nil, api.Errorf(bt.Usage, "a password cannot be empty")
	}
	var random [32 + 16 + 32 + 64]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	seed, iv, salt, stream := random[:32], random[32:48], random[48:80], random[80:]
	kdf := argonParams(salt)
	head := append(append([]byte{}, kdbxMagic...), kdbxVersion...)
	head = appendField(head, fieldCipher, cipherAES)
	head = appendField(head, fieldCompression, []byte{1, 0, 0, 0})
	head = appendField(head, fieldSeed, seed)
	head = appendField(head, fieldIV, iv)
	head = appendField(head, fieldKDF, kdf.encode())
	head = appendField(head, fieldEnd, []byte("\r\n\r\n"))
	transformed, err := kdf.transform(password)
	if err != nil {
		return nil, err
	}
	keys := deriveKeys(seed, transformed)
	text, err := kdbxXML(list, stream)
	if err != nil {
		return nil, err
	}
	inner := appendField(nil, innerStream, []byte{streamChaCha20, 0, 0, 0})
	inner = appendField(inner, innerKey, stream)
	inner = appendField(inner, innerEnd, nil)
	sealed, err := sealPayload(keys, iv, append(inner, text...))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(head)
	out := append(append(head[:len(head):len(head)], sum[:]...), keys.sum(headerNumber, head)...)
	return append(out, blocks(keys, sealed)...), nil
}

// sealPayload packs, pads and encrypts.
func sealPayload(keys kdbxKeys, iv, plain []byte) ([]byte, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	b := packed.Bytes()
	pad := aes.BlockSize - len(b)%aes.BlockSize
	b = append(b, bytes.Repeat([]byte{byte(pad)}, pad)...)
	c, err := aes.NewCipher(keys.cipher)
	if err != nil {
		return nil, err
	}
	cipher.NewCBCEncrypter(c, iv).CryptBlocks(b, b)
	return b, nil
}

// blocks cuts ciphertext into blocks with MACs; an empty one ends it.
func blocks(keys kdbxKeys, b []byte) (out []byte) {
	for i := uint64(0); ; i++ {
		part := b[:min(len(b), kdbxBlock)]
		b = b[len(part):]
		size := binary.LittleEndian.AppendUint32(nil, uint32(len(part)))
		number := binary.LittleEndian.AppendUint64(nil, i)
		out = append(append(append(out, keys.sum(i, number, size, part)...), size...), part...)
		if len(part) == 0 {
			return out
		}
	}
}

// decodeKDBX reads a database of KeePass. Entries whose password is no secret of shoal are passed over.
func decodeKDBX(b []byte, password string) ([]Entry, error) {
	h, rest, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	transformed, err := h.kdf.transform(password)
	if err != nil {
		return nil, err
	}
	keys := deriveKeys(h.seed, transformed)
	if !hmac.Equal(rest[:32], keys.sum(headerNumber, h.raw)) {
		return nil, errPassword()
	}
	sealed, err := openBlocks(keys, rest[32:])
	if err != nil {
		return nil, err
	}
	plain, err := h.openPayload(keys, sealed)
	if err != nil {
		return nil, err
	}
	var stream []byte
	for {
		id, value, rest, err := takeField(plain)
		if err != nil {
			return nil, err
		}
		plain = rest
		switch {
		case id == innerEnd:
			if stream == nil {
				return nil, errKDBX("has no key for what it protects")
			}
			return parseKDBX(plain, stream)
		case id == innerStream && !bytes.Equal(value, []byte{streamChaCha20, 0, 0, 0}):
			return nil, errKDBX("protects passwords in a way that is not known")
		case id == innerKey:
			stream = value
		}
	}
}

// kdbxHeader is what stands in front.
type kdbxHeader struct {
	raw, cipher, seed, iv []byte
	packed                bool
	kdf                   kdfParams
}

// readHeader reads the header, and checks its hash. rest begins with its MAC.
func readHeader(b []byte) (h kdbxHeader, rest []byte, err error) {
	if len(b) < 12 || !bytes.HasPrefix(b, kdbxMagic) || b[10] != 4 || b[11] != 0 {
		return h, nil, errKDBX("is not of version 4")
	}
	rest = b[12:]
	for id := byte(1); id != fieldEnd; {
		var value []byte
		if id, value, rest, err = takeField(rest); err != nil {
			return h, nil, err
		}
		switch id {
		case fieldCipher:
			h.cipher = value
		case fieldCompression:
			h.packed = len(value) == 4 && value[0] == 1
		case fieldSeed:
			h.seed = value
		case fieldIV:
			h.iv = value
		case fieldKDF:
			if h.kdf, err = parseKDF(value); err != nil {
				return h, nil, err
			}
		}
	}
	h.raw = b[:len(b)-len(rest)]
	sum := sha256.Sum256(h.raw)
	if len(rest) < 64 || !bytes.Equal(rest[:32], sum[:]) {
		return h, nil, errKDBX("is damaged")
	}
	if len(h.seed) != 32 || h.kdf.salt == nil {
		return h, nil, errKDBX("has no seed")
	}
	return h, rest[32:], nil
}

// openBlocks checks and joins blocks.
func openBlocks(keys kdbxKeys, b []byte) (out []byte, err error) {
	for i := uint64(0); ; i++ {
		if len(b) < 36 {
			return nil, errKDBX("is cut short")
		}
		sum, size := b[:32], b[32:36]
		n := binary.LittleEndian.Uint32(size)
		if b = b[36:]; uint64(n) > uint64(len(b)) {
			return nil, errKDBX("is cut short")
		}
		if !hmac.Equal(sum, keys.sum(i, binary.LittleEndian.AppendUint64(nil, i), size, b[:n])) {
			return nil, errKDBX("is damaged")
		}
		if n == 0 {
			return out, nil
		}
		out, b = append(out, b[:n]...), b[n:]
	}
}

// openPayload decrypts and unpacks.
func (h *kdbxHeader) openPayload(keys kdbxKeys, b []byte) ([]byte, error) {
	switch {
	case bytes.Equal(h.cipher, cipherAES) && len(h.iv) == aes.BlockSize && len(b) > 0 && len(b)%aes.BlockSize == 0:
		c, err := aes.NewCipher(keys.cipher)
		if err != nil {
			return nil, err
		}
		cipher.NewCBCDecrypter(c, h.iv).CryptBlocks(b, b)
		pad := int(b[len(b)-1]) // the MACs were right: nobody is told anything by this
		if pad < 1 || pad > aes.BlockSize {
			return nil, errKDBX("is damaged")
		}
		b = b[:len(b)-pad]
	case bytes.Equal(h.cipher, cipherChaCha20) && len(h.iv) == chacha20.NonceSize:
		c, err := chacha20.NewUnauthenticatedCipher(keys.cipher, h.iv)
		if err != nil {
			return nil, err
		}
		c.XORKeyStream(b, b)
	default:
		return nil, errKDBX("is encrypted in a way that is not known: save it with AES-256 or ChaCha20")
	}
	if !h.packed {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, errKDBX("is damaged")
	}
	out, err := io.ReadAll(io.LimitReader(z, maxFile+1))
	if err == nil && len(out) > maxFile {
		err = errors.New("too large")
	}
	if err != nil {
		return nil, errKDBX("is damaged, or too large")
	}
	return out, nil
}
