package secret

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	scheme       = "shoal:"
	maxLabel     = 255 // bytes
	maxAddresses = 32  // peers, and as many trackers
)

// A URL is a token with what helps to use it (docs/shares.md §1.1). Its text is a secret.
type URL struct {
	Token    Token
	Label    string   // a name for the share; may be empty
	Peers    []string // host:port
	Trackers []string // http, https or udp URLs
}

// Text is the text form of u: a secret.
func (u URL) Text() string {
	b := scheme + "?t=" + u.Token.Text()
	if u.Label != "" {
		b += "&n=" + url.QueryEscape(u.Label)
	}
	for _, p := range u.Peers {
		b += "&p=" + url.QueryEscape(p)
	}
	for _, t := range u.Trackers {
		b += "&tr=" + url.QueryEscape(t)
	}
	return b
}

// ParseURL reads the text form of a URL. Parameters that it does not know are left out. Errors are a *[TextError].
func ParseURL(s string) (URL, error) {
	fail := func(format string, args ...any) (URL, error) {
		return URL{}, &TextError{Form: "URL", What: fmt.Sprintf(format, args...)}
	}
	if s = strings.TrimSpace(s); len(s) > maxURL {
		return fail("it is too long")
	}
	if len(s) <= len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) || s[len(scheme)] != '?' {
		return fail("it does not begin with %s?", scheme)
	}
	query, err := url.ParseQuery(s[len(scheme)+1:])
	if err != nil {
		return fail("its parameters cannot be read") // the error could show them
	}
	if len(query["t"]) != 1 || len(query["n"]) > 1 {
		return fail("it has one t, the token, and at most one n")
	}
	u := URL{Label: query.Get("n"), Peers: query["p"], Trackers: query["tr"]}
	if u.Token, err = ParseToken(query.Get("t")); err != nil {
		return URL{}, err
	}
	switch {
	case len(u.Label) > maxLabel || !utf8.ValidString(u.Label) || strings.ContainsFunc(u.Label, func(r rune) bool { return !strconv.IsPrint(r) }):
		return fail("its label is not a short line of text")
	case len(u.Peers) > maxAddresses || len(u.Trackers) > maxAddresses:
		return fail("it has more than %d peers or trackers", maxAddresses)
	case slices.ContainsFunc(u.Peers, func(p string) bool { return !isHostPort(p) }):
		return fail("a peer is not host:port")
	case slices.ContainsFunc(u.Trackers, func(t string) bool { return !isTracker(t) }):
		return fail("a tracker is not an http, https or udp URL")
	}
	return u, nil
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && n > 0 && host != "" && len(host) <= 253 && !strings.ContainsFunc(s, notInHost)
}

// notInHost reports whether no host name or address has r.
func notInHost(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/?#@\"<>`, r) }

func isTracker(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains([]string{"http", "https", "udp"}, u.Scheme) && strconv.Quote(s) == `"`+s+`"`
}
