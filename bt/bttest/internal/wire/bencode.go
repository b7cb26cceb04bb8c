package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// A Dict is a bencoded dictionary.
type Dict = map[string]any

// A List is a bencoded list.
type List = []any

// Raw is bytes that Bencode writes as they are.
type Raw string

// Bencode writes a value of the types Dict, List, string, []byte, int, int64, uint64 and Raw; it panics on others, which
// are mistakes of a test.
func Bencode(v any) []byte { return appendBencode(nil, v) }

func appendBencode(b []byte, v any) []byte {
	switch v := v.(type) {
	case Raw:
		return append(b, v...)
	case string:
		b = strconv.AppendInt(b, int64(len(v)), 10)
		return append(append(b, ':'), v...)
	case []byte:
		return appendBencode(b, string(v))
	case int:
		return appendBencode(b, int64(v))
	case int64:
		return append(strconv.AppendInt(append(b, 'i'), v, 10), 'e')
	case uint64:
		return append(strconv.AppendUint(append(b, 'i'), v, 10), 'e')
	case List:
		b = append(b, 'l')
		for _, e := range v {
			b = appendBencode(b, e)
		}
		return append(b, 'e')
	case Dict:
		b = append(b, 'd')
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b = appendBencode(appendBencode(b, k), v[k])
		}
		return append(b, 'e')
	}
	panic(fmt.Sprintf("bencoding %T", v))
}

var errBencode = errors.New("not bencode")

const maxDepth = 200

// Bdecode reads one value: Dict, List, string or int64. rest is what follows it.
func Bdecode(b []byte) (v any, rest []byte, err error) { return bdecode(b, maxDepth) }

func bdecode(b []byte, depth int) (v any, rest []byte, err error) {
	if len(b) == 0 || depth == 0 {
		return nil, b, errBencode
	}
	switch b[0] {
	case 'i':
		end := slices.Index(b, 'e')
		if end < 0 {
			return nil, b, errBencode
		}
		n, err := strconv.ParseInt(string(b[1:end]), 10, 64)
		return n, b[end+1:], err
	case 'l':
		list := List{}
		for b = b[1:]; len(b) > 0 && b[0] != 'e'; {
			if v, b, err = bdecode(b, depth-1); err != nil {
				return nil, b, err
			}
			list = append(list, v)
		}
		return closed(list, b)
	case 'd':
		dict := Dict{}
		for b = b[1:]; len(b) > 0 && b[0] != 'e'; {
			var key string
			if key, b, err = bstring(b); err != nil {
				return nil, b, err
			}
			if dict[key], b, err = bdecode(b, depth-1); err != nil {
				return nil, b, err
			}
		}
		return closed(dict, b)
	}
	return boxed(bstring(b))
}

func closed(v any, b []byte) (any, []byte, error) {
	if len(b) == 0 {
		return nil, b, errBencode
	}
	return v, b[1:], nil
}

func boxed(s string, rest []byte, err error) (any, []byte, error) { return s, rest, err }

func bstring(b []byte) (s string, rest []byte, err error) {
	colon := slices.Index(b, ':')
	if colon < 0 {
		return "", b, errBencode
	}
	n, err := strconv.Atoi(string(b[:colon]))
	if err != nil || n < 0 || n > len(b)-colon-1 {
		return "", b, errBencode
	}
	b = b[colon+1:]
	return string(b[:n]), b[n:], nil
}

// RawValue is the bytes of a key's value in the dictionary that b begins with, as they stand.
func RawValue(b []byte, key string) ([]byte, error) {
	if len(b) == 0 || b[0] != 'd' {
		return nil, errBencode
	}
	for b = b[1:]; len(b) > 0 && b[0] != 'e'; {
		k, rest, err := bstring(b)
		if err != nil {
			return nil, err
		}
		_, after, err := Bdecode(rest)
		if err != nil {
			return nil, err
		}
		if k == key {
			return rest[:len(rest)-len(after)], nil
		}
		b = after
	}
	return nil, fmt.Errorf("no key %q", key)
}
