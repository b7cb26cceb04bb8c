package bt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// A Blocklist is a set of addresses never to talk to. The nil Blocklist is empty.
type Blocklist struct {
	ranges  []addrRange // sorted by first, disjoint
	skipped int
}

type addrRange struct{ first, last netip.Addr }

// Bounds of a blocklist; the largest in use have half a million ranges in 40 MB of text.
const (
	maxBlocklistBytes  = 512 << 20
	maxBlocklistRanges = 8 << 20
	maxBlocklistLine   = 4096
)

// ReadBlocklist reads a blocklist up to EOF, plain or gzipped, of at most 512 MiB: lines of the P2P form
// "name:1.2.3.4-5.6.7.8", of eMule's DAT "001.002.003.004 - 005.006.007.008 , 000 , name" (an access level above 127
// permits, so such lines do not count), prefixes like 10.0.0.0/8 and 2001:db8::/32, and single addresses. Empty lines
// and those that begin with #, ; or // are comments. What else there is is skipped, and an error (BadInput) when
// nothing else is there.
func ReadBlocklist(r io.Reader) (*Blocklist, error) {
	in := bufio.NewReader(r)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, errorf(BadInput, "reading blocklist: %w", err)
		}
		defer z.Close()
		in = bufio.NewReader(z)
	}
	limited := &io.LimitedReader{R: in, N: maxBlocklistBytes + 1}
	lines := bufio.NewReaderSize(limited, maxBlocklistLine)
	b := &Blocklist{}
	for {
		line, err := readShortLine(lines)
		if err != nil && err != io.EOF {
			return nil, errorf(BadInput, "reading blocklist: %w", err)
		}
		b.add(line)
		switch {
		case limited.N <= 0 || len(b.ranges) > maxBlocklistRanges:
			return nil, errorf(BadInput, "reading blocklist: too large")
		case err == io.EOF:
			return b.finish()
		}
	}
}

// readShortLine returns the next line, "?" for one that is longer than any that we understand.
func readShortLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return strings.TrimSpace(string(line)), err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	return "?", err
}

// Skipped is the number of lines that were not understood.
func (b *Blocklist) Skipped() int { return b.skipped }

// Len is the number of disjoint ranges.
func (b *Blocklist) Len() int {
	if b == nil {
		return 0
	}
	return len(b.ranges)
}

// Contains reports whether a is in the list. An IPv4 address written as IPv6 is that IPv4 address.
func (b *Blocklist) Contains(a netip.Addr) bool {
	if b.Len() == 0 {
		return false
	}
	a = a.Unmap().WithZone("")
	i, exact := slices.BinarySearchFunc(b.ranges, a, func(r addrRange, a netip.Addr) int { return r.first.Compare(a) })
	return exact || i > 0 && b.ranges[i-1].contains(a)
}

// contains holds within one family only: netip orders all of IPv4 before IPv6.
func (r addrRange) contains(a netip.Addr) bool {
	return r.first.BitLen() == a.BitLen() && r.first.Compare(a) <= 0 && a.Compare(r.last) <= 0
}

func (b *Blocklist) add(line string) {
	line = strings.TrimPrefix(line, "\ufeff")
	if line == "" || line[0] == '#' || line[0] == ';' || strings.HasPrefix(line, "//") {
		return
	}
	r, permitted, ok := parseBlockLine(line)
	switch {
	case !ok:
		b.skipped++
	case !permitted:
		b.ranges = append(b.ranges, r)
	}
}

// finish sorts and merges what was added.
func (b *Blocklist) finish() (*Blocklist, error) {
	if len(b.ranges) == 0 && b.skipped > 0 {
		return nil, errorf(BadInput, "reading blocklist: none of its %d lines is a range of addresses", b.skipped).
			withHint("the forms understood are P2P (name:1.2.3.4-5.6.7.8), DAT, and prefixes like 10.0.0.0/8")
	}
	slices.SortFunc(b.ranges, func(x, y addrRange) int { return x.first.Compare(y.first) })
	merged := b.ranges[:0]
	for _, r := range b.ranges {
		if n := len(merged); n > 0 && merged[n-1].contains(r.first) {
			if merged[n-1].last.Less(r.last) {
				merged[n-1].last = r.last
			}
			continue
		}
		merged = append(merged, r)
	}
	b.ranges = slices.Clip(merged)
	return b, nil
}

// parseBlockLine understands one line; permitted is a DAT line that lists a range without blocking it.
func parseBlockLine(line string) (r addrRange, permitted, ok bool) {
	if prefix, err := netip.ParsePrefix(line); err == nil {
		return prefixRange(prefix), false, true
	}
	if a, ok := parseBlockAddr(line); ok {
		return addrRange{a, a}, false, true
	}
	// DAT: "first - last , level , name"
	if fields := strings.SplitN(line, ",", 3); len(fields) > 1 {
		if r, ok := parseBlockRange(fields[0]); ok {
			return r, len(strings.Trim(fields[1], " \t0123456789")) == 0 && datLevel(fields[1]) > 127, true
		}
	}
	if r, ok := parseBlockRange(line); ok {
		return r, false, true
	}
	// P2P: "name:first-last", where the name may contain colons, and so may an address of IPv6. Two addresses are
	// under 100 bytes.
	for rest := line[max(0, len(line)-100):]; ; {
		_, after, found := strings.Cut(rest, ":")
		if !found {
			return r, false, false
		}
		if r, ok := parseBlockRange(after); ok {
			return r, false, true
		}
		rest = after
	}
}

func datLevel(s string) (n int) {
	for _, c := range strings.TrimSpace(s) {
		if n = n*10 + int(c-'0'); n > 1000 {
			break
		}
	}
	return n
}

func parseBlockRange(s string) (addrRange, bool) {
	from, to, found := strings.Cut(s, "-")
	if !found {
		return addrRange{}, false
	}
	first, ok1 := parseBlockAddr(from)
	last, ok2 := parseBlockAddr(to)
	ok := ok1 && ok2 && first.BitLen() == last.BitLen() && first.Compare(last) <= 0
	return addrRange{first, last}, ok
}

// parseBlockAddr reads an address; IPv4 may be padded with zeros, as in 001.002.003.004.
func parseBlockAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), a.Zone() == ""
	}
	parts := strings.Split(s, ".")
	if len(parts) != 4 || len(s) > 15 {
		return netip.Addr{}, false
	}
	for i, p := range parts {
		if parts[i] = strings.TrimLeft(p, "0"); parts[i] == "" && p != "" {
			parts[i] = "0"
		}
	}
	a, err := netip.ParseAddr(strings.Join(parts, "."))
	return a, err == nil && a.Is4()
}

// prefixRange is the first and last address of p.
func prefixRange(p netip.Prefix) addrRange {
	if a := p.Addr(); a.Is4In6() {
		p = netip.PrefixFrom(a.Unmap(), max(p.Bits()-96, 0))
	}
	first := p.Masked().Addr()
	b := first.AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return addrRange{first, last}
}
