package bt

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// brokenServer sends a body in parts of at most part bytes, and breaks the connection after each.
func brokenServer(t *testing.T, body []byte, part int, ranges bool) (url string, requests *int) {
	t.Helper()
	requests = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		begin, end, ok := parseRange(r.Header.Get("Range"))
		if !ok || !ranges {
			begin, end = 0, int64(len(body))
		}
		w.Header().Set("Content-Length", fmt.Sprint(end-begin))
		if ok && ranges {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, end-1, len(body)))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(body[begin:min(end, begin+int64(part))])
		http.NewResponseController(w).Flush()
		if begin+int64(part) < end {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func fetchRange(t *testing.T, url, bytesRange string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytesRange != "" {
		req.Header.Set("Range", bytesRange)
	}
	tr := newWebseedTransport(http.DefaultTransport.(*http.Transport).Clone())
	tr.first = time.Millisecond
	return tr.RoundTrip(req)
}

func TestWebseedGoesOn(t *testing.T) {
	body := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{1}).Read(body)
	tests := []struct {
		name   string
		part   int
		ranges bool
		ask    string
		want   []byte
	}{
		{"a range", 1 << 20, true, "bytes=10-99", body[10:100]},
		{"ranges ignored", 1 << 20, false, "bytes=50000-50009", body[50000:50010]},
		{"a range that breaks off", 7000, true, "bytes=1000-89999", body[1000:90000]},
		{"a file that breaks off", 30_000, true, "", body},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, _ := brokenServer(t, body, tt.part, tt.ranges)
			resp, err := fetchRange(t, url, tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(got, tt.want) {
				t.Errorf("%d bytes, want %d: %v", len(got), len(tt.want), err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWebseedGivesUp(t *testing.T) {
	url, requests := brokenServer(t, make([]byte, 1000), 0, true)
	resp, err := fetchRange(t, url, "bytes=0-99")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
	}
	if err == nil || *requests > 2*webseedTries {
		t.Errorf("%d requests, %v", *requests, err)
	}
}

func TestWebseedPads(t *testing.T) {
	resp, err := fetchRange(t, "http://127.0.0.1:1/album/.pad/4096", "bytes=0-4095")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusPartialContent || !bytes.Equal(b, make([]byte, 4096)) {
		t.Errorf("%s, %d bytes, %v", resp.Status, len(b), err)
	}
}

func TestWebseedCloseTwice(t *testing.T) {
	url, _ := brokenServer(t, make([]byte, 1000), 10, true)
	resp, err := fetchRange(t, url, "bytes=0-99")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("read %d bytes of a closed body", len(n))
	}
}
