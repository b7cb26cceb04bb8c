package bt

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// A Magnet is an infohash with hints where to find peers (BEP 9, BEP 53). Names, trackers and the rest are what a
// stranger wrote: see [SanitizeTracker], [SanitizeWebseed], [SanitizePeer].
type Magnet struct {
	InfoHash   InfoHash   // zero when the magnet names a v2 torrent only
	InfoHashV2 InfoHashV2 // zero when it names a v1 torrent only
	Name       string     // dn
	Trackers   []string   // tr, a tier each
	Peers      []string   // x.pe, host:port
	Webseeds   []string   // ws
	Select     []IndexRange
	Length     int64    // xl, bytes; 0 when absent
	Sources    []string // xs and as: where else the metainfo may be; never fetched unasked
}

const (
	maxMagnetSize = 1 << 20 // bytes
	quoteHint     = `quote the magnet: the shell ends a command at "&"`
)

// ParseMagnet reads a magnet link of any legal form: infohashes of 40 hexadecimal or 32 base32 digits and v2 multihashes,
// in any case, parameters with numbers (xt.1, tr.2), percent escapes. What it does not know it ignores. A so= that is
// malformed is an error, since it would fetch too much; hints that are malformed are dropped. Every error is of class
// BadInput.
func ParseMagnet(s string) (*Magnet, error) {
	m, err := parseMagnet(strings.TrimSpace(s))
	if err == nil {
		return m, nil
	}
	e := errorf(BadInput, "parsing magnet: %w", err)
	if !strings.Contains(s, "&") {
		e = e.withHint(quoteHint)
	}
	return nil, e
}

func isMagnet(s string) bool {
	return len(s) >= len("magnet:") && strings.EqualFold(s[:len("magnet:")], "magnet:")
}

