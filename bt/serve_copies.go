package bt

import (
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

const (
	maxWebFetchers = 1000    // addresses that are watched, of one torrent
	maxWebSpans    = 1 << 17 // ranges that are remembered of all of them
)

// A webCopies counts who has fetched all of a torrent over HTTP. One address is one fetcher, however many connections
// and ranges it takes.
type webCopies struct {
	m     *Metainfo
	whole func(netip.Addr) // called when an address has all of it

	mu     sync.Mutex // guards what follows
	spans  int
	sentTo map[netip.Addr]*spanSet
}

func newWebCopies(m *Metainfo, whole func(netip.Addr)) *webCopies {
	return &webCopies{m: m, whole: whole, sentTo: map[netip.Addr]*spanSet{}}
}

// sent notes ranges of the piece space that went to an address.
func (c *webCopies) sent(to netip.Addr, ranges []span) {
	c.mu.Lock()
	set := c.sentTo[to]
	if set == nil && len(c.sentTo) < maxWebFetchers {
		set = &spanSet{}
		c.sentTo[to] = set
	}
	if set == nil || set.bytes == c.m.Length || c.spans >= maxWebSpans {
		c.mu.Unlock()
		return
	}
	before := len(set.all)
	for _, r := range ranges {
		set.add(r)
	}
	whole := set.bytes == c.m.Length
	if whole {
		set.all = nil // what counts is that it is whole
	}
	c.spans += len(set.all) - before
	c.mu.Unlock()
	if whole {
		c.whole(to)
	}
}

// A span is a range of bytes, from up to but not including to.
type span struct{ from, to int64 }

// A spanSet is bytes, as ranges that neither overlap nor touch.
type spanSet struct {
	all   []span
	bytes int64
}

func (s *spanSet) add(r span) {
	if r.from >= r.to {
		return
	}
	// Those that r overlaps or touches become one with it.
	i, _ := slices.BinarySearchFunc(s.all, r.from, func(at span, from int64) int {
		if at.to < from {
			return -1
		}
		return 1
	})
	j := i
	for ; j < len(s.all) && s.all[j].from <= r.to; j++ {
		r.from, r.to = min(r.from, s.all[j].from), max(r.to, s.all[j].to)
		s.bytes -= s.all[j].to - s.all[j].from
	}
	s.bytes += r.to - r.from
	s.all = slices.Replace(s.all, i, j, r)
}

// A sentWriter is a response that knows whether all that was written could be sent.
type sentWriter struct {
	http.ResponseWriter
	err error
}

func (w *sentWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	if err != nil {
		w.err = err
	}
	return n, err
}

// finish hands what is left to the system, and reports whether all of it went there.
func (w *sentWriter) finish() bool {
	if w.err == nil {
		w.err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	return w.err == nil
}
