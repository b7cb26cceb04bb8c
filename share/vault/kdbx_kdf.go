package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/crypto/argon2"
)

// What a password goes through. Argon2d, which KeePassXC takes for new databases of its own, is not at hand.
var (
	kdfArgon2id = []byte("\x9e\x29\x8b\x19\x56\xdb\x47\x73\xb2\x3d\xfc\x3e\xc6\xf0\xa1\xe6")
	kdfAES      = []byte("\x7c\x02\xbb\x82\x79\xa7\x4a\xc0\x92\x7d\x11\x4a\x00\x64\x82\x38")
	kdfAES3     = []byte("\xc9\xd9\xf3\x9a\x62\x8a\x44\x60\xbf\x74\x0d\x08\xc1\x8a\x4f\xea")
)

// Types of values in a dictionary of parameters.
const (
	typeU32   = 0x04
	typeU64   = 0x05
	typeBytes = 0x42
)

const argonVersion = 0x13

// kdfParams say how a password is slowed down. Those of a stranger are bounded: a file cannot ask for more than a gigabyte,
// or a minute.
type kdfParams struct {
	id          []byte
	salt        []byte
	memory      uint64 // bytes
	iterations  uint64
	parallelism uint32
	rounds      uint64 // of AES
}

const (
	maxKDFMemory     = 1 << 30
	maxKDFIterations = 1 << 10
	maxKDFWork       = 64 << 30 // bytes written, of all iterations
	maxKDFRounds     = 1 << 30
)

func argonParams(salt []byte) kdfParams {
	return kdfParams{id: kdfArgon2id, salt: salt, memory: 64 << 20, iterations: 4, parallelism: 2}
}

// encode writes the dictionary of Argon2.
func (p kdfParams) encode() []byte {
	b := []byte{0, 1} // version
	item := func(kind byte, key string, value []byte) {
		b = binary.LittleEndian.AppendUint32(append(b, kind), uint32(len(key)))
		b = binary.LittleEndian.AppendUint32(append(b, key...), uint32(len(value)))
		b = append(b, value...)
	}
	u32 := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	u64 := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	item(typeBytes, "$UUID", p.id)
	item(typeU64, "I", u64(p.iterations))
	item(typeU64, "M", u64(p.memory))
	item(typeU32, "P", u32(p.parallelism))
	item(typeBytes, "S", p.salt)
	item(typeU32, "V", u32(argonVersion))
	return append(b, 0)
}

// parseKDF reads a dictionary of parameters.
func parseKDF(b []byte) (p kdfParams, err error) {
	if len(b) < 3 || b[1] != 1 {
		return p, errKDBX("has no parameters for its password")
	}
	version := uint64(argonVersion)
	for b = b[2:]; ; {
		if len(b) == 0 {
			return p, errKDBX("is cut short")
		}
		if b[0] == 0 {
			break
		}
		_, key, rest, err := takeField(b)
		if err != nil {
			return p, err
		}
		value, rest, err := takeSized(rest)
		if err != nil {
			return p, err
		}
		b = rest
		switch string(key) {
		case "$UUID":
			p.id = value
		case "S":
			p.salt = value
		case "I":
			p.iterations = number(value)
		case "M":
			p.memory = number(value)
		case "P":
			p.parallelism = uint32(min(number(value), 1<<16))
		case "R":
			p.rounds = number(value)
		case "V":
			version = number(value)
		}
	}
	if version != argonVersion {
		return p, errKDBX("has a password of an old kind")
	}
	return p, p.check()
}

func number(b []byte) uint64 {
	var n [8]byte
	if len(b) > len(n) {
		return 0
	}
	copy(n[:], b)
	return binary.LittleEndian.Uint64(n[:])
}

// check bounds what a file may ask for.
func (p kdfParams) check() error {
	if len(p.salt) < 8 || len(p.salt) > 64 {
		return errKDBX("has no salt for its password")
	}
	switch {
	case bytes.Equal(p.id, kdfArgon2id):
		if p.memory < 8<<10 || p.memory > maxKDFMemory || p.iterations < 1 || p.iterations > maxKDFIterations || p.memory*p.iterations > maxKDFWork || p.parallelism < 1 || p.parallelism > 64 {
			return errKDBX("asks for too much work to open it")
		}
	case bytes.Equal(p.id, kdfAES), bytes.Equal(p.id, kdfAES3):
		if p.rounds > maxKDFRounds || len(p.salt) != 32 {
			return errKDBX("asks for too much work to open it")
		}
	default:
		return errKDBX("slows passwords down in a way that is not known: save it with Argon2id or AES-KDF")
	}
	return nil
}

// transform makes the key of a password.
func (p kdfParams) transform(password string) ([]byte, error) {
	one := sha256.Sum256([]byte(password))
	key := sha256.Sum256(one[:]) // of all that is asked for, which is the password
	if bytes.Equal(p.id, kdfArgon2id) {
		return argon2.IDKey(key[:], p.salt, uint32(p.iterations), uint32(p.memory>>10), uint8(p.parallelism), 32), nil
	}
	c, err := aes.NewCipher(p.salt)
	if err != nil {
		return nil, err
	}
	for range p.rounds {
		c.Encrypt(key[:16], key[:16])
		c.Encrypt(key[16:], key[16:])
	}
	out := sha256.Sum256(key[:])
	return out[:], nil
}