func parseMagnet(s string) (*Magnet, error) {
	switch {
	case !isMagnet(s):
		return nil, errors.New(`it does not begin with "magnet:"`)
	case len(s) > maxMagnetSize:
		return nil, fmt.Errorf("it is longer than %d bytes", maxMagnetSize)
	}
	query := strings.TrimPrefix(s[len("magnet:"):], "?")
	query, _, _ = strings.Cut(query, "#")
	m := new(Magnet)
	// & escaped as in HTML is what people copy from web pages.
	for param := range strings.SplitSeq(strings.ReplaceAll(query, "&amp;", "&"), "&") {
		key, value, _ := strings.Cut(param, "=")
		key, keyErr := url.QueryUnescape(key)
		value, err := url.QueryUnescape(value)
		key = strings.ToLower(key)
		if base, n, ok := strings.Cut(key, "."); ok && isNumber(n) {
			key = base
		}
		if keyErr != nil || err != nil && key != "xt" && key != "so" {
			continue // a hint that cannot be read
		}
		if err == nil {
			err = m.set(key, value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	if m.InfoHash.IsZero() && m.InfoHashV2.IsZero() {
		return nil, errors.New("it has no infohash (xt=urn:btih: or xt=urn:btmh:)")
	}
	return m, nil
}

// set takes a parameter.
func (m *Magnet) set(key, value string) (err error) {
	switch key {
	case "xt":
		return m.setTopic(value)
	case "so":
		m.Select, err = parseSelectOnly(m.Select, value)
		return err
	case "dn":
		if m.Name == "" {
			m.Name = escapeInvalid(value)
		}
	case "xl":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
			m.Length = n
		}
	case "tr":
		m.Trackers = appendNonEmpty(m.Trackers, value)
	case "x.pe":
		m.Peers = appendNonEmpty(m.Peers, value)
	case "ws":
		m.Webseeds = appendNonEmpty(m.Webseeds, value)
	case "xs", "as":
		m.Sources = appendNonEmpty(m.Sources, value)
	}
	return nil
}

func appendNonEmpty(list []string, s string) []string {
	if s = strings.TrimSpace(s); s != "" {
		list = append(list, s)
	}
	return list
}

// setTopic takes an exact topic; one that does not name a torrent is ignored, as other networks have magnets too.
func (m *Magnet) setTopic(urn string) error {
	scheme, rest, _ := strings.Cut(urn, ":")
	kind, digits, _ := strings.Cut(rest, ":")
	if !strings.EqualFold(scheme, "urn") {
		return fmt.Errorf("want urn:btih: or urn:btmh:, not %q", clip(urn))
	}
	switch strings.ToLower(kind) {
	case "btih":
		h, err := parseTopicV1(digits)
		switch {
		case err != nil:
			return err
		case h.IsZero():
			return errors.New("the infohash is all zero")
		case !m.InfoHash.IsZero() && m.InfoHash != h:
			return fmt.Errorf("there are two infohashes, %s and %s", m.InfoHash, h)
		}
		m.InfoHash = h
	case "btmh":
		h, err := parseMultihash(digits)
		switch {
		case err != nil:
			return err
		case h.IsZero():
			return errors.New("the infohash is all zero")
		case !m.InfoHashV2.IsZero() && m.InfoHashV2 != h:
			return fmt.Errorf("there are two infohashes, %s and %s", m.InfoHashV2, h)
		}
		m.InfoHashV2 = h
	}
	return nil
}

// parseTopicV1 is ParseInfoHash, with padding of base32 allowed.
func parseTopicV1(s string) (InfoHash, error) {
	return ParseInfoHash(strings.TrimRight(strings.TrimSpace(s), "="))
}

// parseMultihash reads the multihash of a SHA-256 (BEP 9): 12 20 and the digest, in hexadecimal or base32.
func parseMultihash(s string) (InfoHashV2, error) {
	s = strings.TrimRight(strings.TrimSpace(s), "=")
	b, err := hex.DecodeString(s)
	if err != nil {
		b, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(s))
	}
	if err != nil || len(b) != 34 || b[0] != 0x12 || b[1] != 0x20 {
		return InfoHashV2{}, fmt.Errorf("parsing multihash %q: want 1220 and 64 hexadecimal digits", clip(s))
	}
	return InfoHashV2(b[2:]), nil
}

// parseSelectOnly reads BEP 53's list of indexes and ranges, which count from 0; ours count from 1.
func parseSelectOnly(ranges []IndexRange, s string) ([]IndexRange, error) {
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err := strconv.ParseUint(first, 10, 31)
		b, err2 := strconv.ParseUint(last, 10, 31)
		if err != nil || err2 != nil || a > b {
			return nil, fmt.Errorf("%q is no file index or range", clip(part))
		}
		if len(ranges) == maxFiles {
			return nil, errors.New("there are too many ranges")
		}
		ranges = append(ranges, IndexRange{int(a) + 1, int(b) + 1})
	}
	return ranges, nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String is the magnet as a link that [ParseMagnet] reads.
func (m *Magnet) String() string {
	var b strings.Builder
	b.WriteString("magnet:?")
	put := func(key, value string) {
		if b.Len() > len("magnet:?") {
			b.WriteByte('&')
		}
		b.WriteString(key + "=" + value)
	}
	if !m.InfoHash.IsZero() {
		put("xt", "urn:btih:"+m.InfoHash.String())
	}
	if !m.InfoHashV2.IsZero() {
		put("xt", "urn:btmh:1220"+m.InfoHashV2.String())
	}
	if m.Name != "" {
		put("dn", escapeParam(m.Name))
	}
	if m.Length > 0 {
		put("xl", strconv.FormatInt(m.Length, 10))
	}
	for _, list := range []struct {
		key    string
		values []string
	}{{"tr", m.Trackers}, {"x.pe", m.Peers}, {"ws", m.Webseeds}, {"xs", m.Sources}} {
		for _, v := range list.values {
			put(list.key, escapeParam(v))
		}
	}
	if len(m.Select) > 0 {
		put("so", selectOnly(m.Select))
	}
	return b.String()
}

func selectOnly(ranges []IndexRange) string {
	var parts []string
	for _, r := range ranges {
		s := strconv.Itoa(r.First - 1)
		if r.Last != r.First {
			s += "-" + strconv.Itoa(r.Last-1)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ",")
}

// escapeParam escapes a value such that every reader understands it: not all take + for a space. Colons and slashes may
// stand in a query, and links with them can be read by people.
func escapeParam(s string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	return strings.NewReplacer("%3A", ":", "%2F", "/").Replace(s)
}

// MagnetOptions say what a magnet made from a metainfo carries.
type MagnetOptions struct {
	Peers      []string // x.pe, host:port
	NoTrackers bool     // neither trackers
	NoWebseeds bool     // nor webseeds of the metainfo
	Select     []IndexRange
}

// MagnetOf is a magnet of m. Trackers and webseeds that are not fit for use are left out.
func MagnetOf(m *Metainfo, opts MagnetOptions) *Magnet {
	out := &Magnet{
		InfoHash: m.InfoHash, InfoHashV2: m.InfoHashV2, Name: m.Name, Length: m.Length, Peers: opts.Peers, Select: opts.Select,
	}
	if !opts.NoTrackers {
		seen := map[string]bool{}
		for _, tier := range m.Trackers {
			for _, s := range tier {
				if u, err := SanitizeTracker(s); err == nil && !seen[u] {
					out.Trackers = append(out.Trackers, u)
					seen[u] = true
				}
			}
		}
	}
	if !opts.NoWebseeds {
		for _, s := range m.Webseeds {
			if u, err := SanitizeWebseed(s); err == nil {
				out.Webseeds = append(out.Webseeds, u)
			}
		}
	}
	return out
}
