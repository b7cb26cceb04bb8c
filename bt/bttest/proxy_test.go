package bttest_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"shoal/bt/bttest"
)

func TestLink(t *testing.T) {
	t.Parallel()
	content, torrent := bttest.MakeContent(t, "song.bin", 300_000)
	link := bttest.NewLink(t, bttest.Honest(t, content).Listen(t))
	link.CutAfter(100_000)
	got := t.TempDir()
	leech := bttest.LeechLibtorrent(t, torrent, got, link.Addr)
	bttest.Eventually(t, "carrying data", func() bool { return link.Bytes() >= 100_000 })
	link.CutAfter(0)
	finish(t, content, leech, got) // by another peer: libtorrent waits long before it dials again
}

func TestLinkDelaysAndGoesDown(t *testing.T) {
	t.Parallel()
	echo := echoServer(t)
	link := bttest.NewLink(t, echo)
	const delay = 50 * time.Millisecond
	link.SetDelay(delay)
	c, err := net.Dial("tcp", link.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start := time.Now()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err != nil || b[0] != 'x' {
		t.Fatal(b, err)
	}
	if d := time.Since(start); d < 2*delay {
		t.Errorf("there and back in %v", d)
	}
	link.SetDown(true)
	if _, err := c.Read(b); err == nil {
		t.Error("the link is down, and the connection lives")
	}
}

func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func TestProxies(t *testing.T) {
	t.Parallel()
	content, _ := bttest.MakeContent(t, "song.bin", 300_000)
	web := bttest.HonestWebseed(t, content)
	for name, p := range map[string]*bttest.Proxy{"socks": bttest.NewSocks(t), "http": bttest.NewConnectProxy(t)} {
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return u, nil }}}
		resp, err := client.Get(web.URL + filepath.Base(content.Path()))
		if err != nil {
			t.Fatal(name, err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		client.CloseIdleConnections()
		if !bytes.Equal(got, bttest.RandomBytes(300_000, 300_000)) {
			t.Errorf("%s: got %d bytes", name, len(got))
		}
		bttest.Eventually(t, "counting", func() bool { return p.Bytes() >= 300_000 })
		if asked := p.Asked(); len(asked) != 1 || "http://"+asked[0]+"/" != web.URL {
			t.Errorf("%s: asked for %q", name, asked)
		}
	}
}
