package bencode

import "strconv"

// AppendTo appends v as it stands: the bytes it was parsed from, when it was.
func (v Value) AppendTo(b []byte) []byte {
	switch v.kind {
	case Int:
		b = append(b, 'i')
		b = append(b, v.text...)
	case String:
		return AppendString(b, v.text)
	case List, Dict:
		b = append(b, byte(v.kind))
		for _, kid := range v.kids {
			b = kid.AppendTo(b)
		}
	default:
		return b
	}
	return append(b, 'e')
}

// Encode is v as it stands.
func (v Value) Encode() []byte { return v.AppendTo(nil) }

// AppendString appends a byte string.
func AppendString[T string | []byte](b []byte, s T) []byte {
	if n := len(s); n < 10 {
		b = append(b, '0'+byte(n), ':')
		return append(b, s...)
	}
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

// AppendInt appends an integer.
func AppendInt(b []byte, n int64) []byte {
	b = append(b, 'i')
	b = strconv.AppendInt(b, n, 10)
	return append(b, 'e')
}
