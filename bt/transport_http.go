package bt

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

const maxRedirects = 5

// httpClient makes a client for trackers, webseeds and .torrent files: through the proxy or interface of the session,
// never by the environment's proxy, with at most 5 redirects and those only to http and https, and never from a host
// outside to one that only we can reach. With raw, bodies are passed on as they come, else gzip is undone; either way
// the caller bounds what it reads. Its transport is [http.Client.CloseIdleConnections]'s to close.
func (t *transport) httpClient(raw bool) *http.Client {
	return &http.Client{
		Transport: &guardedTransport{
			userAgent: t.userAgent,
			plain:     t.httpTransport(raw, t.checkServer),
			redirected: t.httpTransport(raw, func(a netip.Addr) error {
				if isInner(a) {
					return errorf(Network, "following redirect: %s is out of bounds", a)
				}
				return t.checkServer(a)
			}),
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			req.Header.Del("Referer") // it would give away the passkey in a tracker's URL
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}
}

func (t *transport) httpTransport(raw bool, check func(netip.Addr) error) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return t.dialChecked(ctx, network, addr, check)
		},
		DisableCompression:     raw,
		MaxResponseHeaderBytes: 64 << 10,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		IdleConnTimeout:        60 * time.Second,
		MaxIdleConnsPerHost:    8,
		ForceAttemptHTTP2:      true,
	}
}

// A guardedTransport sends redirected requests over connections of their own, which are checked when they are made:
// by then names are resolved, and none that was made for a trusted request is used again.
type guardedTransport struct {
	plain, redirected *http.Transport
	userAgent         string
}

func (g *guardedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, errorf(Network, "fetching %s: only http and https are fetched", req.URL.Redacted())
	}
	if req.Header.Get("User-Agent") == "" {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", g.userAgent)
	}
	first := req
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	if first != req && !isInnerHost(first.URL.Hostname()) {
		return g.redirected.RoundTrip(req)
	}
	return g.plain.RoundTrip(req)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (g *guardedTransport) CloseIdleConnections() {
	g.plain.CloseIdleConnections()
	g.redirected.CloseIdleConnections()
}

// isInnerHost reports whether a URL names a host that only we can reach, so that it may redirect to such.
func isInnerHost(host string) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return isLocalName(host) || err == nil && isInner(a)
}
