package secret

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// The prefixes of text forms (docs/shares.md §1.1).
const (
	prefixAdmin  = "shoala"
	prefixWrite  = "shoalw"
	prefixRead   = "shoalr"
	prefixStore  = "shoals"
	prefixInvite = "shoali"
)

var rolePrefix = map[Role]string{Admin: prefixAdmin, Write: prefixWrite, Read: prefixRead, Store: prefixStore}

const (
	textVersion = 1
	maxText     = 1 << 10 // characters of a text, spaces included
	maxURL      = 8 << 10
)

// A TextError tells what is wrong with the text of a token, an invite or a URL. It shows nothing of what is secret.
type TextError struct {
	Form string // "token", "invite" or "URL"
	What string
	At   int // which character, from 1, spaces not counted; 0 when that is not known
}

func (e *TextError) Error() string {
	if e.At > 0 {
		return fmt.Sprintf("not a valid %s: character %d %s", e.Form, e.At, e.What)
	}
	return fmt.Sprintf("not a valid %s: %s", e.Form, e.What)
}

// Text is the text form of t: a secret. t is one that came from this package; of another it is empty.
func (t Token) Text() string {
	if t.check() != nil {
		return ""
	}
	b := append([]byte{textVersion}, u16(t.Epoch)...)
	b = append(b, t.Secret[:]...)
	if t.Role != Admin {
		b = append(b, t.Share[:]...)
	}
	return encode32(rolePrefix[t.Role], b)
}

// ParseToken reads the text form of a token, in capital or small letters; white space does not count. Errors are a
// *[TextError], which says which character is wrong when it is only one.
func ParseToken(s string) (Token, error) {
	prefix, b, err := parseText("token", s, map[string][]int{
		prefixAdmin: {35}, prefixWrite: {67}, prefixRead: {67}, prefixStore: {67},
	})
	if err != nil {
		return Token{}, err
	}
	t := Token{Epoch: binary.BigEndian.Uint16(b[1:]), Secret: [32]byte(b[3:])}
	if prefix == prefixAdmin {
		return adminToken(t.Secret, t.Epoch), nil
	}
	t.Share = ShareID(b[35:])
	for role, p := range rolePrefix {
		if p == prefix {
			t.Role = role
		}
	}
	return t, nil
}

// parseText reads a text of one of the prefixes, whose data has one of so many bytes.
func parseText(form, s string, sizes map[string][]int) (prefix string, data []byte, err error) {
	s, err = plainText(form, s)
	if err != nil {
		return "", nil, err
	}
	const n = len(prefixAdmin)
	if len(s) <= n || s[n] != '1' || sizes[s[:n]] == nil {
		return "", nil, wrongPrefix(form, s)
	}
	prefix = s[:n]
	values := make([]byte, 0, len(s))
	for i := n + 1; i < len(s); i++ {
		v := strings.IndexByte(letters, s[i])
		if v < 0 {
			return "", nil, &TextError{form, fmt.Sprintf("is %q, which none has", s[i:i+1]), i + 1}
		}
		values = append(values, byte(v))
	}
	if checksum(prefix, values) != 0 || len(values) < checkLen {
		return "", nil, wrongSum(form, prefix, values, sizes)
	}
	data, ok := decode32(values[:len(values)-checkLen])
	if !ok || len(data) == 0 {
		return "", nil, &TextError{Form: form, What: "its checksum is right, its length is not"}
	}
	if data[0] != textVersion {
		return "", nil, &TextError{Form: form, What: fmt.Sprintf("it is of version %d, which this program does not know", data[0])}
	}
	for _, size := range sizes[prefix] {
		if len(data) == size {
			return prefix, data, nil
		}
	}
	return "", nil, &TextError{Form: form, What: "its checksum is right, its length is not"}
}

