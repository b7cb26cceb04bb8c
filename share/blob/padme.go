package blob

import "math/bits"

// Padme is the Padmé length of n bytes (docs/shares.md §2.1): what n is padded to, such that only O(log log n) bits of
// the length show. It is less than 12 % longer than n, and Padme(Padme(n)) == Padme(n). Negative n is 0. Lengths of
// more than 2^62 bytes do not exist.
func Padme(n int64) int64 {
	if n < 2 {
		return max(n, 0)
	}
	e := bits.Len64(uint64(n)) - 1
	s := bits.Len(uint(e))
	mask := int64(1)<<(e-s) - 1
	return (n + mask) &^ mask
}
