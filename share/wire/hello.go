package wire

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"

	"shoal/share/secret"
)

// Version is what this package speaks: 256 × major + minor. Nodes of one major version understand each other.
const Version = 1 << 8

func checkVersion(v int64) error {
	if v>>8 != Version>>8 {
		return fmt.Errorf("%w: version %d, and this is version %d: the older shoal must be updated",
			ErrVersion, v>>8, Version>>8)
	}
	return nil
}

// Stays reports which of two connections between the same nodes is kept: the one that the smaller key dialled. Both sides
// come to the same result. dialled says that own dialled the one in question.
func Stays(own, peer [32]byte, dialled bool) bool {
	return dialled == (bytes.Compare(own[:], peer[:]) < 0)
}

// role of a side in the handshake, as it is signed: a HELLO cannot be thrown back at who sent it.
func role(dialled bool) byte {
	if dialled {
		return 'i'
	}
	return 'r'
}

// sign fills in what a HELLO proves.
func (m *Hello) sign(id secret.Identity, share secret.ShareID, dialled bool, binding []byte) {
	m.Ver = Version
	m.PK, m.Box = id.Key(), id.BoxKey()
	m.Sig = [64]byte(secret.Sign(id.Sign, secret.SignHello, append([]byte{role(dialled)}, binding...)))
	m.SigJ = [64]byte(secret.Sign(id.Sign, secret.SignJoin, append(share[:], m.Box[:]...)))
}

// verify checks the peer's HELLO; dialled says that the peer did.
func (m *Hello) verify(own [32]byte, share secret.ShareID, dialled bool, binding []byte) error {
	if !secret.Verify(m.PK[:], secret.SignHello, append([]byte{role(dialled)}, binding...), m.Sig[:]) {
		return fmt.Errorf("%w: its name is not signed", ErrProtocol)
	}
	if m.PK == own {
		return ErrSelf
	}
	if !secret.Verify(m.PK[:], secret.SignJoin, append(share[:], m.Box[:]...), m.SigJ[:]) {
		return fmt.Errorf("%w: its box is not signed", ErrProtocol)
	}
	return nil
}

func reportBytes(share secret.ShareID, epoch uint16, r *Report) []byte {
	b := binary.BigEndian.AppendUint16(share[:], epoch)
	return append(binary.BigEndian.AppendUint64(b, uint64(r.Seq)), r.Box...)
}

// Sign fills in who reports, and the signature. Seq is not negative.
func (r *Report) Sign(key ed25519.PrivateKey, share secret.ShareID, epoch uint16) {
	r.PK = [32]byte(key.Public().(ed25519.PublicKey))
	r.Sig = [64]byte(secret.Sign(key, secret.SignReport, reportBytes(share, epoch, r)))
}

// Verify reports whether the node that r names signed it, in this epoch of the share.
func (r *Report) Verify(share secret.ShareID, epoch uint16) bool {
	return secret.Verify(r.PK[:], secret.SignReport, reportBytes(share, epoch, r), r.Sig[:])
}

// greet exchanges and verifies HELLOs. The dialler speaks first, and the other side only to one who has proved that the
// handshake was his: the first handshake message of somebody else can be replayed.
func greet(ctx context.Context, s *Secure, cfg *Config) (*Hello, error) {
	dialled := s.link.Dialled()
	if dialled {
		if err := sendHello(ctx, s, cfg); err != nil {
			return nil, err
		}
	}
	b, err := s.Recv(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Counters.add(TypeHello, in, len(b)+overhead)
	m, err := Decode(b)
	if err != nil {
		if !dialled {
			tellVersion(ctx, s, cfg, err)
		}
		return nil, err
	}
	hello, ok := m.(*Hello)
	if !ok {
		return nil, fmt.Errorf("%w: it began with %s", ErrProtocol, m.Type())
	}
	if err := hello.verify(cfg.Identity.Key(), cfg.Keys.Share, !dialled, s.binding); err != nil {
		if errors.Is(err, ErrSelf) && hello.Run != cfg.Run && hello.Run != [8]byte{} {
			err = ErrClone
		}
		return nil, err
	}
	if !dialled {
		err = sendHello(ctx, s, cfg)
	}
	return hello, err
}

func sendHello(ctx context.Context, s *Secure, cfg *Config) error {
	var m Hello
	if cfg.Hello != nil {
		m = cfg.Hello()
	}
	m.Run = cfg.Run
	m.sign(cfg.Identity, cfg.Keys.Share, s.link.Dialled(), s.binding)
	b, err := appendMessage(nil, &m)
	if err != nil {
		return err
	}
	cfg.Counters.add(TypeHello, out, len(b)+overhead)
	return s.Send(ctx, b)
}
