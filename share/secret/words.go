package secret

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
)

const (
	wordCount  = 4
	wordBits   = 11
	wordRounds = 1 << 16 // about 20 ms: who looks for a second key with the same words pays them for each
)

var wordList = sync.OnceValue(func() []string { return strings.Fields(wordText) })

// Words are four words that two people compare to be sure that they speak of the same node: 44 bits of a slow hash of its
// key in a share (docs/shares.md §7). They are not secret.
func Words(share ShareID, pk [32]byte) string {
	b, err := pbkdf2.Key(sha256.New, string(pk[:]), append([]byte("shoal/1/words"), share[:]...), wordRounds, 8)
	if err != nil {
		panic(err) // only for lengths that are none
	}
	bits, words := binary.BigEndian.Uint64(b), make([]string, wordCount)
	for i := range words {
		words[i] = wordList()[bits>>(64-wordBits)]
		bits <<= wordBits
	}
	return strings.Join(words, " ")
}
