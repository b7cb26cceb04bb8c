package bttest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
)

// A WebBehaviour is how an HTTP server of ours treats requests.
type WebBehaviour struct {
	Name   string
	Handle func(s *WebServer, w http.ResponseWriter, r *http.Request)
}

// A WebServer is one that runs.
type WebServer struct {
	URL     string // ends in a slash
	Trap    string // URL of another server on loopback, to which nobody should be led
	content *Content
	hits    atomic.Int64
	trapped atomic.Int64
	once    sync.Once
	struck  chan struct{}
}

// Start serves until the test ends; content may be nil for a tracker.
func (b WebBehaviour) Start(t T, content *Content) *WebServer {
	t.Helper()
	s := &WebServer{content: content, struck: make(chan struct{})}
	s.Trap = serve(t, func(http.ResponseWriter, *http.Request) { s.trapped.Add(1) }) + "/"
	s.URL = serve(t, func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		s.once.Do(func() { close(s.struck) })
		b.Handle(s, w, r)
	}) + "/"
	return s
}

// Hits is the number of requests so far.
func (s *WebServer) Hits() int { return int(s.hits.Load()) }

// Trapped is the number of requests that Trap got.
func (s *WebServer) Trapped() int { return int(s.trapped.Load()) }

// Struck is closed at the first request.
func (s *WebServer) Struck() <-chan struct{} { return s.struck }

// serve starts an HTTP server on loopback and returns its URL, without a slash at the end.
func serve(t T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections() // a hostile handler may hold its client for ever
		s.Close()
	})
	return s.URL
}

// HonestWebseed serves a torrent's files, with ranges.
func HonestWebseed(t T, content *Content) *WebServer {
	t.Helper()
	return WebBehaviour{"honest", func(s *WebServer, w http.ResponseWriter, r *http.Request) {
		http.FileServer(http.Dir(s.content.dir)).ServeHTTP(w, r)
	}}.Start(t, content)
}

// open finds the file that a request is for; nil and a 404 when there is none.
func (s *WebServer) open(w http.ResponseWriter, r *http.Request) *os.File {
	f, err := http.Dir(s.content.dir).Open(path.Clean(r.URL.Path))
	if file, ok := f.(*os.File); ok && err == nil {
		return file
	}
	http.NotFound(w, r)
	return nil
}

// aRange is the range that a request asks for, cut to size; all of it when it asks for none.
func aRange(r *http.Request, size int64) (first, last int64) {
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); n < 2 {
		last = size - 1
	}
	return max(0, min(first, size-1)), min(last, size-1)
}

// partial answers a range request; change may alter the headers and the bytes.
func partial(change func(h http.Header, first, last, size int64, body []byte) []byte) func(*WebServer, http.ResponseWriter, *http.Request) {
	return func(s *WebServer, w http.ResponseWriter, r *http.Request) {
		f := s.open(w, r)
		if f == nil {
			return
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil || fi.IsDir() {
			http.NotFound(w, r)
			return
		}
		first, last := aRange(r, fi.Size())
		body := make([]byte, last-first+1)
		if _, err := f.ReadAt(body, first); err != nil && err != io.EOF {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, fi.Size()))
		body = change(w.Header(), first, last, fi.Size(), body)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(body)
	}
}

func contentRange(format string) func(*WebServer, http.ResponseWriter, *http.Request) {
	return partial(func(h http.Header, first, last, size int64, body []byte) []byte {
		r := strings.NewReplacer("FIRST", fmt.Sprint(first), "LAST", fmt.Sprint(last), "SIZE", fmt.Sprint(size), "NEXT", fmt.Sprint(first+1))
		h.Set("Content-Range", r.Replace(format))
		return body
	})
}

func status(code int, headers ...string) func(*WebServer, http.ResponseWriter, *http.Request) {
	return func(_ *WebServer, w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func redirect(to string) func(*WebServer, http.ResponseWriter, *http.Request) {
	return func(s *WebServer, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.NewReplacer("TRAP", s.Trap, "SELF", s.URL).Replace(to))
		w.WriteHeader(http.StatusFound)
	}
}

// endless writes chunk until the client has gone.
func endless(w io.Writer, chunk []byte) {
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func endlessBody(code int) func(*WebServer, http.ResponseWriter, *http.Request) {
	return func(_ *WebServer, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", "bytes 0-16383/16384")
		w.WriteHeader(code)
		endless(w, make([]byte, 1<<20))
	}
}

var gzipMember = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(make([]byte, 64<<20))
	_ = z.Close()
	return b.Bytes()
})

// gzipBomb is 64 MiB of zeros in each 64 KB, without end.
func gzipBomb(_ *WebServer, w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(http.StatusOK)
	endless(w, gzipMember())
}

// hang says nothing until the client has gone.
func hang(_ *WebServer, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// bare writes bytes to the connection that are no answer, or a strange one, and what follow adds.
func bare(head string, follow func(c net.Conn)) func(*WebServer, http.ResponseWriter, *http.Request) {
	return func(_ *WebServer, w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, head)
		if follow != nil {
			follow(c)
		}
	}
}

// commonWeb is what any HTTP server can do to a client.
func commonWeb() []WebBehaviour {
	return []WebBehaviour{
		{"redirects to a file", redirect("file:///etc/passwd")},
		{"redirects to loopback", redirect("TRAP")},
		{"redirects to itself", redirect("SELF")},
		{"redirects to nothing", redirect("")},
		{"redirects to another scheme", redirect("gopher://127.0.0.1:1/x")},
		{"endless body", endlessBody(http.StatusOK)},
		{"gzip bomb", gzipBomb},
		{"endless header", bare("HTTP/1.1 200 OK\r\nX: ", func(c net.Conn) { endless(c, bytes.Repeat([]byte("x"), 1<<16)) })},
		{"endless headers", bare("HTTP/1.1 200 OK\r\n", func(c net.Conn) { endless(c, bytes.Repeat([]byte("X-A: b\r\n"), 1<<13)) })},
		{"endless early hints", bare("", func(c net.Conn) { endless(c, []byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")) })},
		{"not HTTP", bare("\x13BitTorrent protocol\x00\xff\n\n\n", nil)},
		{"closes without an answer", bare("", nil)},
		{"negative Content-Length", bare("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", nil)},
		{"Content-Length of 2^63-1", bare("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhello", nil)},
		{"bad chunks", bare("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", nil)},
		{"never answers", hang},
		{"503 with Retry-After of an hour", status(503, "Retry-After", "3600")},
		{"503 with Retry-After -1", status(503, "Retry-After", "-1")},
		{"503 with Retry-After of 2^64", status(503, "Retry-After", "18446744073709551616")},
		{"429", status(429)},
		{"404", status(404)},
		{"403", status(403)},
		{"401", status(401, "WWW-Authenticate", `Basic realm="x"`)},
		{"500", status(500)},
		{"204", status(204)},
		{"an HTML page", func(_ *WebServer, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html><title>Please log in</title></html>")
		}},
	}
}
