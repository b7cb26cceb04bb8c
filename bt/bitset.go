package bt

import "math/bits"

// A bitset is a set of small integers, of a capacity fixed when it is made.
type bitset []byte

func newBitset(n int) bitset { return make(bitset, (n+7)/8) }

// The first piece is the highest bit of the first byte, as in the bitfield message (BEP 3).
func (b bitset) has(i int) bool { return b[i/8]&(0x80>>(i%8)) != 0 }
func (b bitset) set(i int)      { b[i/8] |= 0x80 >> (i % 8) }
func (b bitset) clear(i int)    { b[i/8] &^= 0x80 >> (i % 8) }

func (b bitset) count() (n int) {
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}
