package bt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A swarmCount is what a tracker says of a swarm; -1 is a number that it does not say.
type swarmCount struct {
	Seeders   int // peers that have everything
	Completed int // downloads that ended, ever
	Leechers  int
}

var uncounted = swarmCount{-1, -1, -1}

// nobody reports whether the tracker counts nobody, now or ever: over UDP and WebSocket that is how it says that it does
// not know a torrent.
func (s swarmCount) nobody() bool { return s.Seeders <= 0 && s.Completed <= 0 && s.Leechers <= 0 }

// most is the larger of each number.
func (s swarmCount) most(o swarmCount) swarmCount {
	return swarmCount{max(s.Seeders, o.Seeders), max(s.Completed, o.Completed), max(s.Leechers, o.Leechers)}
}

// scrapeCount is a stranger's number of peers; a negative one is none.
func scrapeCount(n int64) int {
	if n < 0 {
		return -1
	}
	return countOf(n)
}

// What is asked for at once: BEP 15 has room for 74, and URLs of above 4 KiB are refused here and there.
const (
	maxUDPScrape  = 74
	maxHTTPScrape = 50
	maxProbes     = 5 // questions about one torrent, of a tracker that seems not to know several
)

func scrapeBatch(u *url.URL) int {
	if u.Scheme == "http" || u.Scheme == "https" {
		return maxHTTPScrape
	}
	return maxUDPScrape
}

// scrape asks a tracker how large swarms are, at most scrapeBatch of them. What it does not know is not in the result.
// Errors are of class Network, or BadInput for a URL that cannot be scraped; they do not name the tracker.
func (c *trackerClient) scrape(ctx context.Context, u *url.URL, hashes []InfoHash) (found map[InfoHash]swarmCount, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, announceTimeout, errNoAnswer)
	defer cancel()
	switch u.Scheme {
	case "http", "https":
		found, err = c.scrapeHTTP(ctx, u, hashes)
	case "ws", "wss":
		found, err = c.scrapeWS(ctx, u, hashes)
	default:
		found, err = c.scrapeUDP(ctx, u, hashes)
	}
	var classed *Error
	switch {
	case err == nil:
		return found, nil
	case errors.As(err, &classed) && classed.Code == BadInput:
		return nil, err
	}
	return nil, errorf(Network, "%w", err)
}

// scrapeUDP scrapes over UDP (BEP 15).
func (c *trackerClient) scrapeUDP(ctx context.Context, u *url.URL, hashes []InfoHash) (map[InfoHash]swarmCount, error) {
	var body []byte
	for _, h := range hashes {
		body = append(body, h[:]...)
	}
	found := make(map[InfoHash]swarmCount, len(hashes))
	err := c.askUDP(ctx, u, udpQuestion{action: udpScrape, body: body}, func(answer []byte, _ bool) error {
		counts, err := parseUDPScrape(answer, len(hashes))
		for i, n := range counts {
			if old, ok := found[hashes[i]]; ok {
				n = n.most(old)
			}
			found[hashes[i]] = n
		}
		return err
	})
	return found, err
}

// parseUDPScrape reads an answer about n torrents, which must be complete; what follows is ignored.
func parseUDPScrape(b []byte, n int) ([]swarmCount, error) {
	if len(b) < 12*n {
		return nil, fmt.Errorf("tracker answers for %d of %d torrents", len(b)/12, n)
	}
	counts := make([]swarmCount, n)
	for i := range counts {
		number := func(at int) int { return scrapeCount(int64(int32(binary.BigEndian.Uint32(b[12*i+at:])))) }
		counts[i] = swarmCount{Seeders: number(0), Completed: number(4), Leechers: number(8)}
	}
	return counts, nil
}

