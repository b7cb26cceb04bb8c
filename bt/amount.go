package bt

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the factors of what may follow the number of a size, in lower case and without the B that may end it.
var sizeUnits = map[string]float64{
	"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50,
	"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40, "pi": 1 << 50,
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15,
}

// ParseSize reads a number of bytes as people write it: 500K, 5M and 1.5G are 1024-based, as are KiB and MiB; KB and MB are
// 1000-based. It is never negative.
func ParseSize(s string) (int64, error) {
	wrong := fmt.Errorf("%q is no size such as 500K, 5M or 1.5G", s)
	end := strings.LastIndexAny(s, "0123456789.") + 1
	number, unit := s[:end], strings.ToLower(s[end:])
	if rest, ok := strings.CutSuffix(unit, "b"); ok && (rest == "" || strings.HasSuffix(rest, "i")) {
		unit = rest
	}
	factor, ok := sizeUnits[unit]
	// ParseFloat takes more than decimal numbers: signs, exponents, hexadecimal digits, "inf".
	if !ok || strings.Trim(number, "0123456789.") != "" {
		return 0, wrong
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && n <= math.MaxInt64/int64(factor) {
		return n * int64(factor), nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, wrong
	}
	if f *= factor; f >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is more than this program can count", s)
	}
	return int64(math.Round(f)), nil
}

// ParseRate reads a number of bytes a second: a size, which /s may follow.
func ParseRate(s string) (int64, error) {
	n, err := ParseSize(strings.TrimSuffix(s, "/s"))
	if err != nil {
		return 0, fmt.Errorf("%q is no rate such as 500K or 5M/s", s)
	}
	return n, nil
}
