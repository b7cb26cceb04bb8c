package db

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"shoal/share/blob"
	"shoal/share/index"
)

// How values of the index stand in columns. Lengths are checked on the way back: a row is as good as its page.

func encodeCtx(c index.Context) []byte {
	ids := make([]index.Writer, 0, len(c))
	for w := range c {
		ids = append(ids, w)
	}
	slices.SortFunc(ids, func(a, b index.Writer) int { return bytes.Compare(a[:], b[:]) })
	b := make([]byte, 0, 16*len(c))
	for _, w := range ids {
		b = binary.BigEndian.AppendUint64(append(b, w[:]...), c[w])
	}
	return b
}

func decodeCtx(b []byte) (index.Context, error) {
	dots, err := decodeDots(b)
	c := make(index.Context, len(dots))
	for _, d := range dots {
		c[d.Writer] = d.Counter
	}
	return c, err
}

func encodeDots(dots []index.Dot) []byte {
	b := make([]byte, 0, 16*len(dots))
	for _, d := range dots {
		b = binary.BigEndian.AppendUint64(append(b, d.Writer[:]...), d.Counter)
	}
	return b
}

func decodeDots(b []byte) ([]index.Dot, error) {
	if len(b)%16 != 0 {
		return nil, fmt.Errorf("dots of %d bytes", len(b))
	}
	var dots []index.Dot
	for ; len(b) > 0; b = b[16:] {
		dots = append(dots, index.Dot{Writer: index.Writer(b[:8]), Counter: binary.BigEndian.Uint64(b[8:16])})
	}
	return dots, nil
}

func encodeCaps(caps []blob.Cap) []byte {
	if len(caps) == 0 {
		return nil
	}
	b := make([]byte, 0, 64*len(caps))
	for _, c := range caps {
		b = append(append(b, c.ID[:]...), c.Key[:]...)
	}
	return b
}

func decodeCaps(b []byte) ([]blob.Cap, error) {
	if len(b)%64 != 0 {
		return nil, fmt.Errorf("caps of %d bytes", len(b))
	}
	var caps []blob.Cap
	for ; len(b) > 0; b = b[64:] {
		caps = append(caps, blob.Cap{ID: blob.ID(b[:32]), Key: blob.Key(b[32:64])})
	}
	return caps, nil
}

// encodeCap and decodeCap: a cap of nothing is no bytes.
func encodeCap(c blob.Cap) []byte {
	if c.IsZero() {
		return []byte{}
	}
	return encodeCaps([]blob.Cap{c})
}

func decodeCap(b []byte) (blob.Cap, error) {
	caps, err := decodeCaps(b)
	if err != nil || len(caps) == 0 {
		return blob.Cap{}, err
	}
	return caps[0], nil
}

// hashOrNull keeps the indexes on hashes free of what has none.
func hashOrNull(h [32]byte) any {
	if h == [32]byte{} {
		return nil
	}
	return h[:]
}

func toID(b []byte) (id blob.ID, err error) {
	if len(b) != len(id) {
		return id, fmt.Errorf("an id of %d bytes", len(b))
	}
	return blob.ID(b), nil
}
