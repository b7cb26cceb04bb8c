package bt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// A proxyServer is what all connections go through. Names are always resolved by it: looking them up here would tell
// the local network where we go.
type proxyServer struct {
	url  *url.URL
	addr string // host:port of the proxy itself
}

// A rawDial connects without the proxy.
type rawDial func(ctx context.Context, network, addr string, check func(netip.Addr) error) (net.Conn, error)

func parseProxy(s string) (*proxyServer, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		// The parse error is left out: it would show the password.
		return nil, errorf(Usage, "checking proxy: want socks5://, socks5h:// or http:// with a host")
	}
	ports := map[string]string{"socks5": "1080", "socks5h": "1080", "http": "8080"}
	port, ok := ports[u.Scheme]
	if !ok {
		return nil, errorf(Usage, "checking proxy %s: want socks5://, socks5h:// or http://", u.Redacted())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	password, _ := u.User.Password()
	if len(u.User.Username()) > 255 || len(password) > 255 {
		return nil, errorf(Usage, "checking proxy %s: user or password is longer than 255 bytes", u.Redacted())
	}
	return &proxyServer{url: u, addr: net.JoinHostPort(u.Hostname(), port)}, nil
}

// checkProxy connects to the proxy, so that one that is not there is an error at once and not no-peers later. It is
// nil without a proxy.
func (t *transport) checkProxy(ctx context.Context) error {
	if t.proxy == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, errors.New("proxy did not answer"))
	defer cancel()
	c, err := t.direct(ctx, "tcp", t.proxy.addr, nil)
	if err != nil {
		return errorf(Network, "connecting to proxy %s: %w", t.proxy.url.Redacted(), err)
	}
	return c.Close()
}

// dial connects to addr through the proxy.
func (p *proxyServer) dial(ctx context.Context, raw rawDial, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*dialTimeout, errors.New("proxy did not answer"))
	defer cancel()
	c, err := p.connect(ctx, raw, addr)
	if err != nil {
		return nil, errorf(Network, "connecting to %s through %s: %w", addr, p.url.Redacted(), err)
	}
	return c, nil
}

func (p *proxyServer) connect(ctx context.Context, raw rawDial, addr string) (net.Conn, error) {
	if p.url.Scheme == "http" {
		c, err := raw(ctx, "tcp", p.addr, nil)
		if err != nil {
			return nil, err
		}
		return p.tunnel(ctx, c, addr)
	}
	var auth *proxy.Auth
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		auth = &proxy.Auth{User: u.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", p.addr, auth, forward(raw))
	if err != nil {
		return nil, err
	}
	cd, ok := d.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("the SOCKS client cannot be interrupted")
	}
	return cd.DialContext(ctx, "tcp", addr)
}

// tunnel asks an HTTP proxy for a connection to addr (RFC 9110 §9.3.6).
func (p *proxyServer) tunnel(ctx context.Context, c net.Conn, addr string) (_ net.Conn, err error) {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = context.Cause(ctx) // the deadline is set or about to be: the connection is of no use
		}
		if err != nil {
			c.Close()
		}
	}()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": nil}}
	if u := p.url.User; u != nil {
		password, _ := u.Password()
		basic := &http.Request{Header: http.Header{}}
		basic.SetBasicAuth(u.Username(), password)
		req.Header.Set("Proxy-Authorization", basic.Header.Get("Authorization"))
	}
	if err := req.Write(c); err != nil {
		return nil, err
	}
	r := bufio.NewReader(&io.LimitedReader{R: c, N: 16 << 10})
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the proxy answered %q", resp.Status)
	}
	// What the other end said at once is in the buffer already.
	early, _ := r.Peek(r.Buffered())
	return &tunnelConn{Conn: c, early: early}, nil
}

// A tunnelConn is a connection whose first bytes were read with the proxy's answer.
type tunnelConn struct {
	net.Conn
	early []byte
}

func (c *tunnelConn) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.early)
	c.early = c.early[n:]
	return n, nil
}

type forward rawDial

func (f forward) Dial(network, addr string) (net.Conn, error) {
	return nil, errors.New("dialling without a context")
}

func (f forward) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return f(ctx, network, addr, nil)
}
