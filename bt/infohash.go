package bt

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// InfoHash names a torrent: the SHA-1 of its info dictionary (BEP 3).
type InfoHash [20]byte

// InfoHashV2 names a v2 torrent: the SHA-256 of its info dictionary (BEP 52).
type InfoHashV2 [32]byte

// ParseInfoHash reads 40 hexadecimal or 32 base32 digits, in any case.
func ParseInfoHash(s string) (h InfoHash, err error) {
	switch len(s) {
	case 40:
		if _, err := hex.Decode(h[:], []byte(s)); err != nil {
			return InfoHash{}, fmt.Errorf("parsing infohash %q: not hexadecimal", s)
		}
		return h, nil
	case 32:
		b, err := base32.StdEncoding.DecodeString(strings.ToUpper(s))
		if err != nil {
			return h, fmt.Errorf("parsing infohash %q: not base32", s)
		}
		return InfoHash(b), nil
	}
	return h, fmt.Errorf("parsing infohash %q: want 40 hexadecimal or 32 base32 digits", s)
}

// ParseInfoHashV2 reads 64 hexadecimal digits, in any case.
func ParseInfoHashV2(s string) (h InfoHashV2, err error) {
	if len(s) != 64 {
		return h, fmt.Errorf("parsing infohash %q: want 64 hexadecimal digits", s)
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return InfoHashV2{}, fmt.Errorf("parsing infohash %q: not hexadecimal", s)
	}
	return h, nil
}

// String is the hash in lower-case hexadecimal.
func (h InfoHash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is unset: a v2-only torrent has no v1 infohash.
func (h InfoHash) IsZero() bool { return h == InfoHash{} }

// MarshalText is the hash in lower-case hexadecimal.
func (h InfoHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// String is the hash in lower-case hexadecimal.
func (h InfoHashV2) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is unset: a v1-only torrent has no v2 infohash.
func (h InfoHashV2) IsZero() bool { return h == InfoHashV2{} }

// MarshalText is the hash in lower-case hexadecimal.
func (h InfoHashV2) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Short is the v2 infohash cut to 20 bytes, which is what handshakes, trackers and the DHT carry (BEP 52).
func (h InfoHashV2) Short() InfoHash { return InfoHash(h[:20]) }
