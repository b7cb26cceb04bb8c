package index

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"shoal/bt/bencode"
	"shoal/share/blob"
	"shoal/share/secret"
)

// Limits of what is sealed into a head.
const (
	MaxLabel      = 255       // bytes of a node's label
	MaxForStores  = 256 << 10 // bytes of hs, sealed
	maxForReaders = 1 << 10   // bytes of hr, sealed
)

// A Head is a state that a writer signed (docs/shares.md §3.4): everybody can check it, and what is sealed in it opens
// with the keys of its share and epoch.
type Head struct {
	ID     blob.ID
	Blob   []byte // of kind head
	Share  secret.ShareID
	Epoch  uint16
	Key    [32]byte // W, that signed it
	Cert   []byte   // by which A says that W may
	Writer Writer
	Ctx    Context
	Root   blob.ID // of the root node; its key is in what readers open

	hr, hs []byte
}

// HeadForReaders is what readers find in a head.
type HeadForReaders struct {
	Root  blob.Key
	Label string // of the node: UTF-8, at most MaxLabel bytes; to be quoted before it is shown
	Time  int64  // ns since 1970 by the writer's clock; for display only
}

// HeadForStores is what stores find in a head.
type HeadForStores struct {
	Tokens []string // store tokens of exports and links, as text
	Policy []byte   // meta policy (§6.7), as it is; nil when there is none
}

// A Draft is what a writer puts into a head.
type Draft struct {
	Cert   []byte // of the epoch: from an earlier head, or from an admin
	Writer Writer
	Ctx    Context
	Root   blob.Cap // of the root node
	Label  string
	Time   int64 // ns since 1970
	Stores HeadForStores
}

// NewHead signs a head with the keys of a writer; rand gives nonces, 48 bytes. Errors wrap [ErrLimit] when it would be
// too large, and [secret.ErrRole] when the keys are not those of a writer.
func NewHead(rand io.Reader, k *secret.Keys, d Draft) (*Head, error) {
	if k.Role < secret.Write {
		return nil, fmt.Errorf("signing a head: %w", secret.ErrRole)
	}
	if d.Root.ID.Kind() != blob.Node {
		return nil, invalid("signing a head without a root")
	}
	if len(d.Label) > MaxLabel || !utf8.ValidString(d.Label) {
		return nil, overLimit("a label of %d bytes, or not UTF-8", len(d.Label))
	}
	hr, err := k.Seal(rand, secret.FieldHeadRead, HeadForReaders{d.Root.Key, d.Label, d.Time}.encode())
	if err != nil {
		return nil, err
	}
	hs, err := k.Seal(rand, secret.FieldHeadStore, d.Stores.encode())
	if err != nil {
		return nil, err
	}
	key := [32]byte(k.Sign.Public().(ed25519.PublicKey))
	h := Head{Share: k.Share, Epoch: k.Epoch, Key: key, Cert: d.Cert, Writer: d.Writer, Ctx: d.Ctx, hr: hr, hs: hs}
	refs := []blob.ID{d.Root.ID}
	dict := h.encode()
	if n := blob.HeaderLen(1) + len(dict) + secret.SignatureSize; n > MaxHead {
		return nil, overLimit("a head of %d bytes, at most %d are allowed", n, MaxHead)
	}
	sig := secret.Sign(k.Sign, secret.SignHead, append(blob.AppendHeader(nil, blob.Head, refs), dict...))
	id, b := blob.Clear(blob.Head, refs, append(dict, sig...))
	return ParseHead(k.Share, id, b) // what is published is what others accept
}

// encode is the dictionary of a head.
func (h *Head) encode() []byte {
	b := append([]byte(nil), 'd')
	put := func(key string, v []byte) { b = bencode.AppendString(bencode.AppendString(b, key), v) }
	put("A", h.Share[:])
	put("W", h.Key[:])
	put("cert", h.Cert)
	put("ctx", h.Ctx.encode())
	b = bencode.AppendInt(bencode.AppendString(b, "e"), int64(h.Epoch))
	put("hr", h.hr)
	put("hs", h.hs)
	put("w", h.Writer[:])
	return append(b, 'e')
}

