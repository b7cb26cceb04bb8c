package keystore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"
	"strconv"
	"strings"
)

// A Key is what git-annex calls content by: BACKEND[-sSIZE][-mTIME][-SCHUNKSIZE-CNUMBER]--NAME, or anything else.
type Key string

const (
	maxKey  = 8 << 10 // bytes of a key
	maxName = 200     // bytes of a file name; a conflict copy's is longer
	top     = "annex" // in the share's folder
)

var errKey = errors.New("no key: it is empty, too long or has a line break")

// ParseKey checks that a text may be a key: a line of up to 8 KiB.
func ParseKey(s string) (Key, error) {
	if s == "" || len(s) > maxKey || strings.ContainsAny(s, "\n\r\x00") {
		return "", errKey
	}
	return Key(s), nil
}

// Path is where the content of the key is for a repository: the UUID of the special remote, so that repositories that use
// one share do not remove each other's keys. It is relative to the folder of the share. No two keys have the same.
func (k Key) Path(repository string) string {
	hash := sha256.Sum256([]byte(k))
	return path.Join(top, fileName(repository), hex.EncodeToString(hash[:1]), fileName(string(k)))
}

// fileName is a text as a file name of ASCII that no system and no share minds. What is plain stays what it is; of what is
// too long the name is a hash.
func fileName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if plain(c) && (c != '.' || i > 0) {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	if b.Len() <= maxName {
		return b.String()
	}
	hash := sha256.Sum256([]byte(s))
	return "%" + hex.EncodeToString(hash[:]) // lower case: nothing above begins like that and is as long
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-=+,", c) >= 0
}

// Size is how many bytes the content has that is stored under the key: of a chunk, those of the chunk. false: the key does
// not say it, as that of encrypted content.
func (k Key) Size() (int64, bool) {
	head, _, ok := strings.Cut(string(k), "--")
	if !ok {
		return 0, false
	}
	fields := map[byte]int64{}
	for _, field := range strings.Split(head, "-")[1:] {
		if field == "" {
			return 0, false
		}
		n, err := strconv.ParseInt(field[1:], 10, 64)
		if err != nil || n < 0 {
			return 0, false
		}
		fields[field[0]] = n
	}
	size, known := fields['s']
	chunk, chunked := fields['S']
	number, numbered := fields['C']
	switch {
	case !known || chunked != numbered:
		return 0, false
	case !chunked:
		return size, true
	case chunk == 0 || number == 0 || number-1 > size/chunk:
		return 0, false
	}
	return min(chunk, size-(number-1)*chunk), true
}
