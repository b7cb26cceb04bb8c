package bt

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"shoal/bt/bencode"
)

// ServeHTTP answers announces (BEP 3, 7, 23) and scrapes (BEP 48).
func (t *trackerServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet {
		http.Error(w, "this is a tracker", http.StatusMethodNotAllowed)
		return
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.Error(w, "no address", http.StatusBadRequest)
		return
	}
	var body []byte
	switch r.URL.Path {
	case "/announce":
		body = t.announceHTTP(parseTrackerQuery(r.URL.RawQuery), from.Addr().Unmap())
	case "/scrape":
		body = t.scrapeHTTP(parseTrackerQuery(r.URL.RawQuery))
	default:
		http.Error(w, "this is a tracker: /announce, /scrape", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // who hangs up needs no answer
}

// maxTrackerQuery bounds the parameters of one request.
const maxTrackerQuery = 100

// parseTrackerQuery reads a query of which the values are bytes: a + is a +.
func parseTrackerQuery(raw string) map[string][]string {
	q := map[string][]string{}
	n := 0
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		if n++; n > maxTrackerQuery {
			break
		}
		if err == nil {
			q[key] = append(q[key], value)
		}
	}
	return q
}

func failure(reason string) []byte {
	return append(appendText([]byte{'d'}, "failure reason", reason), 'e')
}

// announceHTTP is the answer to an announce from an address.
func (t *trackerServer) announceHTTP(q map[string][]string, from netip.Addr) []byte {
	get := func(key string) string {
		if v := q[key]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	port, err := strconv.ParseUint(get("port"), 10, 16)
	switch {
	case len(get("info_hash")) != 20:
		return failure("info_hash is not 20 bytes long")
	case len(get("peer_id")) != 20:
		return failure("peer_id is not 20 bytes long")
	case err != nil || port == 0:
		return failure("no port")
	}
	a := serverAnnounce{InfoHash: InfoHash([]byte(get("info_hash"))), PeerID: [20]byte([]byte(get("peer_id"))),
		Peer: netip.AddrPortFrom(from, uint16(port)), Left: 1, NumWant: -1}
	if left, err := strconv.ParseUint(get("left"), 10, 64); err == nil {
		a.Left = left
	}
	if n, err := strconv.ParseInt(get("numwant"), 10, 32); err == nil {
		a.NumWant = int(n)
	}
	switch get("event") {
	case "started":
		a.Event = eventStarted
	case "completed":
		a.Event = eventCompleted
	case "stopped":
		a.Event = eventStopped
	}
	r, ok := t.announce(a)
	if !ok {
		return failure(errNotServed)
	}
	return appendReply(r, get("compact") != "0", get("no_peer_id") == "1")
}

// appendReply encodes a reply; its keys are in order.
func appendReply(r serverReply, compact, noID bool) []byte {
	b := []byte{'d'}
	number := func(key string, n int64) { b = bencode.AppendInt(bencode.AppendString(b, key), n) }
	number("complete", int64(r.Seeds))
	number("incomplete", int64(r.Leechers))
	number("interval", int64(r.Interval/time.Second))
	number("min interval", int64(min(serverMinimum, r.Interval)/time.Second))
	b = bencode.AppendString(b, "peers")
	if !compact {
		return append(appendPeerDicts(b, r.Peers, noID), 'e')
	}
	b = bencode.AppendString(b, appendCompact(nil, r.Peers, true, len(r.Peers)))
	if six := appendCompact(nil, r.Peers, false, len(r.Peers)); len(six) > 0 {
		b = bencode.AppendString(bencode.AppendString(b, "peers6"), six)
	}
	return append(b, 'e')
}

// appendPeerDicts appends peers in the form of BEP 3.
func appendPeerDicts(b []byte, peers []trackedAddr, noID bool) []byte {
	b = append(b, 'l')
	for _, p := range peers {
		b = bencode.AppendString(bencode.AppendString(append(b, 'd'), "ip"), p.addr.Addr().String())
		if !noID && p.id != [20]byte{} {
			b = bencode.AppendString(bencode.AppendString(b, "peer id"), p.id[:])
		}
		b = append(bencode.AppendInt(bencode.AppendString(b, "port"), int64(p.addr.Port())), 'e')
	}
	return append(b, 'e')
}

// appendCompact appends the addresses of a family, at most limit of them (BEP 23, BEP 7).
func appendCompact(b []byte, peers []trackedAddr, four bool, limit int) []byte {
	for _, p := range peers {
		if a := p.addr.Addr(); a.Is4() == four && limit > 0 {
			b = append(append(b, a.AsSlice()...), byte(p.addr.Port()>>8), byte(p.addr.Port()))
			limit--
		}
	}
	return b
}

// scrapeHTTP is the answer to a scrape. It names torrents: to list what is served is not for strangers.
func (t *trackerServer) scrapeHTTP(q map[string][]string) []byte {
	hashes := q["info_hash"]
	if len(hashes) == 0 {
		return failure("name the torrents by info_hash")
	}
	found := map[string]servedCount{}
	for _, h := range hashes[:min(len(hashes), serverMaxScrape)] {
		if len(h) != 20 {
			return failure("info_hash is not 20 bytes long")
		}
		if c, ok := t.scrape(InfoHash([]byte(h))); ok {
			found[h] = c
		}
	}
	b := bencode.AppendString([]byte{'d'}, "files")
	b = append(b, 'd')
	for _, h := range sortedKeys(found) {
		c := found[h]
		b = bencode.AppendString(b, h)
		b = fmt.Appendf(b, "d8:completei%de10:downloadedi%de10:incompletei%dee", c.seeds, c.completed, c.leechers)
	}
	return append(b, "ee"...)
}