// scrapeURL is where a tracker is scraped (BEP 48): "announce", with which the last segment of its path begins, becomes
// "scrape".
func scrapeURL(u *url.URL) (*url.URL, error) {
	path := u.EscapedPath()
	last := strings.LastIndexByte(path, '/') + 1
	rest, ok := strings.CutPrefix(path[last:], "announce")
	if !ok {
		return nil, errorf(BadInput, "tracker cannot be scraped: its URL has no announce to put scrape for")
	}
	full := *u
	full.RawPath = path[:last] + "scrape" + rest
	var err error
	if full.Path, err = url.PathUnescape(full.RawPath); err != nil {
		return nil, errorf(BadInput, "tracker cannot be scraped: its URL cannot be read")
	}
	return &full, nil
}

// scrapeHTTP scrapes over HTTP (BEP 48). Some trackers look at the first or the last of several infohashes alone: where
// that may be, the others are asked about one by one, until a few of them turned out to be not known indeed.
func (c *trackerClient) scrapeHTTP(ctx context.Context, u *url.URL, hashes []InfoHash) (map[InfoHash]swarmCount, error) {
	u, err := scrapeURL(u)
	if err != nil {
		return nil, err
	}
	found, err := c.getScrape(ctx, u, hashes)
	if err != nil || len(found) > 1 || len(hashes) == 1 {
		return found, err
	}
	more := false
	for probes := 0; len(hashes) > 0 && (more || probes < maxProbes); hashes = hashes[1:] {
		if _, ok := found[hashes[0]]; ok {
			continue
		}
		probes++
		one, err := c.getScrape(ctx, u, hashes[:1])
		if err != nil {
			return nil, err
		}
		if n, ok := one[hashes[0]]; ok {
			found[hashes[0]], more = n, true
		}
	}
	return found, nil
}

func (c *trackerClient) getScrape(ctx context.Context, u *url.URL, hashes []InfoHash) (map[InfoHash]swarmCount, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, httpTrackerAnswer, errNoAnswer)
	defer cancel()
	query := strings.Split(strings.Trim(u.RawQuery, "&"), "&")
	if query[0] == "" {
		query = nil
	}
	for _, h := range hashes {
		query = append(query, "info_hash="+escapeBytes(string(h[:])))
	}
	full := *u
	full.RawQuery = strings.Join(query, "&")
	status, body, err := c.get(ctx, full.String())
	if err != nil {
		return nil, err
	}
	found, err := parseScrapeReply(body, hashes)
	var refused *trackerError
	if status != http.StatusOK && !errors.As(err, &refused) {
		return nil, fmt.Errorf("tracker answers %d: %.100q", status, body)
	}
	return found, err
}

// parseScrapeReply reads what a reply says of the torrents that were asked for; it may be about others too. A field that
// is not what it should be counts as absent.
func parseScrapeReply(b []byte, hashes []InfoHash) (map[InfoHash]swarmCount, error) {
	found := make(map[InfoHash]swarmCount)
	asked := make(map[string]InfoHash, 2*len(hashes))
	for _, h := range hashes {
		asked[binaryString(h[:])] = h // bittorrent-tracker of npm 11.2 writes keys as UTF-8
	}
	for _, h := range hashes {
		asked[string(h[:])] = h
	}
	var refused *trackerError
	files := false
	ok := scanDict(b, func(key string, v []byte) bool {
		switch key {
		case "failure reason":
			s, _ := scanString(v)
			refused = &trackerError{Reason: string(s[:min(len(s), 1000)])}
		case "files":
			files = scanDict(v, func(key string, v []byte) bool {
				if h, ok := asked[key]; ok {
					found[h] = parseScrapeFile(v)
				}
				return true
			})
		}
		return true
	})
	switch {
	case !ok:
		return nil, fmt.Errorf("tracker answers what is not bencode: %.100q", b)
	case refused != nil:
		return nil, refused
	case !files:
		return nil, errors.New("tracker answers something else than a scrape")
	}
	return found, nil
}

func parseScrapeFile(v []byte) swarmCount {
	s := uncounted
	scanDict(v, func(key string, v []byte) bool {
		n, ok := scanInt(v)
		if !ok {
			return true
		}
		switch key {
		case "complete":
			s.Seeders = scrapeCount(n)
		case "downloaded":
			s.Completed = scrapeCount(n)
		case "incomplete":
			s.Leechers = scrapeCount(n)
		}
		return true
	})
	return s
}
