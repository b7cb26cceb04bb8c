package bencode

import "bytes"

// A Difference is a place where two values are not the same.
type Difference struct {
	Path Path
	A, B []byte // bencode of what is there; nil = nothing

	// Of strings that hold hashes of pieces: how many of them differ, and how many there are in the longer one.
	// 0 for all else.
	PiecesDiffer, Pieces int

	Form bool // only how it is written differs: the order of keys, zeros too many
}

// Diff is where two values differ, both of which must have passed [Check]: entries of dictionaries by key, items of lists
// by their place. There is none only when the bytes are the same.
func Diff(a, b []byte) []Difference {
	var d differ
	d.value(nil, a, b, 0)
	return d.all
}

type differ struct{ all []Difference }

// value compares two values; hash is the length of the hashes that they hold if they are strings, 0 = none.
func (d *differ) value(p Path, a, b []byte, hash int) {
	if bytes.Equal(a, b) {
		return
	}
	before := len(d.all)
	diff := Difference{Path: p, A: a, B: b}
	ka, kb := NewCursor(a).Kind(), NewCursor(b).Kind()
	switch {
	case ka != kb:
	case ka == Dict:
		d.dict(p, a, b, hash)
		diff.Form = true
	case ka == List:
		d.list(p, a, b)
		diff.Form = true
	case ka == Int:
		diff.Form = bytes.Equal(canonicalInt(a[1:len(a)-1]), canonicalInt(b[1:len(b)-1]))
	case hash > 0:
		diff.PiecesDiffer, diff.Pieces = countHashes(a, b, hash)
	}
	if len(d.all) == before {
		d.all = append(d.all, diff)
	}
}

// dict compares entries by key; those of a repeated key in their order.
func (d *differ) dict(p Path, a, b []byte, layers int) {
	ea, eb := entriesOf(a), entriesOf(b)
	for len(ea)+len(eb) > 0 {
		var key, va, vb []byte
		order := 0
		switch {
		case len(ea) == 0:
			order = 1
		case len(eb) == 0:
			order = -1
		default:
			order = bytes.Compare(ea[0].key, eb[0].key)
		}
		if order <= 0 {
			key, va, ea = ea[0].key, ea[0].val, ea[1:]
		}
		if order >= 0 {
			key, vb, eb = eb[0].key, eb[0].val, eb[1:]
		}
		hash := layers
		switch {
		case string(key) == "pieces":
			hash = 20
		case string(key) == "piece layers":
			hash = 32
		}
		d.value(p.Key(string(key)), va, vb, hash)
	}
}

func (d *differ) list(p Path, a, b []byte) {
	ca, cb := NewCursor(a), NewCursor(b)
	ca.Enter(List)
	cb.Enter(List)
	moreA, moreB := ca.More(), cb.More()
	for n := 0; moreA || moreB; n++ {
		var va, vb []byte
		if moreA {
			va = ca.Skip()
			moreA = ca.More()
		}
		if moreB {
			vb = cb.Skip()
			moreB = cb.More()
		}
		d.value(p.Index(n), va, vb, 0)
	}
}

// countHashes compares strings of hashes.
func countHashes(a, b []byte, size int) (differ, of int) {
	a, _ = NewCursor(a).Bytes()
	b, _ = NewCursor(b).Bytes()
	if len(a)%size != 0 || len(b)%size != 0 {
		return 0, 0
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	for i := 0; i < len(a); i += size {
		if i >= len(b) || !bytes.Equal(a[i:i+size], b[i:i+size]) {
			differ++
		}
	}
	return differ, len(a) / size
}
