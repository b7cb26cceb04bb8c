package bt

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func testTransport(t *testing.T, cfg Config) *transport {
	t.Helper()
	tr, err := newTransport(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestListenSamePort(t *testing.T) {
	for range 20 {
		tr := testTransport(t, Config{Listen: "127.0.0.1"})
		l, pc, err := tr.listen(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		defer pc.Close()
		if a, b := l.Addr().(*net.TCPAddr).AddrPort(), pc.LocalAddr().(*net.UDPAddr).AddrPort(); a != b {
			t.Fatalf("TCP %v, UDP %v", a, b)
		}
		taken := testTransport(t, Config{Listen: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port})
		_, _, err = taken.listen(t.Context(), true)
		wantCode(t, err, Network)
		var e *Error
		if !errors.As(err, &e) || e.Hint() == "" {
			t.Fatalf("no hint with %v", err)
		}
	}
}

func TestDialFromListenAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.2 is there on Linux only")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tr := testTransport(t, Config{Listen: "127.0.0.2"})
	c, err := tr.dialPeer(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.2" {
		t.Errorf("dialled from %s", got)
	}
	if _, err := tr.dialPeer(t.Context(), "tcp", "[::1]:9"); err == nil {
		t.Error("dialled IPv6 while bound to an IPv4 address")
	}
}

func TestTransportRefusals(t *testing.T) {
	for _, bad := range []Config{
		{Proxy: "ftp://127.0.0.1"}, {Proxy: "socks5://"}, {Proxy: "://"}, {Listen: "localhost"}, {Port: 65536},
		{Proxy: "socks5://127.0.0.1", LANOnly: true},
	} {
		_, err := newTransport(bad)
		wantCode(t, err, Usage)
	}
	_, err := newTransport(Config{Interface: "nosuch0"})
	wantCode(t, err, Network)

	lan := testTransport(t, Config{LANOnly: true})
	_, err = lan.dial(t.Context(), "tcp", "192.0.2.1:80")
	wantCode(t, err, Network)
	if !strings.Contains(err.Error(), "only local") {
		t.Error(err)
	}
	only := testTransport(t, Config{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if _, err = only.dialPeer(t.Context(), "tcp", "127.0.0.1:9"); err == nil || !strings.Contains(err.Error(), "allowlist") {
		t.Error(err)
	}
}

// TestInterfaceFailsClosed runs in a network namespace of its own, where one end of a veth pair is the interface to use and
// loopback the way around it.
func TestInterfaceFailsClosed(t *testing.T) {
	const inner = "SHOAL_TEST_IN_NAMESPACE"
	if os.Getenv(inner) == "" {
		script := `ip link set lo up && ip link add d0 type veth peer name d1 && ip link set d1 up && ip addr add 10.9.0.1/24 dev d0 && ip link set d0 up && exec "$0" -test.run '^TestInterfaceFailsClosed$' -test.v`
		if exec.Command("unshare", "-rn", "sh", "-c", "ip link add d0 type veth peer name d1").Run() != nil {
			t.Skip("no user namespaces, or no ip command")
		}
		cmd := exec.CommandContext(t.Context(), "unshare", "-rn", "sh", "-c", script, os.Args[0])
		cmd.Env = append(os.Environ(), inner+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tr := testTransport(t, Config{Interface: "d0"})
	for _, fallback := range []bool{false, true} {
		if fallback {
			tr.deviceErr = errors.New("not permitted")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		c, err := tr.dial(ctx, "tcp", l.Addr().String())
		cancel()
		if err == nil && (!fallback || c.LocalAddr().(*net.TCPAddr).IP.String() != "10.9.0.1") {
			t.Errorf("fallback %v: went around the interface, from %v", fallback, c.LocalAddr())
		}
		ours, pc, err := tr.listen(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		ours.Close()
		pc.Close()
	}
	ours, _, err := testTransport(t, Config{Interface: "d0"}).listen(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ours.Addr().(*net.TCPAddr).Port)); err == nil {
		t.Error("a listener on d0 was reached over loopback")
	}
	if err := exec.Command("ip", "link", "del", "d0").Run(); err != nil {
		t.Fatal(err)
	}
	for _, deviceErr := range []error{nil, errors.New("not permitted")} {
		tr.deviceErr = deviceErr
		if _, err := tr.dial(t.Context(), "tcp", l.Addr().String()); err == nil {
			t.Error("dialled although the interface is gone")
		}
		if _, err := tr.listenPacket(t.Context(), "udp4"); err == nil {
			t.Error("made a UDP socket although the interface is gone")
		}
		if _, _, err := tr.listen(t.Context(), true); err == nil {
			t.Error("listened although the interface is gone")
		}
		if _, err := tr.resolve(t.Context(), "host.invalid:1"); err == nil {
			t.Error("looked a name up although the interface is gone")
		}
	}
}

// A testProxy speaks SOCKS5 with a password, or HTTP CONNECT, and connects to one target whatever it is asked for.
type testProxy struct {
	net.Listener
	target string
	mu     sync.Mutex
	asked  []string // guarded by mu
}

func startProxy(t *testing.T, target string, serve func(*testProxy, net.Conn) (string, error)) *testProxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &testProxy{Listener: l, target: target}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				name, err := serve(p, c)
				if err != nil {
					return
				}
				p.mu.Lock()
				p.asked = append(p.asked, name)
				p.mu.Unlock()
				up, err := net.Dial("tcp", p.target)
				if err != nil {
					return
				}
				defer up.Close()
				go func() { io.Copy(up, c); up.Close() }()
				io.Copy(c, up)
			})
		}
	})
	t.Cleanup(func() { l.Close() })
	return p
}

func serveSOCKS(_ *testProxy, c net.Conn) (string, error) {
	b := make([]byte, 512)
	read := func(n int) []byte { io.ReadFull(c, b[:n]); return b[:n] }
	read(int(read(2)[1]))
	c.Write([]byte{5, 2})
	user := string(read(int(read(2)[1])))
	password := string(read(int(read(1)[0])))
	if user != "me" || password != "p@ss" {
		c.Write([]byte{1, 1})
		return "", errors.New("denied")
	}
	c.Write([]byte{1, 0})
	head := read(4)
	if head[3] != 3 {
		return "", errors.New("want a name")
	}
	name := string(read(int(read(1)[0])))
	port := binary.BigEndian.Uint16(read(2))
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	return net.JoinHostPort(name, strconv.Itoa(int(port))), nil
}

func serveCONNECT(_ *testProxy, c net.Conn) (string, error) {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return "", err
	}
	if req.Method != http.MethodConnect || req.Header.Get("Proxy-Authorization") != "Basic bWU6cEBzcw==" {
		io.WriteString(c, "HTTP/1.1 407 Who are you\r\n\r\n")
		return "", errors.New("denied")
	}
	io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	return req.Host, nil
}

