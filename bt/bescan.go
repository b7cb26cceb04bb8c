package bt

import (
	"errors"
	"strconv"
)

// Walking bencode of strangers in place (BEP 3): nothing is allocated, depth is bounded, and what is not looked at is
// only skipped. It is for messages from which we want a few fields; lax where that harms nobody, as with the order of
// keys.

var errNotBencode = errors.New("not bencode")

const maxScanDepth = 16

// scanValue splits b into its first value and the rest.
func scanValue(b []byte) (value, rest []byte, err error) {
	end, err := scanEnd(b, 0)
	if err != nil {
		return nil, nil, err
	}
	return b[:end], b[end:], nil
}

// scanEnd is the length of the value that b begins with.
func scanEnd(b []byte, depth int) (int, error) {
	switch {
	case len(b) == 0 || depth > maxScanDepth:
		return 0, errNotBencode
	case b[0] == 'i':
		for i := 1; i < len(b) && i < 24; i++ {
			if b[i] == 'e' {
				_, ok := scanInt(b[:i+1])
				if !ok {
					return 0, errNotBencode
				}
				return i + 1, nil
			}
		}
		return 0, errNotBencode
	case b[0] == 'l' || b[0] == 'd':
		for i, n := 1, 0; i < len(b); n++ {
			if b[i] == 'e' {
				if b[0] == 'd' && n%2 == 1 {
					return 0, errNotBencode
				}
				return i + 1, nil
			}
			if b[0] == 'd' && n%2 == 0 && (b[i] < '0' || b[i] > '9') {
				return 0, errNotBencode
			}
			end, err := scanEnd(b[i:], depth+1)
			if err != nil {
				return 0, err
			}
			i += end
		}
		return 0, errNotBencode
	}
	_, end, ok := scanStringAt(b)
	if !ok {
		return 0, errNotBencode
	}
	return end, nil
}

// scanStringAt reads the byte string that b begins with, and tells where it ends.
func scanStringAt(b []byte) (s []byte, end int, ok bool) {
	n, i := 0, 0
	for ; i < len(b) && i < 10 && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + int(b[i]-'0')
	}
	if i == 0 || i == len(b) || b[i] != ':' || n > len(b)-i-1 {
		return nil, 0, false
	}
	return b[i+1 : i+1+n], i + 1 + n, true
}

// scanString is the byte string v, when v is one.
func scanString(v []byte) ([]byte, bool) {
	s, end, ok := scanStringAt(v)
	return s, ok && end == len(v)
}

// scanInt is the integer v, when v is one that fits.
func scanInt(v []byte) (int64, bool) {
	if len(v) < 3 || v[0] != 'i' || v[len(v)-1] != 'e' || v[1] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v[1:len(v)-1]), 10, 64)
	return n, err == nil
}

// scanDict calls f for each entry of the dictionary v until f says false. It reports whether v is a dictionary.
func scanDict(v []byte, f func(key string, value []byte) bool) bool {
	if end, err := scanEnd(v, 0); err != nil || end != len(v) || v[0] != 'd' {
		return false
	}
	for v = v[1:]; v[0] != 'e'; {
		key, end, _ := scanStringAt(v)
		value, rest, err := scanValue(v[end:])
		if err != nil || !f(string(key), value) {
			break
		}
		v = rest
	}
	return true
}

// scanList calls f for each item of the list v until f says false. It reports whether v is a list.
func scanList(v []byte, f func(item []byte) bool) bool {
	if end, err := scanEnd(v, 0); err != nil || end != len(v) || v[0] != 'l' {
		return false
	}
	for v = v[1:]; v[0] != 'e'; {
		item, rest, err := scanValue(v)
		if err != nil || !f(item) {
			break
		}
		v = rest
	}
	return true
}
