// Package wire speaks just enough of the peer protocol (BEP 3, 6, 10) and of bencode for test peers and benchmarks. It
// shares no code with the engine under test, so that a mistake there is not repeated here; it checks little, so that
// it can also say what no honest peer would.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// BlockSize is what peers ask each other for, in bytes.
const BlockSize = 16 << 10

// MaxMessage is the longest message that ReadMessage takes, in bytes.
const MaxMessage = 8 << 20

// The message ids of BEP 3, 5, 6, 10 and 52.
const (
	Choke         = 0
	Unchoke       = 1
	Interested    = 2
	NotInterested = 3
	Have          = 4
	Bitfield      = 5
	Request       = 6
	Piece         = 7
	Cancel        = 8
	Port          = 9
	Suggest       = 13
	HaveAll       = 14
	HaveNone      = 15
	Reject        = 16
	AllowedFast   = 17
	Extended      = 20
	HashRequest   = 21
	Hashes        = 22
	HashReject    = 23
)

// KeepAlive is the id that ReadMessage gives for a message without one.
const KeepAlive = -1

const protocol = "\x13BitTorrent protocol"

// HandshakeLen is the length of a handshake in bytes.
const HandshakeLen = len(protocol) + 8 + 20 + 20

// A Handshake opens a connection.
type Handshake struct {
	Reserved [8]byte
	InfoHash [20]byte
	PeerID   [20]byte
}

// NewHandshake is one that offers the extension protocol (BEP 10) and, when fast is set, the fast extension (BEP 6).
func NewHandshake(infoHash [20]byte, id string, fast bool) Handshake {
	h := Handshake{InfoHash: infoHash}
	copy(h.PeerID[:], id)
	h.Reserved[5] |= 0x10
	if fast {
		h.Reserved[7] |= 0x04
	}
	return h
}

// Fast reports whether the fast extension is offered.
func (h Handshake) Fast() bool { return h.Reserved[7]&0x04 != 0 }

// Extended reports whether the extension protocol is offered.
func (h Handshake) Extended() bool { return h.Reserved[5]&0x10 != 0 }

// Append appends the handshake's bytes to b.
func (h Handshake) Append(b []byte) []byte {
	b = append(b, protocol...)
	b = append(b, h.Reserved[:]...)
	b = append(b, h.InfoHash[:]...)
	return append(b, h.PeerID[:]...)
}

// ReadHandshake reads a plain (not encrypted) handshake.
func ReadHandshake(r io.Reader) (h Handshake, err error) {
	var b [HandshakeLen]byte
	// The first bytes alone tell an encrypted handshake, which may be shorter than a plain one.
	if _, err := io.ReadFull(r, b[:len(protocol)]); err != nil {
		return h, fmt.Errorf("reading handshake: %w", err)
	}
	if string(b[:len(protocol)]) != protocol {
		return h, errors.New("reading handshake: not a plain one")
	}
	if _, err := io.ReadFull(r, b[len(protocol):]); err != nil {
		return h, fmt.Errorf("reading handshake: %w", err)
	}
	rest := b[len(protocol):]
	copy(h.Reserved[:], rest)
	copy(h.InfoHash[:], rest[8:])
	copy(h.PeerID[:], rest[28:])
	return h, nil
}

// AppendMessage appends a message with its length prefix.
func AppendMessage(b []byte, id byte, payload ...byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(payload)))
	b = append(b, id)
	return append(b, payload...)
}

// AppendInts appends a message whose payload is 32-bit integers: have, request, cancel, reject and the like.
func AppendInts(b []byte, id byte, ints ...uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+4*len(ints)))
	b = append(b, id)
	for _, n := range ints {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// AppendExtended appends a message of the extension protocol: payload is bencoded, then follows rest as it is.
func AppendExtended(b []byte, ext byte, payload any, rest []byte) []byte {
	body := append([]byte{ext}, Bencode(payload)...)
	return AppendMessage(b, Extended, append(body, rest...)...)
}

// A Block is what a request, cancel, reject or the head of a piece message names.
type Block struct{ Piece, Begin, Length uint32 }

// ParseBlock reads a request's payload; ok is false when it is too short.
func ParseBlock(p []byte) (b Block, ok bool) {
	if len(p) < 12 {
		return b, false
	}
	return Block{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[8:])}, true
}

// ReadMessage reads a message; the payload is valid until the next call when it lies in *buf, which grows as needed.
func ReadMessage(r *bufio.Reader, buf *[]byte) (id int, payload []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n == 0 {
		return KeepAlive, nil, nil
	}
	if n > MaxMessage {
		return 0, nil, fmt.Errorf("reading message: %d bytes", n)
	}
	if cap(*buf) < n {
		*buf = make([]byte, n)
	}
	b := (*buf)[:n]
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, nil, err
	}
	return int(b[0]), b[1:], nil
}

// FullBitfield is a bitfield of n pieces that are all there.
func FullBitfield(n int) []byte {
	b := make([]byte, (n+7)/8)
	for i := range n {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}