func TestProxy(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.UserAgent()) }))
	defer srv.Close()
	socks := startProxy(t, srv.Listener.Addr().String(), serveSOCKS)
	connect := startProxy(t, srv.Listener.Addr().String(), serveCONNECT)
	for _, p := range []struct {
		url   string
		proxy *testProxy
	}{
		{"socks5://me:p%40ss@" + socks.Addr().String(), socks},
		{"socks5h://me:p%40ss@" + socks.Addr().String(), socks},
		{"http://me:p%40ss@" + connect.Addr().String(), connect},
	} {
		tr := testTransport(t, Config{Proxy: p.url, UserAgent: "tester"})
		if err := tr.checkProxy(t.Context()); err != nil {
			t.Fatal(err)
		}
		client := tr.httpClient(false)
		resp, err := client.Get("http://tracker.example:6969/announce")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		client.CloseIdleConnections()
		p.proxy.mu.Lock()
		asked := p.proxy.asked
		p.proxy.mu.Unlock()
		if len(asked) == 0 || asked[len(asked)-1] != "tracker.example:6969" || string(body) != "tester" {
			t.Errorf("%s: asked for %q, got %q", p.url, asked, body)
		}
		if l, pc, err := tr.listen(t.Context(), true); l != nil || pc != nil || err != nil {
			t.Error("a session behind a proxy listens")
		}
		if _, err := tr.listenPacket(t.Context(), "udp4"); !tr.noUDP() || err == nil {
			t.Error("a UDP socket next to a proxy")
		}
		if names, err := tr.resolvePeer(t.Context(), "peer.example:1"); err != nil || names[0] != "peer.example:1" {
			t.Errorf("resolving behind a proxy: %v, %v", names, err)
		}
	}
	wrong := testTransport(t, Config{Proxy: "http://me:secret@" + connect.Addr().String()})
	_, err := wrong.dial(t.Context(), "tcp", "tracker.example:1")
	wantCode(t, err, Network)
	if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "407") {
		t.Error(err)
	}
	socks.Close()
	gone := testTransport(t, Config{Proxy: "socks5://" + socks.Addr().String()})
	wantCode(t, gone.checkProxy(t.Context()), Network)
}

