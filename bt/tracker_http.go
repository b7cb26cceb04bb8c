package bt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// announceHTTP announces over HTTP (BEP 3, 7, 23, 24, 31).
func (c *trackerClient) announceHTTP(ctx context.Context, u *url.URL, req announceRequest) (*announceReply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, httpTrackerAnswer, errors.New("tracker did not answer"))
	defer cancel()
	if req.Sent != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { req.Sent() }})
	}
	status, body, err := c.get(ctx, announceURL(u, req))
	if err != nil {
		return nil, err
	}
	reply, err := parseAnnounceReply(body)
	var refused *trackerError
	if status != http.StatusOK && !errors.As(err, &refused) {
		return nil, fmt.Errorf("tracker answers %d: %.100q", status, body)
	}
	return reply, err
}

// get fetches what a tracker says, at most 2 MiB of it after gzip is undone.
func (c *trackerClient) get(ctx context.Context, u string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, nil, errors.New("not a URL that can be fetched")
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, nil, shortenCause(ctx, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxTrackerReply+1))
	switch {
	case len(body) > maxTrackerReply:
		return 0, nil, errors.New("tracker answers with more than 2 MiB")
	case err != nil:
		return 0, nil, fmt.Errorf("reading the answer: %w", shortenCause(ctx, err))
	}
	return resp.StatusCode, body, nil
}

// announceURL adds the request to a tracker's URL, which may have a query of its own.
func announceURL(u *url.URL, req announceRequest) string {
	var q strings.Builder
	add := func(key, value string) {
		if q.Len() > 0 {
			q.WriteByte('&')
		}
		q.WriteString(key + "=" + escapeBytes(value))
	}
	add("info_hash", string(req.InfoHash[:]))
	add("peer_id", string(req.PeerID[:]))
	add("port", strconv.Itoa(int(req.Port)))
	add("uploaded", strconv.FormatInt(req.Uploaded, 10))
	add("downloaded", strconv.FormatInt(req.Downloaded, 10))
	add("left", strconv.FormatInt(req.Left, 10))
	add("compact", "1")
	add("no_peer_id", "1")
	add("key", fmt.Sprintf("%08X", req.Key))
	if req.NumWant >= 0 {
		add("numwant", strconv.Itoa(int(req.NumWant)))
	}
	if req.Event != eventNone {
		add("event", req.Event.String())
	}
	if req.TrackerID != "" {
		add("trackerid", req.TrackerID)
	}
	full := *u
	if full.RawQuery = strings.Trim(u.RawQuery, "&"); full.RawQuery != "" {
		full.RawQuery += "&"
	}
	full.RawQuery += q.String()
	return full.String()
}

// escapeBytes escapes for a query: unlike url.QueryEscape a space becomes %20, since many a tracker reads + as itself.
func escapeBytes(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// parseAnnounceReply reads a reply, with peers as strings (BEP 23) or dictionaries (BEP 3). A field that is not what
// it should be counts as absent.
func parseAnnounceReply(b []byte) (*announceReply, error) {
	r := &announceReply{}
	var refused *trackerError
	retryIn, never := time.Duration(0), false
	ok := scanDict(b, func(key string, v []byte) bool {
		n, _ := scanInt(v)
		s, isString := scanString(v)
		switch key {
		case "failure reason":
			refused = &trackerError{Reason: string(s[:min(len(s), 1000)])}
		case "retry in": // minutes
			retryIn, never = min(seconds(n)*60, 24*time.Hour), string(s) == "never"
			if m, err := strconv.Atoi(string(s)); err == nil {
				retryIn = min(seconds(int64(m))*60, 24*time.Hour)
			}
		case "warning message":
			r.Warning = string(s[:min(len(s), 1000)])
		case "interval":
			r.Interval = seconds(n)
		case "min interval":
			r.MinInterval = seconds(n)
		case "complete":
			r.Seeders = countOf(n)
		case "incomplete":
			r.Leechers = countOf(n)
		case "tracker id":
			r.TrackerID = string(s[:min(len(s), 1000)])
		case "external ip":
			r.ExternalIP, _ = netip.AddrFromSlice(s)
		case "peers":
			if isString {
				r.Peers = compactPeers(r.Peers, s, 6)
				return true
			}
			scanList(v, func(item []byte) bool {
				r.Peers = addPeer(r.Peers, parsePeerDict(item))
				return len(r.Peers) < maxTrackerPeers
			})
		case "peers6":
			r.Peers = compactPeers(r.Peers, s, 18)
		}
		return true
	})
	switch {
	case !ok:
		return nil, fmt.Errorf("tracker answers what is not bencode: %.100q", b)
	case refused != nil:
		refused.RetryIn, refused.Never = retryIn, never
		return nil, refused
	}
	return r, nil
}

// parsePeerDict reads a peer of the original form. Its ip may be a name by BEP 3; nobody sends that, and looking up
// names that strangers choose is not for us.
func parsePeerDict(b []byte) netip.AddrPort {
	var addr netip.Addr
	var port int64
	scanDict(b, func(key string, v []byte) bool {
		switch key {
		case "ip":
			s, _ := scanString(v)
			if len(s) < 64 {
				addr, _ = netip.ParseAddr(string(s))
			}
		case "port":
			port, _ = scanInt(v)
		}
		return true
	})
	if port < 1 || port > 65535 || addr.Zone() != "" {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, uint16(port))
}
