package wire

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/flynn/noise"
)

// A TunnelKey is the X25519 private key of who listens for tunnels: connections that carry somebody else's bytes, and
// belong to no share.
type TunnelKey [32]byte

// A TunnelAddress is the public key of a TunnelKey. Who has it can find the listener and connect, and is sure to talk to
// nobody else; who has not can do neither.
type TunnelAddress [32]byte

// NewTunnelKey makes a key.
func NewTunnelKey() (TunnelKey, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return TunnelKey{}, err
	}
	return TunnelKey(key.Bytes()), nil
}

// Address is where the key listens.
func (k TunnelKey) Address() (TunnelAddress, error) {
	key, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		return TunnelAddress{}, err
	}
	return TunnelAddress(key.PublicKey().Bytes()), nil
}

var tunnelText = base32.StdEncoding.WithPadding(base32.NoPadding)

// String is the address as text: 52 letters and digits.
func (a TunnelAddress) String() string { return strings.ToLower(tunnelText.EncodeToString(a[:])) }

// ParseTunnelAddress reads the text of an address.
func ParseTunnelAddress(s string) (a TunnelAddress, err error) {
	b, err := tunnelText.DecodeString(strings.ToUpper(s))
	if err != nil || len(b) != len(a) || TunnelAddress(b).String() != s {
		return a, errors.New("no address of a tunnel")
	}
	return TunnelAddress(b), nil
}

// derive makes of the address what is said of it to others, and what is not.
func (a TunnelAddress) derive(label string) [32]byte {
	return sha256.Sum256(append([]byte("shoal/tunnel/1 "+label+"\x00"), a[:]...))
}

// Rendezvous is the infohash of the swarm where the listener is found. It does not tell the address.
func (a TunnelAddress) Rendezvous() [20]byte {
	h := a.derive("rendezvous")
	return [20]byte(h[:20])
}

// Extension is the name of the BEP 10 extension that carries the frames.
func (a TunnelAddress) Extension() string {
	h := a.derive("extension")
	return "x" + hex.EncodeToString(h[:16])
}

// Connect is the side of a tunnel that knows an address: it proves that, and that the peer has the key of it (Noise
// NKpsk0, the PSK made of the address). The error wraps ErrWrongSecret when the peer has not; the link is closed after any
// error.
func (a TunnelAddress) Connect(ctx context.Context, link Link) (*Secure, error) {
	return a.tunnel(ctx, link, noise.Config{Initiator: true, PeerStatic: a[:]})
}

// Accept is the side of a tunnel that listens, as Connect.
func (k TunnelKey) Accept(ctx context.Context, link Link) (*Secure, error) {
	a, err := k.Address()
	if err != nil {
		link.Close()
		return nil, err
	}
	return a.tunnel(ctx, link, noise.Config{StaticKeypair: noise.DHKey{Private: k[:], Public: a[:]}})
}

func (a TunnelAddress) tunnel(ctx context.Context, link Link, cfg noise.Config) (*Secure, error) {
	psk := a.derive("psk")
	cfg.CipherSuite = noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA256)
	cfg.Pattern, cfg.Prologue, cfg.PresharedKey = noise.HandshakeNK, []byte("shoal/tunnel/1"), psk[:]
	hs, err := noise.NewHandshakeState(cfg)
	var s *Secure
	if err == nil {
		s, err = shake(ctx, link, hs, cfg.Initiator)
	}
	if err != nil {
		link.Close()
		return nil, fmt.Errorf("opening a tunnel: %w", err)
	}
	return s, nil
}
