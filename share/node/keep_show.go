package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"shoal/share/blob"
	"shoal/share/wire"
)

// maxShow is the longest piece that a node is asked to show, in bytes. Longer ones have files of more than 512 GiB.
const maxShow = 16 << 20

var errNotShown = errors.New("it promised what it could not show")

// show lets a peer show content of a file that it says it has, at a place of our choice. What is here too is compared with
// 16 KiB; else the peer shows a whole blob, or a piece, which its hash proves. units are those of one file.
func (k *promiser) show(ctx context.Context, p *peer, units []unit) error {
	var content []unit
	at := map[unit]stripe{}
	for _, u := range units {
		s, ok, err := k.stripe(ctx, u)
		if err != nil {
			return err
		}
		if ok {
			at[u] = s
		}
		if ok || blob.ID(u).Kind() == blob.Data {
			content = append(content, u)
		}
	}
	if len(content) == 0 {
		return nil
	}
	u := content[k.random(uint64(len(content)))]
	if size := k.unitLen(ctx, u); size > 0 {
		off := int64(k.random(uint64(size)))
		if want, err := k.cipher(ctx, u, off); err == nil {
			got, err := k.parts(ctx, p, u, off, off+maxProof)
			if err == nil && !bytes.Equal(got, want) {
				err = errNotShown
			}
			return err
		}
	}
	if s, ok := at[u]; ok {
		return k.showPiece(ctx, p, u, s)
	}
	b, err := k.parts(ctx, p, u, 0, blob.MaxBlob)
	if err == nil && blob.Verify(u, b) != nil {
		err = errNotShown
	}
	return err
}

// showPiece lets a peer show a piece of a stripe.
func (k *promiser) showPiece(ctx context.Context, p *peer, u unit, s stripe) error {
	dict, err := k.e.blobs.Get(s.info)
	if err != nil {
		return err
	}
	t, err := blob.CheckInfo(s.info, dict)
	if err != nil {
		return err
	}
	if t.PieceLength > maxShow {
		return fmt.Errorf("its pieces of %d bytes are too long to be shown", t.PieceLength)
	}
	first := int64(s.n) * (stripeLen / t.PieceLength)
	i := first + int64(k.random(uint64((s.len()+t.PieceLength-1)/t.PieceLength)))
	off := (i - first) * t.PieceLength
	b, err := k.parts(ctx, p, u, off, off+t.PieceLen(int(i)))
	if err == nil && !t.CheckPiece(int(i), b) {
		err = errNotShown
	}
	return err
}

// parts are the bytes of a unit from off to end, or fewer when it ends before.
func (k *promiser) parts(ctx context.Context, p *peer, u unit, off, end int64) ([]byte, error) {
	var b []byte
	for off < end {
		m := &wire.Keep{Units: []unit{u}, Chal: []wire.Challenge{{Off: off}}}
		if off+maxProof < end {
			m.Chal = append(m.Chal, wire.Challenge{Off: off + maxProof})
		}
		a, err := k.put(ctx, p, m)
		if err != nil {
			return nil, err
		}
		for i := range m.Chal {
			if i >= len(a.Proof) || len(a.Proof[i]) == 0 {
				return b, nil
			}
			b = append(b, a.Proof[i]...)
			off += int64(len(a.Proof[i]))
			if len(a.Proof[i]) < maxProof {
				return b, nil
			}
		}
	}
	return b, nil
}

// asFar are the peers that count and know what we know: all that can be said of a file without content.
func (k *promiser) asFar(counts func([32]byte) bool) (n int) {
	frontier := frontierHash(k.e.kept().frontier())
	s := k.e.net
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.hasState && p.state.Frontier == frontier && counts(p.pk) {
			n++
		}
	}
	return n
}
