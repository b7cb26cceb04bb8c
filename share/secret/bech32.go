package secret

import "strings"

// Bech32m (BIP 350), without its limit of 90 characters: a prefix, "1", the data in letters of 5 bits, and 6 letters of
// checksum over all of it.

const letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

const checkLen = 6

// checksum runs the code over values of 5 bits; it is 0 for a text that is right.
func checksum(prefix string, values []byte) uint32 {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, c := range []byte(prefix) {
		step(c >> 5)
	}
	step(0)
	for _, c := range []byte(prefix) {
		step(c & 31)
	}
	for _, v := range values {
		step(v)
	}
	return sum ^ 0x2bc830a3
}

// encode32 is the text of data.
func encode32(prefix string, data []byte) string {
	values := regroup(data, 8, 5)
	sum := checksum(prefix, append(values, make([]byte, checkLen)...))
	for i := range checkLen {
		values = append(values, byte(sum>>(5*(checkLen-1-i))&31))
	}
	var b strings.Builder
	b.WriteString(prefix + "1")
	for _, v := range values {
		b.WriteByte(letters[v])
	}
	return b.String()
}

// decode32 is the data that values without their checksum hold; not ok when bits are left over that are not zero, or
// more than needed.
func decode32(values []byte) (data []byte, ok bool) {
	data = regroup(values, 5, 8)
	whole := len(values) * 5 / 8
	if len(values)*5%8 >= 5 || len(data) > whole && data[whole] != 0 {
		return nil, false
	}
	return data[:whole], true
}

// regroup writes groups of from bits as groups of to bits, the last filled with zeros.
func regroup(in []byte, from, to int) (out []byte) {
	bits, n := 0, 0
	for _, v := range in {
		bits, n = bits<<from|int(v), n+from
		for n >= to {
			n -= to
			out = append(out, byte(bits>>n)&(1<<to-1))
		}
		bits &= 1<<n - 1
	}
	if n > 0 {
		out = append(out, byte(bits<<(to-n)))
	}
	return out
}

// mistyped finds the one value that is wrong, when it is only one: the code tells any two texts apart that differ in
// up to three places.
func mistyped(prefix string, values []byte) (at int, ok bool) {
	for i, was := range values {
		for v := range byte(32) {
			if values[i] = v; v != was && checksum(prefix, values) == 0 {
				values[i] = was
				return i, true
			}
		}
		values[i] = was
	}
	return 0, false
}