// plainText is s in small letters, without white space.
func plainText(form, s string) (string, error) {
	if len(s) > maxText {
		return "", &TextError{Form: form, What: "it is too long"}
	}
	s = strings.Join(strings.Fields(s), "")
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return "", &TextError{form, "is none that can be typed", i + 1}
		}
	}
	if s != strings.ToLower(s) && s != strings.ToUpper(s) {
		return "", &TextError{Form: form, What: "it mixes capital and small letters"}
	}
	return strings.ToLower(s), nil
}

// wrongPrefix says what a text without a right beginning may be.
func wrongPrefix(form, s string) error {
	what := "it does not begin with shoalw1, shoalr1, shoals1 or shoala1"
	switch {
	case s == "":
		what = "it is empty"
	case form == "invite":
		what = "it does not begin with shoali1"
	case form == formNode:
		what = "it does not begin with shoaln1"
	case strings.HasPrefix(s, prefixInvite+"1"):
		what = "it is an invite"
	case strings.HasPrefix(s, scheme):
		what = "it is a URL"
	}
	return &TextError{Form: form, What: what}
}

// wrongSum says why a checksum may be wrong.
func wrongSum(form, prefix string, values []byte, sizes map[string][]int) error {
	known := false
	want := 0
	for _, size := range sizes[prefix] {
		want = (size*8+4)/5 + checkLen
		known = known || want == len(values)
	}
	if !known {
		have := len(prefix) + 1 + len(values)
		if len(sizes[prefix]) > 1 {
			return &TextError{Form: form, What: fmt.Sprintf("%d characters are too few or too many", have)}
		}
		return &TextError{Form: form, What: fmt.Sprintf("it has %d characters instead of %d", have, len(prefix)+1+want)}
	}
	for other := range sizes {
		if checksum(other, values) == 0 {
			return &TextError{form, "is mistyped", len(prefix)}
		}
	}
	if i, ok := mistyped(prefix, values); ok {
		return &TextError{form, "is mistyped", len(prefix) + 1 + i + 1}
	}
	return &TextError{Form: form, What: "more than one character is mistyped"}
}

// An Invite lets one node join once (docs/shares.md §7). Its code is a secret.
type Invite struct {
	Code [16]byte
	Hint netip.AddrPort // where the inviter may be reached; optional
}

// Text is the text form of v: a secret.
func (v Invite) Text() string {
	b := append([]byte{textVersion}, v.Code[:]...)
	if v.Hint.IsValid() {
		b = append(b, v.Hint.Addr().Unmap().AsSlice()...)
		b = append(b, u16(v.Hint.Port())...)
	}
	return encode32(prefixInvite, b)
}

// ParseInvite reads the text form of an invite, as [ParseToken] does that of a token.
func ParseInvite(s string) (Invite, error) {
	_, b, err := parseText("invite", s, map[string][]int{prefixInvite: {17, 17 + 6, 17 + 18}})
	if err != nil {
		return Invite{}, err
	}
	v := Invite{Code: [16]byte(b[1:])}
	if b = b[17:]; len(b) > 0 {
		addr, _ := netip.AddrFromSlice(b[:len(b)-2])
		v.Hint = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[len(b)-2:]))
	}
	if addr := v.Hint.Addr(); addr != addr.Unmap() {
		return Invite{}, &TextError{Form: "invite", What: "its address has another form"}
	}
	return v, nil
}

// InviteKeys is what the two ends of an invite meet with.
type InviteKeys struct {
	Rendezvous [20]byte // infohash of the invite's swarm
	PSK        [32]byte // of the Noise handshake
	Extension  string   // name of the BEP 10 extension
}

// Keys derives what v gives.
func (v Invite) Keys() InviteKeys {
	return InviteKeys{
		Rendezvous: [20]byte(kdf(v.Code[:], labelInviteRendezvous, 20)),
		PSK:        [32]byte(kdf(v.Code[:], labelInvitePSK, 32)),
		Extension:  extension(v.Code[:], labelInviteExtension),
	}
}
