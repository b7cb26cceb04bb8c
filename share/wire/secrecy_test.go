package wire_test

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"shoal/share/wire"
)

// A session is a conversation of members, as somebody on the way has recorded it.
type session struct {
	i, r   [][]byte // frames of the dialler, and of the other side
	ei, er []byte   // the ephemeral private keys, which nobody has but the test
}

// record has two members with the same static keys talk, with a canary in what they say.
func record(t *testing.T, canary string, dialler, listener byte) session {
	t.Helper()
	a, b := pairOf()
	ta, tb := &tap{Link: a}, &tap{Link: b}
	one, other := config(1), config(2)
	one.Random, other.Random = chacha(dialler), chacha(listener)
	one.Hello = func() wire.Hello { return wire.Hello{Name: canary} }
	other.Hello = one.Hello
	done := make(chan error, 1)
	go func() {
		_, err := wire.Open(t.Context(), tb, other)
		done <- err
	}()
	_, err := wire.Open(t.Context(), ta, one)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	return session{i: ta.frames(), r: tb.frames(), ei: first32(chacha(dialler)), er: first32(chacha(listener))}
}

func first32(r io.Reader) []byte {
	b := make([]byte, 32)
	if _, err := io.ReadFull(r, b); err != nil {
		panic(err)
	}
	return b
}

// noise is the state of a handshake, written from the specification of Noise (revision 34, §5) and docs/shares.md §5.2 alone.
type noise struct{ ck, h, k []byte }

func (n *noise) mixHash(b []byte) {
	sum := sha256.Sum256(append(append([]byte(nil), n.h...), b...))
	n.h = sum[:]
}

func (n *noise) derive(ikm []byte, keys int) []byte {
	out, err := hkdf.Key(sha256.New, ikm, n.ck, "", 32*keys)
	if err != nil {
		panic(err)
	}
	return out
}

func (n *noise) mixKey(ikm []byte) {
	out := n.derive(ikm, 2)
	n.ck, n.k = out[:32], out[32:]
}

// payload checks the empty payload of a handshake message.
func (n *noise) payload(ct []byte) bool {
	_, ok := unseal(n.k, 0, n.h, ct)
	n.mixHash(ct)
	return ok
}

func unseal(key []byte, count uint64, ad, ct []byte) ([]byte, bool) {
	aead, err := chacha20poly1305.New(key)
	if err != nil {
		panic(err)
	}
	nonce := binary.LittleEndian.AppendUint64(make([]byte, 4), count)
	plain, err := aead.Open(nil, nonce, ct, ad)
	return plain, err == nil
}

// open computes the handshake anew from the record, the secrets of the share, and what is said to be the private half of the
// ephemeral key of one side. It reports whether that fits, the keys of both directions, and all that the frames say.
func (s session) open(psk, prologue, private []byte, dialler bool) (ok bool, keys [2]string, text string) {
	name := sha256.Sum256([]byte("Noise_NNpsk0_25519_ChaChaPoly_SHA256"))
	n := &noise{ck: name[:], h: name[:]}
	n.mixHash(prologue)
	out := n.derive(psk, 3)
	n.ck, n.k = out[:32], out[64:]
	n.mixHash(out[32:64])
	ei, er := s.i[0][:32], s.r[0][:32]
	n.mixHash(ei)
	n.mixKey(ei)
	if !n.payload(s.i[0][32:]) {
		return false, keys, ""
	}
	n.mixHash(er)
	n.mixKey(er)
	peer := ei
	if dialler {
		peer = er
	}
	mine, err := ecdh.X25519().NewPrivateKey(private)
	if err != nil {
		panic(err)
	}
	public, err := ecdh.X25519().NewPublicKey(peer)
	if err != nil {
		panic(err)
	}
	shared, err := mine.ECDH(public)
	if err != nil {
		return false, keys, ""
	}
	n.mixKey(shared)
	ok = n.payload(s.r[0][32:])
	split := n.derive(nil, 2)
	for side, frames := range [][][]byte{s.i[1:], s.r[1:]} {
		key := split[32*side : 32*side+32]
		keys[side] = string(key)
		for i, frame := range frames {
			plain, _ := unseal(key, uint64(i), nil, frame)
			text += string(plain)
		}
	}
	return ok, keys, text
}

// TestForwardSecrecy plays who has recorded a whole connection, and later gets every secret there is to get: those of the
// share, and the keys of both nodes. The handshake is computed anew by other code, so that it is known to be no lack of
// skill: with the private half of one ephemeral key, which nobody keeps, everything opens; without one, nothing.
func TestForwardSecrecy(t *testing.T) {
	t.Parallel()
	const canary = "canary-forward"
	k := keys(1)
	prologue := append([]byte("shoal/1"), k.Rendezvous[:]...)
	s, again := record(t, canary, 11, 12), record(t, canary, 13, 14)
	if len(s.i) < 2 || len(s.r) < 2 || len(s.i[0]) != 48 || len(s.r[0]) != 48 {
		t.Fatal("a handshake is one message of 48 bytes from each side: a key and an empty payload")
	}
	ok, one, text := s.open(k.PSK[:], prologue, s.ei, true)
	if !ok || strings.Count(text, canary) != 2 {
		t.Fatalf("with the ephemeral key of the dialler: %t, %q", ok, text)
	}
	ok, same, text := s.open(k.PSK[:], prologue, s.er, false)
	if !ok || strings.Count(text, canary) != 2 || same != one {
		t.Fatalf("with that of the other side: %t, %q", ok, text)
	}

	_, other, _ := again.open(k.PSK[:], prologue, again.ei, true)
	all := map[string]bool{one[0]: true, one[1]: true, other[0]: true, other[1]: true}
	if len(all) != 4 || all[strings.Repeat("\x00", 32)] {
		t.Error("two connections with the same static keys share a key")
	}

	for name, key := range map[string][]byte{
		"psk": k.PSK[:], "share": k.Share[:], "box of the dialler": identity(1).Box.Bytes(), "box of the other": identity(2).Box.Bytes(),
		"seed of the dialler": identity(1).Sign.Seed(), "seed of the other": identity(2).Sign.Seed(),
		"an ephemeral key of the next connection": again.ei, "the other of it": again.er,
		"one of a bit more": append([]byte{s.ei[0] ^ 8}, s.ei[1:]...),
	} {
		for _, dialler := range []bool{true, false} {
			if ok, keys, text := s.open(k.PSK[:], prologue, key, dialler); ok || text != "" || keys == one {
				t.Errorf("%s opens the record: %q", name, text)
			}
		}
	}
	if ok, _, text := s.open(make([]byte, 32), prologue, s.ei, true); ok || text != "" {
		t.Error("the secret of the share is not needed")
	}
}