// ParseHead reads the blob b of the id, a head of the share, and verifies it: by the share's id alone, so that stores and
// readers can. It does not tell whether the epoch is the current one. Keys of later versions are passed over. Errors
// wrap [ErrInvalid].
func ParseHead(share secret.ShareID, id blob.ID, b []byte) (*Head, error) {
	h, err := ReadHead(share, id, b)
	if err != nil {
		return nil, err
	}
	switch n := len(b) - secret.SignatureSize; {
	case !secret.VerifyCert(share, h.Epoch, h.Key[:], h.Cert):
		return nil, invalid("head %s has a key that is not certified", id)
	case !secret.Verify(h.Key[:], secret.SignHead, b[:n], b[n:]):
		return nil, invalid("head %s has a wrong signature", id)
	}
	return h, nil
}

// ReadHead is ParseHead without the signatures, for a head that was verified when it came and has been kept since: a node
// that publishes often keeps thousands.
func ReadHead(share secret.ShareID, id blob.ID, b []byte) (*Head, error) {
	if len(b) > MaxHead {
		return nil, overLimit("a head of %d bytes, at most %d are allowed", len(b), MaxHead)
	}
	if err := blob.Verify(id, b); err != nil {
		return nil, fmt.Errorf("%w: reading head %s: %w", ErrInvalid, id, err)
	}
	bh, err := blob.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: reading head %s: %w", ErrInvalid, id, err)
	}
	if bh.Kind != blob.Head || bh.Version != blob.Version || len(bh.Body) < secret.SignatureSize {
		return nil, invalid("%s is no head", id)
	}
	h := &Head{ID: id, Blob: b, Root: bh.Refs[0]}
	l := lexer{b: bh.Body[:len(bh.Body)-secret.SignatureSize]}
	l.head(h)
	switch {
	case l.err != nil:
		return nil, fmt.Errorf("reading head %s: %w", id, l.err)
	case h.Share != share:
		return nil, invalid("head %s is one of another share", id)
	}
	return h, nil
}

// headLimits bound what a later version may put into a head.
var headLimits = bencode.Limits{Depth: 16, Size: MaxHead, Count: 4096}

// dict takes a dictionary whose keys are in order, to the end of the input. field takes the value of a key, and reports
// whether it knows it. It returns how many were known.
func (l *lexer) dict(field func(key string) bool) (known int) {
	last := []byte(nil)
	l.take('d')
	for first := true; l.more(); first = false {
		k := l.bytes()
		if !first && string(k) <= string(last) {
			l.fail("the keys of a dictionary are not in order")
		}
		last = k
		if field(string(k)) {
			known++
		} else {
			l.value(headLimits)
		}
	}
	if len(l.b) > 0 {
		l.fail("something behind a dictionary")
	}
	return known
}

func (l *lexer) head(h *Head) {
	known := l.dict(func(key string) bool {
		switch key {
		case "A":
			l.fixed(h.Share[:])
		case "W":
			l.fixed(h.Key[:])
		case "cert":
			h.Cert = make([]byte, secret.SignatureSize)
			l.fixed(h.Cert)
		case "ctx":
			h.Ctx = l.context()
		case "e":
			n := l.int()
			if n < 0 || n > math.MaxUint16 {
				l.fail("the epoch %d", n)
			}
			h.Epoch = uint16(n)
		case "hr":
			h.hr = l.bytes()
		case "hs":
			h.hs = l.bytes()
		case "w":
			l.fixed(h.Writer[:])
		default:
			return false
		}
		return true
	})
	if known != 8 {
		l.fail("a head without all that it needs")
	}
	if l.err == nil && (len(h.hr) > maxForReaders || len(h.hs) > MaxForStores) {
		l.err = overLimit("a head with boxes of %d and %d bytes", len(h.hr), len(h.hs))
	}
}

