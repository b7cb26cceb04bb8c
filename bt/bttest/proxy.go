package bttest

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
)

// A Proxy counts what is asked of it.
type Proxy struct {
	URL   string // with its scheme
	bytes atomic.Int64
	mu    sync.Mutex // guards asked
	asked []string
}

// Asked are the addresses that were to be dialled, as the client wrote them: names if it left resolving to the proxy.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// Bytes is how many were carried, both ways.
func (p *Proxy) Bytes() int64 { return p.bytes.Load() }

func (p *Proxy) dial(ctx context.Context, addr string) (net.Conn, error) {
	p.mu.Lock()
	p.asked = append(p.asked, addr)
	p.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
}

func (p *Proxy) join(a net.Conn, fromA io.Reader, b net.Conn) {
	count := func(to net.Conn, from io.Reader) {
		n, _ := io.Copy(to, from)
		p.bytes.Add(n)
		a.Close()
		b.Close()
	}
	both(func() { count(b, fromA) }, func() { count(a, b) })
}

// NewConnectProxy starts an HTTP proxy that understands CONNECT, and absolute URLs for plain http.
func NewConnectProxy(t T) *Proxy {
	t.Helper()
	p := &Proxy{}
	p.URL = "http://" + listenTCP(t, func(ctx context.Context, c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		addr := req.Host
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(addr, "80")
		}
		far, err := p.dial(ctx, addr)
		if err != nil {
			_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			return
		}
		defer far.Close()
		if req.Method == http.MethodConnect {
			_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		} else {
			req.Close = true // one request a connection: the next may be for another host
			if req.Write(far) != nil {
				return
			}
		}
		p.join(c, r, far)
	})
	return p
}

// NewSocks starts a SOCKS5 proxy (RFC 1928) without passwords. It knows CONNECT only.
func NewSocks(t T) *Proxy {
	t.Helper()
	p := &Proxy{}
	p.URL = "socks5://" + listenTCP(t, func(ctx context.Context, c net.Conn) {
		r := bufio.NewReader(c)
		addr, err := readSocks(c, r)
		if err != nil {
			return
		}
		far, err := p.dial(ctx, addr)
		if err != nil {
			_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // refused
			return
		}
		defer far.Close()
		if _, err := c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err == nil {
			p.join(c, r, far)
		}
	})
	return p
}

// readSocks agrees on no password and reads what to connect to.
func readSocks(w io.Writer, r *bufio.Reader) (addr string, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	if _, err := r.Discard(int(head[1])); err != nil {
		return "", err
	}
	if _, err := w.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	req := make([]byte, 4)
	if _, err := io.ReadFull(r, req); err != nil {
		return "", err
	}
	const connect, ipv4, name, ipv6 = 1, 1, 3, 4
	if req[1] != connect {
		_, _ = w.Write([]byte{5, 7, 0, 1, 0, 0, 0, 0, 0, 0})
		return "", fmt.Errorf("command %d", req[1])
	}
	n := map[byte]int{ipv4: 4, ipv6: 16}[req[3]]
	if req[3] == name {
		b, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		n = int(b)
	}
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", err
	}
	host := string(b[:n])
	if ip, ok := netip.AddrFromSlice(b[:n]); ok && req[3] != name {
		host = ip.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(b[n:])))), nil
}

// listenTCP handles connections to a port of loopback until the test ends, and returns its address.
func listenTCP(t T, handle func(ctx context.Context, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				handle(ctx, c)
			})
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); wait.Wait() })
	return l.Addr().String()
}

// both runs two functions at once.
func both(a, b func()) {
	var wait sync.WaitGroup
	wait.Go(a)
	b()
	wait.Wait()
}
