package bt

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxURL is how long a URL may be, in bytes.
const maxURL = 8 << 10

var (
	trackerSchemes = []string{"http", "https", "udp", "ws", "wss"}
	webSchemes     = []string{"http", "https"}
)

// SanitizeTracker is a tracker's URL in the one form that parsing and printing does not change: scheme and host in
// lower case, what must be escaped escaped. Schemes are http, https, udp, ws and wss. A URL with a user or password, without
// a host, with a port out of range, or udp without a port is BadInput.
func SanitizeTracker(s string) (string, error) {
	u, err := sanitizeURL(s, trackerSchemes)
	if err == nil && u.Scheme == "udp" && u.Port() == "" {
		err = errors.New("a UDP tracker needs a port")
	}
	if err != nil {
		return "", errorf(BadInput, "parsing tracker %q: %w", clip(s), err)
	}
	return u.String(), nil
}

// SanitizeWebseed is a webseed's URL (BEP 19, http or https) in the form that [SanitizeTracker] gives.
func SanitizeWebseed(s string) (string, error) {
	u, err := sanitizeURL(s, webSchemes)
	if err != nil {
		return "", errorf(BadInput, "parsing webseed %q: %w", clip(s), err)
	}
	return u.String(), nil
}

func sanitizeURL(s string, schemes []string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	switch {
	case len(s) > maxURL:
		return nil, fmt.Errorf("it is longer than %d bytes", maxURL)
	case !utf8.ValidString(s):
		return nil, errors.New("it is not UTF-8")
	}
	u, err := url.Parse(s)
	if err != nil {
		var uerr *url.Error
		if errors.As(err, &uerr) {
			err = uerr.Err // the rest is what we say ourselves
		}
		return nil, err
	}
	if err := checkURL(u, schemes); err != nil {
		return nil, err
	}
	if u.Host, err = sanitizeHost(u.Host); err != nil {
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	u.ForceQuery = false
	u.RawQuery = escapeQuery(u.RawQuery)
	// What is to be printed must be a fixed point, or the library panics on it.
	again, err := url.Parse(u.String())
	if err != nil || again.String() != u.String() || again.Host != u.Host {
		return nil, errors.New("it is ambiguous")
	}
	return again, nil
}

func checkURL(u *url.URL, schemes []string) error {
	switch {
	case !slices.Contains(schemes, u.Scheme):
		return fmt.Errorf("the scheme is %q, not one of %s", clip(u.Scheme), strings.Join(schemes, ", "))
	case u.User != nil:
		return errors.New("it has a user name, which would be sent to anyone")
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("it has no host")
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("port %s", port)
		}
	}
	return nil
}

// sanitizeHost is host[:port] in lower case, international names in ASCII.
func sanitizeHost(hostport string) (string, error) {
	host, port := hostport, ""
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		host, port = hostport[:i], hostport[i:]
	}
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", fmt.Errorf("host %q", clip(host))
		}
		return "[" + addr.String() + "]" + port, nil
	}
	host, err := sanitizeName(host)
	return host + port, err
}

// sanitizeName is an IPv4 address or a host name in lower case and ASCII.
func sanitizeName(host string) (string, error) {
	if strings.ContainsFunc(host, func(c rune) bool { return c >= utf8.RuneSelf }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("host %q", clip(host))
		}
		host = ascii
	}
	host = strings.ToLower(host)
	odd := func(c rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-._", c) }
	if host == "" || len(host) > 253 || strings.ContainsFunc(host, odd) {
		return "", fmt.Errorf("host %q", clip(host))
	}
	return host, nil
}

// escapeQuery escapes what may not stand in a query, and leaves the rest as it is: passkeys are in there.
func escapeQuery(q string) string {
	var b strings.Builder
	for i := range len(q) {
		if c := q[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}#", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// zoneChars occur in the names of network interfaces.
const zoneChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// SanitizePeer is host:port, the host an IP address or a name, the port 1 to 65535; anything else is BadInput. A zone of
// an IPv6 address is kept: link-local peers need it.
func SanitizePeer(s string) (string, error) {
	host, port, err := net.SplitHostPort(strings.TrimSpace(s))
	if err != nil {
		return "", errorf(BadInput, "parsing peer %q: want HOST:PORT", clip(s))
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", errorf(BadInput, "parsing peer %q: port %q", clip(s), clip(port))
	}
	if addr, perr := netip.ParseAddr(host); perr == nil {
		if addr.IsUnspecified() || addr.IsMulticast() || strings.Trim(addr.Zone(), zoneChars) != "" {
			return "", errorf(BadInput, "parsing peer %q: no peer has that address", clip(s))
		}
		return netip.AddrPortFrom(addr.Unmap(), uint16(n)).String(), nil
	}
	if host, err = sanitizeName(host); err != nil {
		return "", errorf(BadInput, "parsing peer %q: %w", clip(s), err)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}