// encode is a context as one string: writers in order, each with its counter.
func (c Context) encode() []byte {
	b := make([]byte, 0, 16*len(c))
	for _, w := range slices.SortedFunc(maps.Keys(c), func(a, b Writer) int { return Dot{Writer: a}.Compare(Dot{Writer: b}) }) {
		if c[w] > 0 {
			b = binary.BigEndian.AppendUint64(append(b, w[:]...), c[w])
		}
	}
	return b
}

// context takes what Context.encode makes.
func (l *lexer) context() Context {
	s := l.bytes()
	switch {
	case len(s) > 16*MaxWriters && l.err == nil:
		l.err = overLimit("a context of %d writers, at most %d are allowed", len(s)/16, MaxWriters)
		return nil
	case len(s)%16 != 0:
		l.fail("a context of %d bytes", len(s))
		return nil
	}
	c := make(Context, len(s)/16)
	last := Writer{}
	for i := 0; i < len(s); i += 16 {
		w, n := Writer(s[i:]), binary.BigEndian.Uint64(s[i+8:])
		if n == 0 || n > math.MaxInt64 || i > 0 && string(w[:]) <= string(last[:]) {
			l.fail("a context that is not in order, or has the counter %d", n)
			return nil
		}
		c[w], last = n, w
	}
	return c
}

// ForReaders opens what readers find in the head, with the keys of its share and epoch. Errors wrap [secret.ErrRole],
// [secret.ErrSealed] or [ErrInvalid].
func (h *Head) ForReaders(k *secret.Keys) (r HeadForReaders, err error) {
	b, err := k.Open(secret.FieldHeadRead, h.hr)
	if err != nil {
		return r, fmt.Errorf("opening head %s: %w", h.ID, err)
	}
	return decodeForReaders(b)
}

// ForStores opens what stores find in the head; errors as of [Head.ForReaders].
func (h *Head) ForStores(k *secret.Keys) (s HeadForStores, err error) {
	b, err := k.Open(secret.FieldHeadStore, h.hs)
	if err != nil {
		return s, fmt.Errorf("opening head %s: %w", h.ID, err)
	}
	return decodeForStores(b)
}

func (r HeadForReaders) encode() []byte {
	b := bencode.AppendString([]byte("d1:k"), r.Root[:])
	b = bencode.AppendString(append(b, "1:n"...), r.Label)
	return append(bencode.AppendInt(append(b, "1:t"...), r.Time), 'e')
}

func decodeForReaders(b []byte) (r HeadForReaders, err error) {
	l := lexer{b: b}
	known := l.dict(func(key string) bool {
		switch key {
		case "k":
			l.fixed(r.Root[:])
		case "n":
			r.Label = string(l.bytes())
		case "t":
			r.Time = l.int()
		default:
			return false
		}
		return true
	})
	if known != 3 || len(r.Label) > MaxLabel || !utf8.ValidString(r.Label) {
		l.fail("a head with something else for readers")
	}
	if l.err != nil {
		return HeadForReaders{}, l.err
	}
	return r, nil
}

func (s HeadForStores) encode() []byte {
	b := append([]byte(nil), 'd')
	if len(s.Policy) > 0 {
		b = bencode.AppendString(append(b, "3:pol"...), s.Policy)
	}
	if len(s.Tokens) > 0 {
		b = append(b, "1:tl"...)
		for _, t := range s.Tokens {
			b = bencode.AppendString(b, t)
		}
		b = append(b, 'e')
	}
	return append(b, 'e')
}

func decodeForStores(b []byte) (s HeadForStores, err error) {
	l := lexer{b: b}
	l.dict(func(key string) bool {
		switch key {
		case "pol":
			s.Policy = slices.Clone(l.bytes())
		case "t":
			for l.take('l'); l.more(); {
				s.Tokens = append(s.Tokens, string(l.bytes()))
			}
		default:
			return false
		}
		return true
	})
	if l.err != nil {
		return HeadForStores{}, l.err
	}
	return s, nil
}
