package bttest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
)

// Webseeds are web servers (BEP 19) that do other than an honest one; content must be given to Start. The first ones
// give right bytes in an odd way.
func Webseeds() []WebBehaviour {
	return append([]WebBehaviour{
		{"ignores ranges", ignoreRanges},
		{"sends less than asked for", partial(func(h http.Header, first, last, size int64, body []byte) []byte {
			return body[:(len(body)+1)/2] // but says in Content-Range that it is all
		})},
		{"lies", partial(func(_ http.Header, _, _, _ int64, body []byte) []byte { body[len(body)/2] ^= 1; return body })},
		{"sends zeros", partial(func(_ http.Header, _, _, _ int64, body []byte) []byte { clear(body); return body })},
		{"sends more than asked for", partial(func(_ http.Header, _, _, _ int64, body []byte) []byte {
			return append(body, make([]byte, 1<<20)...)
		})},
		{"dies half-way", dieHalfWay},
		{"dies at once", func(*WebServer, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"Content-Range of another place", contentRange("bytes NEXT-LAST/SIZE")},
		{"Content-Range of another size", contentRange("bytes FIRST-LAST/1")},
		{"Content-Range of numbers too large", contentRange("bytes 99999999999999999999-99999999999999999999/99999999999999999999")},
		{"Content-Range that is negative", contentRange("bytes -5--1/SIZE")},
		{"Content-Range of nonsense", contentRange("pages one to ten")},
		{"no Content-Range", partial(func(h http.Header, _, _, _ int64, body []byte) []byte {
			h.Del("Content-Range")
			return body
		})},
		{"multipart ranges", partial(func(h http.Header, _, _, _ int64, body []byte) []byte {
			h.Set("Content-Type", "multipart/byteranges; boundary=x")
			return slices.Concat([]byte("--x\r\n\r\n"), body, []byte("\r\n--x--\r\n"))
		})},
		{"endless partial body", endlessBody(http.StatusPartialContent)},
		{"416", status(http.StatusRequestedRangeNotSatisfiable)},
	}, commonWeb()...)
}

func ignoreRanges(s *WebServer, w http.ResponseWriter, r *http.Request) {
	if f := s.open(w, r); f != nil {
		defer f.Close()
		_, _ = io.Copy(w, f)
	}
}

// dieHalfWay promises the range and sends half of it.
func dieHalfWay(s *WebServer, w http.ResponseWriter, r *http.Request) {
	f := s.open(w, r)
	if f == nil {
		return
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	first, last := aRange(r, fi.Size())
	http.ServeContent(&halfWriter{ResponseWriter: w, left: (last - first + 1) / 2}, r, "", fi.ModTime(), f)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// A halfWriter lets a number of bytes through and then fails.
type halfWriter struct {
	http.ResponseWriter
	left int64
}

func (h *halfWriter) Write(b []byte) (int, error) {
	n := min(h.left, int64(len(b)))
	h.left -= n
	if _, err := io.Copy(h.ResponseWriter, bytes.NewReader(b[:n])); err != nil {
		return 0, err
	}
	if n < int64(len(b)) {
		return int(n), io.ErrShortWrite
	}
	return int(n), nil
}