func TestProxyConnectEarlyBytes(t *testing.T) {
	p := startProxy(t, "127.0.0.1:1", func(_ *testProxy, c net.Conn) (string, error) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhello")
		io.Copy(io.Discard, c)
		return "", io.EOF
	})
	tr := testTransport(t, Config{Proxy: "http://" + p.Addr().String()})
	c, err := tr.dial(t.Context(), "tcp", "peer.example:1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestRedirects(t *testing.T) {
	var hits atomic.Int32
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer secret.Close()
	_, secretPort, _ := net.SplitHostPort(secret.Listener.Addr().String())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := r.URL.Query().Get("to")
		if n, err := strconv.Atoi(to); err == nil && n > 0 {
			to = fmt.Sprintf("/?to=%d", n-1)
		}
		if to != "0" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	}))
	defer srv.Close()
	direct := testTransport(t, Config{}).httpClient(false)
	proxy := startProxy(t, srv.Listener.Addr().String(), serveCONNECT)
	proxied := testTransport(t, Config{Proxy: "http://me:p%40ss@" + proxy.Addr().String()}).httpClient(false)
	for _, c := range []struct {
		client *http.Client
		from   string
		to     string
		ok     bool
	}{
		{direct, srv.URL, "5", true},
		{direct, srv.URL, "6", false},
		{direct, srv.URL, secret.URL, true}, // from loopback to loopback
		{direct, srv.URL, "file:///etc/passwd", false},
		{direct, srv.URL, "ftp://127.0.0.1/", false},
		{proxied, "http://outside.example", "2", true},
		{proxied, "http://outside.example", secret.URL, false},
		{proxied, "http://outside.example", "http://localhost:" + secretPort, false},
		{proxied, "http://outside.example", "http://[::ffff:127.0.0.1]:" + secretPort, false},
		{proxied, "http://outside.example", "http://0.0.0.0:" + secretPort, false},
		{proxied, "http://outside.example", "http://169.254.169.254/latest", false},
	} {
		hits.Store(0)
		resp, err := c.client.Get(c.from + "/?to=" + c.to)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != c.ok || !c.ok && hits.Load() > 0 {
			t.Errorf("%s to %s: %v, %d hits", c.from, c.to, err, hits.Load())
		}
		c.client.CloseIdleConnections()
	}
	// Without a proxy the address decides, whatever name it had.
	tr := testTransport(t, Config{})
	_, err := tr.dialChecked(t.Context(), "tcp", "localhost:"+secretPort, func(a netip.Addr) error {
		if isInner(a) {
			return errors.New("inner")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "inner") {
		t.Errorf("a name for loopback: %v", err)
	}
}

// Names are looked up by the transport alone: with an interface the system's resolver would go past it.
func TestOneResolver(t *testing.T) {
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "transport") && strings.Contains(string(b), "net.DefaultResolver") {
			t.Errorf("%s looks names up by itself", name)
		}
	}
}
