package bt

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"
)

// maxServiceConns bounds the connections that a web server or tracker of ours has at once.
const maxServiceConns = 500

// newHTTPServer is a server that bears strangers.
func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // it is about strangers, and would go to standard error
	}
}

func limited(l net.Listener) net.Listener { return netutil.LimitListener(l, maxServiceConns) }

// A webServer serves .torrents and the data of what is seeded (BEP 19), and nothing else:
//
//	/HASH.torrent    the .torrent
//	/HASH/NAME/PATH  a file of it, with ranges
type webServer struct {
	limit *rate.Limiter
	sent  atomic.Int64 // bytes of data

	mu    sync.Mutex // guards what follows
	items map[string]*webItem
}

// A webItem is a torrent that is served.
type webItem struct {
	files   *seedFiles
	torrent []byte
	sent    *atomic.Int64
	copies  *webCopies

	once   sync.Once
	byPath map[string]int
}

func newWebServer(limit *rate.Limiter) *webServer {
	return &webServer{limit: limit, items: map[string]*webItem{}}
}

// webName is what a torrent is called in URLs.
func webName(m *Metainfo) string {
	if m.HasV1() {
		return m.InfoHash.String()
	}
	return m.InfoHashV2.String()
}

func (s *webServer) add(m *Metainfo, item *webItem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items[webName(m)] = item
}

func (s *webServer) remove(m *Metainfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, webName(m))
}

func (s *webServer) item(name string) *webItem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[name]
}

// ServeHTTP answers requests for what is served now.
func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name, path, isData := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if !isData {
		hash, isTorrent := strings.CutSuffix(name, ".torrent")
		if item := s.item(hash); item != nil && isTorrent {
			w.Header().Set("Content-Type", "application/x-bittorrent")
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(item.torrent)))
			return
		}
		http.NotFound(w, r)
		return
	}
	item := s.item(name)
	if item == nil {
		http.NotFound(w, r)
		return
	}
	i, ok := item.find(path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if err := item.files.checkFile(i); err != nil {
		http.Error(w, "it is not served any more", http.StatusGone)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", fmt.Sprintf(`"%s-%d"`, name, i))
	f := &webFile{ctx: r.Context(), files: item.files, i: i, limit: s.limit, sent: []*atomic.Int64{item.sent, &s.sent}}
	sw := &sentWriter{ResponseWriter: w}
	http.ServeContent(sw, r, "", time.Time{}, io.NewSectionReader(f, 0, item.files.m.Files[i].Length))
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && sw.finish() {
		item.copies.sent(from.Addr().Unmap(), f.read.all)
	}
}

// find is the index of the file that a path of a URL names.
func (t *webItem) find(path string) (int, bool) {
	t.once.Do(func() {
		m := t.files.m
		t.byPath = make(map[string]int, len(m.Files))
		for i, f := range m.Files {
			if m.Dir {
				t.byPath[m.Name+"/"+f.Path] = i
			} else {
				t.byPath[m.Name] = i
			}
		}
	})
	i, ok := t.byPath[path]
	return i, ok
}

// A webFile reads a file for a request, as fast as the limit allows. When the file turns out to have changed it fails,
// and the connection ends with fewer bytes than were promised.
type webFile struct {
	ctx   context.Context
	files *seedFiles
	i     int
	limit *rate.Limiter
	sent  []*atomic.Int64
	read  spanSet // of the piece space
}

func (f *webFile) ReadAt(b []byte, off int64) (int, error) {
	if left := f.files.m.Files[f.i].Length - off; int64(len(b)) > left {
		b = b[:max(0, left)]
	}
	b = b[:min(len(b), minBurst)]
	if len(b) == 0 {
		return 0, io.EOF
	}
	if err := f.limit.WaitN(f.ctx, len(b)); err != nil {
		return 0, err
	}
	if err := f.files.readFile(f.i, b, off); err != nil {
		return 0, err
	}
	for _, n := range f.sent {
		n.Add(int64(len(b)))
	}
	at := f.files.m.Files[f.i].Offset + off
	f.read.add(span{at, at + int64(len(b))})
	return len(b), nil
}
