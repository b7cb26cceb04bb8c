package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/flynn/noise"

	"shoal/share/secret"
)

// overhead is the bytes that encryption adds to a frame.
const overhead = 16

// A Secure is a Link behind a finished handshake: frames are encrypted with keys that live as long as it does, so that
// the secret, if it leaks later, does not open them. A frame that is lost, changed, repeated or out of order ends it.
//
// A direction has 2^64-2 messages, which nobody lives to send; ChaCha20-Poly1305 needs no new key before.
type Secure struct {
	link    Link
	binding []byte

	mu  sync.Mutex         // held from the encryption to the Link's queue, for the order is the nonce
	enc *noise.CipherState // guarded by mu

	dec *noise.CipherState // of the one goroutine that calls Recv
}

// Handshake proves to each side that the other knows the store secret, and nothing to who does not: before the peer's
// handshake message is verified, no byte is sent that depends on more than public values and fresh randomness, and the
// two handshake messages have no payload (docs/shares.md §5.2). The dialler is the initiator. random makes the ephemeral
// key; nil is the system's. The error wraps ErrWrongSecret when what came is no message of one who knows the secret;
// the link is closed after any error. ctx bounds it.
func Handshake(ctx context.Context, link Link, keys *secret.Keys, random io.Reader) (*Secure, error) {
	prologue := append([]byte("shoal/1"), keys.Rendezvous[:]...)
	s, err := handshake(ctx, link, prologue, keys.PSK[:], random)
	if err != nil {
		link.Close()
		return nil, fmt.Errorf("shaking hands: %w", err)
	}
	return s, nil
}

func handshake(ctx context.Context, link Link, prologue, psk []byte, random io.Reader) (*Secure, error) {
	hs, err := noise.NewHandshakeState(noise.Config{
		CipherSuite:  noise.NewCipherSuite(noise.DH25519, noise.CipherChaChaPoly, noise.HashSHA256),
		Random:       random,
		Pattern:      noise.HandshakeNN,
		Initiator:    link.Dialled(),
		Prologue:     prologue,
		PresharedKey: psk, // placed at 0
	})
	if err != nil {
		return nil, err
	}
	return shake(ctx, link, hs, link.Dialled())
}

// shake exchanges the two messages of a handshake.
func shake(ctx context.Context, link Link, hs *noise.HandshakeState, initiator bool) (_ *Secure, err error) {
	s := &Secure{link: link}
	if initiator {
		if _, _, err = writeHandshake(ctx, link, hs); err == nil {
			s.enc, s.dec, err = readHandshake(ctx, link, hs)
		}
	} else if _, _, err = readHandshake(ctx, link, hs); err == nil {
		s.dec, s.enc, err = writeHandshake(ctx, link, hs)
	}
	if err != nil {
		return nil, err
	}
	s.binding = append(s.binding, hs.ChannelBinding()...)
	return s, nil
}

func writeHandshake(ctx context.Context, link Link, hs *noise.HandshakeState) (a, b *noise.CipherState, err error) {
	frame, a, b, err := hs.WriteMessage(nil, nil)
	if err != nil {
		return nil, nil, err
	}
	return a, b, link.Send(ctx, frame)
}

func readHandshake(ctx context.Context, link Link, hs *noise.HandshakeState) (a, b *noise.CipherState, err error) {
	frame, err := link.Recv(ctx)
	if err != nil {
		return nil, nil, err
	}
	_, a, b, err = hs.ReadMessage(nil, frame)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrWrongSecret, err)
	}
	return a, b, nil
}

// Binding is the hash of the handshake: both sides have it, and no two connections have the same.
func (s *Secure) Binding() []byte { return s.binding }

// Send encrypts and queues a message of at most MaxFrame-16 bytes; it waits while the Link's queue is full. The message
// is the Secure's from then on; one with 16 bytes of spare capacity is encrypted in place. After an error the link is
// closed, for the peer could not decrypt what follows.
func (s *Secure) Send(ctx context.Context, message []byte) error {
	if len(message) > MaxFrame-overhead {
		return fmt.Errorf("sending %d bytes: more than a frame holds", len(message))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	frame, err := s.enc.Encrypt(message[:0], nil, message)
	if err == nil {
		err = s.link.Send(ctx, frame)
	}
	if err != nil {
		s.link.Close()
	}
	return err
}

var errFrame = errors.New("a frame that does not decrypt")

// Recv is the next message, decrypted in place. After an error that wraps ErrProtocol the link is closed. One goroutine
// calls it.
func (s *Secure) Recv(ctx context.Context) ([]byte, error) {
	frame, err := s.link.Recv(ctx)
	if err != nil {
		return nil, err
	}
	if len(frame) <= MaxFrame {
		var message []byte
		if message, err = s.dec.Decrypt(frame[:0], nil, frame); err == nil {
			return message, nil
		}
	}
	s.link.Close()
	return nil, fmt.Errorf("%w: %w", ErrProtocol, errFrame)
}

// Close closes the link.
func (s *Secure) Close() { s.link.Close() }
