package bencode

import (
	"bytes"
	"io"
	"slices"
)

// A Difference is a place where two values are not the same.
type Difference struct {
	Path Path
	A, B Node // what is there; none = nothing

	// Of strings that hold hashes of pieces: how many of them differ, and how many there are in the longer one.
	// 0 for all else.
	PiecesDiffer, Pieces int

	Form bool // only how it is written differs: the order of keys, zeros too many
}

// Diff calls found for each place where two values differ: entries of dictionaries by key, items of lists by their place.
// There is none only when the bytes are the same. It walks both at once, and holds in memory no more than the keys of
// dictionaries that are unsorted. An error is that of found, or of reading.
func Diff(a, b Node, found func(Difference) error) error {
	d := differ{found: found, bufA: make([]byte, readAheadSize/4), bufB: make([]byte, readAheadSize/4)}
	return d.value(nil, a, b, 0)
}

type differ struct {
	found      func(Difference) error
	count      int
	bufA, bufB []byte
}

func (d *differ) tell(diff Difference) error {
	d.count++
	return d.found(diff)
}

// value compares two values; hash is the length of the hashes that they hold if they are strings, 0 = none.
func (d *differ) value(p Path, a, b Node, hash int64) error {
	diff := Difference{Path: p, A: a, B: b}
	if !a.Exists() || !b.Exists() {
		return d.tell(diff)
	}
	if same, err := d.sameBytes(a, b); same || err != nil {
		return err
	}
	before := d.count
	var err error
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka != kb:
	case ka == Dict:
		diff.Form = true
		err = d.dict(p, a, b, hash)
	case ka == List:
		diff.Form = true
		err = d.list(p, a, b)
	case ka == Int:
		diff.Form, err = sameNumber(a, b)
	case hash > 0:
		diff.PiecesDiffer, diff.Pieces, err = countHashes(a, b, hash)
	}
	if err != nil || d.count > before {
		return err
	}
	return d.tell(diff)
}

// dict compares entries by key; those of a repeated key in their order.
func (d *differ) dict(p Path, a, b Node, layers int64) error {
	nextA, err := a.entries()
	if err != nil {
		return err
	}
	nextB, err := b.entries()
	if err != nil {
		return err
	}
	ea, err := nextA()
	if err != nil {
		return err
	}
	eb, err := nextB()
	for err == nil && (ea.Exists() || eb.Exists()) {
		order := bytes.Compare(ea.key, eb.key)
		switch {
		case !ea.Exists():
			order = 1
		case !eb.Exists():
			order = -1
		}
		var key []byte
		var va, vb Node
		if order >= 0 {
			key, vb = eb.key, eb.Node
			if eb, err = nextB(); err != nil {
				return err
			}
		}
		if order <= 0 {
			key, va = ea.key, ea.Node
			if ea, err = nextA(); err != nil {
				return err
			}
		}
		hash := layers
		switch string(key) {
		case "pieces":
			hash = 20
		case "piece layers":
			hash = 32
		}
		err = d.value(p.Key(string(key)), va, vb, hash)
	}
	return err
}

// entries steps through a dictionary in the order of its keys; those of a repeated key stay in theirs.
func (n Node) entries() (next func() (child, error), err error) {
	c, err := n.children()
	if err != nil || !n.odd.has(n.dicts) {
		return c.next, err
	}
	var all []child
	for {
		one, err := c.next()
		if err != nil {
			return nil, err
		}
		if !one.Exists() {
			break
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b child) int { return bytes.Compare(a.key, b.key) })
	return func() (one child, _ error) {
		if len(all) > 0 {
			one, all = all[0], all[1:]
		}
		return one, nil
	}, nil
}

func (d *differ) list(p Path, a, b Node) error {
	ca, err := a.children()
	if err != nil {
		return err
	}
	cb, err := b.children()
	if err != nil {
		return err
	}
	var one, other child
	for n := 0; err == nil; n++ {
		if n == 0 || one.Exists() {
			if one, err = ca.next(); err != nil {
				return err
			}
		}
		if n == 0 || other.Exists() {
			if other, err = cb.next(); err != nil {
				return err
			}
		}
		if !one.Exists() && !other.Exists() {
			return nil
		}
		err = d.value(p.Index(n), one.Node, other.Node, 0)
	}
	return err
}

// sameNumber reports whether two integers are the same but for zeros too many.
func sameNumber(a, b Node) (bool, error) {
	var ta, tb bytes.Buffer
	if err := a.WriteText(&ta); err != nil {
		return false, err
	}
	if err := b.WriteText(&tb); err != nil {
		return false, err
	}
	return bytes.Equal(canonicalInt(ta.Bytes()), canonicalInt(tb.Bytes())), nil
}

// countHashes compares strings of hashes.
func countHashes(a, b Node, size int64) (differ, of int, err error) {
	ta, na, err := a.text()
	if err != nil {
		return 0, 0, err
	}
	tb, nb, err := b.text()
	if err != nil || na%size != 0 || nb%size != 0 {
		return 0, 0, err
	}
	both := min(na, nb) / size
	of = int(max(na, nb) / size)
	differ = of - int(both)
	bufA, bufB := make([]byte, size), make([]byte, size)
	for range both {
		if _, err := io.ReadFull(ta, bufA); err != nil {
			return 0, 0, changed(err)
		}
		if _, err := io.ReadFull(tb, bufB); err != nil {
			return 0, 0, changed(err)
		}
		if !bytes.Equal(bufA, bufB) {
			differ++
		}
	}
	return differ, of, nil
}

// sameBytes reports whether two nodes are written alike.
func (d *differ) sameBytes(a, b Node) (bool, error) {
	if a.size != b.size {
		return false, nil
	}
	for at := int64(0); at < a.size; at += int64(len(d.bufA)) {
		n := min(int64(len(d.bufA)), a.size-at)
		if _, err := a.in.ReadAt(d.bufA[:n], a.off+at); err != nil && err != io.EOF {
			return false, err
		}
		if _, err := b.in.ReadAt(d.bufB[:n], b.off+at); err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(d.bufA[:n], d.bufB[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// SameBytes reports whether two nodes are written alike.
func SameBytes(a, b Node) (bool, error) {
	d := differ{bufA: make([]byte, readAheadSize/4), bufB: make([]byte, readAheadSize/4)}
	return d.sameBytes(a, b)
}
