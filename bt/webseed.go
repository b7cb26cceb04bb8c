package bt

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	webseedTries    = 5           // attempts for one range
	webseedFirst    = time.Second // wait before the second attempt; doubles
	webseedMaxRetry = time.Minute // longest Retry-After that is honoured
)

// webseedTransport makes servers better than they are, so that the library sees what BEP 19 promises: it cuts the
// range out of an answer that ignores the Range header, goes on where a connection broke, and waits when a server
// says that it is busy. It never reads past the range asked for, however long the answer is.
type webseedTransport struct {
	base  http.RoundTripper
	first time.Duration // webseedFirst
}

func newWebseedTransport(base http.RoundTripper) *webseedTransport {
	return &webseedTransport{base: base, first: webseedFirst}
}

// RoundTrip is for the library's requests: GETs of a whole file, or of one range of it.
func (t *webseedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	begin, end, ranged := parseRange(req.Header.Get("Range"))
	if size, ok := padSize(req.URL.Path); ok {
		if !ranged {
			begin, end = 0, size
		}
		return padResponse(req, end-begin), nil
	}
	b := &rangeBody{t: t, req: req, next: begin, end: end}
	if !ranged {
		return b.whole()
	}
	resp, err := b.open()
	if err != nil || resp.StatusCode != http.StatusPartialContent {
		return resp, err
	}
	resp.Body = b
	return resp, nil
}

// padSize reads the size out of the path that pad files have by convention (BEP 47): servers do not have them.
func padSize(path string) (int64, bool) {
	dir, name, _ := cutLast(path, "/")
	if !strings.HasSuffix(dir, "/.pad") {
		return 0, false
	}
	size, err := strconv.ParseInt(name, 10, 64)
	return size, err == nil && size > 0
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// padResponse is n zeros, as if a server had sent them.
func padResponse(req *http.Request, n int64) *http.Response {
	return &http.Response{
		Status: "206 Partial Content", StatusCode: http.StatusPartialContent, Proto: "HTTP/1.1", ProtoMajor: 1,
		ProtoMinor: 1, Header: http.Header{}, ContentLength: n, Request: req,
		Body: io.NopCloser(io.LimitReader(zeroReader{}, n)),
	}
}

// zeroReader is an endless stream of zero bytes.
type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// rangeBody reads bytes next to end of a URL, over as many connections as it takes.
type rangeBody struct {
	t         *webseedTransport
	req       *http.Request
	next, end int64 // end is exclusive
	tries     int   // failed attempts since the last byte

	mu     sync.Mutex // guards what follows: the library closes from another goroutine
	body   io.ReadCloser
	closed bool
}

// whole asks for all of a file; where the answer breaks off, Read goes on with ranges.
func (b *rangeBody) whole() (*http.Response, error) {
	req := b.req.Clone(b.req.Context())
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := b.t.base.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength <= 0 {
		return resp, err
	}
	b.end = resp.ContentLength
	b.use(resp.Body)
	resp.Body = b
	return resp, nil
}

// use makes body the one that is read, unless the range was closed meanwhile.
func (b *rangeBody) use(body io.ReadCloser) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body = body; b.closed {
		body.Close()
	}
}

// open starts an answer at next. A response other than 206 is final.
func (b *rangeBody) open() (*http.Response, error) {
	for {
		resp, err := b.ask()
		retry := time.Duration(0)
		switch {
		case err != nil:
			if b.req.Context().Err() != nil {
				return nil, err
			}
		case resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusTooManyRequests:
			retry = retryAfter(resp)
		default:
			return resp, nil
		}
		if b.tries++; b.tries >= webseedTries {
			return resp, err
		}
		if resp != nil {
			resp.Body.Close()
		}
		if err := pause(b.req.Context(), max(retry, b.t.first<<(b.tries-1))); err != nil {
			return nil, err
		}
	}
}

// ask makes one request; a success is made to look like 206 with the right bytes in b.body.
func (b *rangeBody) ask() (*http.Response, error) {
	req := b.req.Clone(b.req.Context())
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", b.next, b.end-1))
	req.Header.Set("Accept-Encoding", "identity") // a range of a compressed body is of no use
	resp, err := b.t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	skip := int64(0)
	switch resp.StatusCode {
	case http.StatusOK:
		skip = b.next
	case http.StatusPartialContent:
		if from, ok := contentRangeStart(resp.Header.Get("Content-Range")); ok && from != b.next {
			resp.Body.Close()
			return nil, fmt.Errorf("webseed sent bytes from %d where %d were asked for", from, b.next)
		}
	default:
		return resp, nil
	}
	if skip > 0 {
		if _, err := io.CopyN(io.Discard, resp.Body, skip); err != nil {
			resp.Body.Close()
			return nil, fmt.Errorf("skipping to byte %d of an answer without ranges: %w", skip, err)
		}
	}
	b.use(resp.Body)
	resp.StatusCode, resp.Status = http.StatusPartialContent, "206 Partial Content"
	resp.ContentLength = b.end - b.next
	resp.Header.Set("Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	return resp, nil
}

// Read reads up to end, opening a new answer where one breaks.
func (b *rangeBody) Read(p []byte) (int, error) {
	if b.next >= b.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), b.end-b.next)]
	for {
		n, err := b.body.Read(p)
		if n > 0 {
			b.next += int64(n)
			b.tries = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		if ctxErr := b.req.Context().Err(); ctxErr != nil {
			return 0, ctxErr
		}
		if b.isClosed() {
			return 0, err
		}
		if b.tries++; b.tries >= webseedTries {
			return 0, fmt.Errorf("webseed broke off at byte %d: %w", b.next, err)
		}
		if err := pause(b.req.Context(), b.t.first<<(b.tries-1)/4); err != nil {
			return 0, err
		}
		resp, err := b.open()
		if err != nil {
			return 0, err
		}
		if resp.StatusCode != http.StatusPartialContent {
			resp.Body.Close()
			return 0, fmt.Errorf("webseed answered %s at byte %d", resp.Status, b.next)
		}
	}
}

// Close ends the answer. The library panics on an error here, so there is none.
func (b *rangeBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.body != nil {
		b.body.Close()
	}
	return nil
}

// isClosed closes the body that broke, and reports whether the whole range was closed.
func (b *rangeBody) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.body.Close()
	return b.closed
}

// parseRange reads "bytes=BEGIN-END", both included, as the library writes it.
func parseRange(s string) (begin, end int64, ok bool) {
	from, to, ok := strings.Cut(strings.TrimPrefix(s, "bytes="), "-")
	if !ok {
		return 0, 0, false
	}
	begin, err1 := strconv.ParseInt(from, 10, 64)
	end, err2 := strconv.ParseInt(to, 10, 64)
	if err1 != nil || err2 != nil || begin < 0 || end < begin {
		return 0, 0, false
	}
	return begin, end + 1, true
}

// contentRangeStart reads BEGIN of "bytes BEGIN-END/SIZE".
func contentRangeStart(s string) (int64, bool) {
	from, _, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "-")
	n, err := strconv.ParseInt(from, 10, 64)
	return n, ok && err == nil
}

func retryAfter(resp *http.Response) time.Duration {
	s, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || s < 0 {
		return 0
	}
	return min(time.Duration(s)*time.Second, webseedMaxRetry)
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
