package node

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"shoal/share/blob"
	"shoal/share/db"
	"shoal/share/index"
)

// A unit is the smallest thing whose copies are given up or promised (docs/shares.md §6.7): the id of a data blob, or of a
// recipe or info, or a stripe of a large file's torrent.
type unit = [32]byte

// stripeLen is how much of a torrent is one unit, in bytes. All piece lengths divide it.
const stripeLen = 1 << 30

// stripeUnit names stripe i of a torrent.
func stripeUnit(info blob.ID, i uint32) unit {
	return sha256.Sum256(binary.BigEndian.AppendUint32(info[:], i))
}

// stripes is how many stripes a torrent of so many bytes has.
func stripes(length int64) uint32 { return uint32((length + stripeLen - 1) / stripeLen) }

// largeUnits are the units of a large file: its recipe, its info, and the stripes of its torrent of length bytes.
func largeUnits(recipe, info blob.ID, length int64) []unit {
	units := []unit{unit(recipe), unit(info)}
	for i := range stripes(length) {
		units = append(units, stripeUnit(info, i))
	}
	return units
}

// rowUnits are the units of a file; none of what has no content. infos are those of recipes. false: its torrent is not
// known, so that nothing can be said.
func rowUnits(b *index.Base, infos map[blob.ID]blob.ID) ([]unit, bool) {
	if b.Type != index.File || b.Size == 0 {
		return nil, true
	}
	if len(b.Caps) == 0 {
		return nil, false
	}
	id := b.Caps[0].ID
	if id.Kind() == blob.Data {
		return []unit{unit(id)}, true
	}
	info, ok := infos[id]
	if !ok {
		return nil, false
	}
	return largeUnits(id, info, blob.Padme(b.Size)), true
}

// A stripe is a part of a torrent.
type stripe struct {
	info   blob.ID
	n      uint32
	length int64 // of the torrent
}

// len is how many bytes the stripe has.
func (s stripe) len() int64 { return min(stripeLen, s.length-int64(s.n)*stripeLen) }

// stripeIndex knows the stripes of all torrents of a share by their units, which are hashes. What it says is checked by
// those who ask, so that it may be old.
type stripeIndex struct {
	mu    sync.Mutex // guards what follows
	stamp [2]int64   // of what it was made of
	known map[unit]stripe
}

// find is the stripe that a unit names.
func (x *stripeIndex) find(t *db.Tx, e *engine, u unit) (stripe, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s, ok := x.known[u]; ok {
		return s, true, nil
	}
	var stamp [2]int64
	var err error
	if e.store == nil {
		stamp[0], stamp[1], err = t.CountLarges(e.n)
	} else {
		stamp[0], stamp[1], err = t.CountBlobs(e.n, blob.Info)
	}
	if err != nil || stamp == x.stamp {
		return stripe{}, false, err
	}
	if err := x.fill(t, e); err != nil {
		return stripe{}, false, err
	}
	x.stamp = stamp
	s, ok := x.known[u]
	return s, ok, nil
}

func (x *stripeIndex) fill(t *db.Tx, e *engine) error {
	x.known = map[unit]stripe{}
	add := func(info blob.ID, length int64) {
		for i := range stripes(length) {
			x.known[stripeUnit(info, i)] = stripe{info, i, length}
		}
	}
	if e.store == nil {
		_, sizes, err := t.Larges(e.n)
		for info, size := range sizes {
			add(info, blob.Padme(size))
		}
		return err
	}
	for after := (blob.ID{}); ; {
		page, err := t.BlobPage(e.n, blob.Info, after, 16)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if torrent, err := blob.CheckInfo(page[i].ID, page[i].Bytes); err == nil {
				add(page[i].ID, torrent.Length)
			}
		}
		after = page[len(page)-1].ID
	}
}
