package bt

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ScrapeTarget is a torrent whose swarm is to be counted.
type ScrapeTarget struct {
	InfoHash   InfoHash   // zero for a v2-only torrent
	InfoHashV2 InfoHashV2 // zero for a v1-only torrent; a hybrid has a swarm for each
	Trackers   []string   // as written
	Private    bool       // BEP 27: the DHT is not asked
}

// ScrapeOptions say whom Scrape asks. The zero value asks the trackers of each target, and waits as long as the
// protocols have it.
type ScrapeOptions struct {
	Trackers   []string      // asked about each target, before its own
	DHT        bool          // ask the DHT too
	Timeout    time.Duration // for each tracker, with all it is asked; 0 leaves it at 90 s for a question
	MinSeeders int           // fewer are an error (NotFound)
}

// ScrapeDHT stands for the DHT where a ScrapeRow has the URL of a tracker.
const ScrapeDHT = "dht"

// A ScrapeRow is what one tracker, or the DHT, says of one infohash. Err is nil when it knows the torrent; else it is of
// class UnknownHash, NotFound (fewer seeders than wanted), Network, or BadInput for a URL that cannot be scraped.
type ScrapeRow struct {
	Target     int        // its index
	Tracker    string     // its URL as written, or ScrapeDHT
	InfoHash   InfoHash   // that was asked about; zero when it was InfoHashV2, cut to 20 bytes
	InfoHashV2 InfoHashV2 // zero when it was InfoHash

	// What was said; -1 is nothing. Whoever said it may lie. Those of the DHT are estimates.
	Seeders, Completed, Leechers int
	Peers                        int // addresses that the DHT named

	Latency time.Duration // of the answer that has it, or of giving up
	Err     error
}

// wire is the infohash as it is asked about.
func (r *ScrapeRow) wire() InfoHash {
	if r.InfoHash.IsZero() {
		return r.InfoHashV2.Short()
	}
	return r.InfoHash
}

// maxAsked is how many trackers, and searches of the DHT, are under way at once.
const maxAsked = 100

// ScrapeTarget is the torrent that src names. A .torrent is read, a magnet and an infohash are taken as they are.
func (c *Client) ScrapeTarget(ctx context.Context, src *Source, opts LoadOptions) (ScrapeTarget, error) {
	if g := src.Magnet; g != nil {
		return ScrapeTarget{InfoHash: g.InfoHash, InfoHashV2: g.InfoHashV2, Trackers: g.Trackers}, nil
	}
	m, err := c.known(ctx, src, "", opts)
	if err != nil {
		return ScrapeTarget{}, err
	}
	return ScrapeTarget{m.InfoHash, m.InfoHashV2, slices.Concat(m.Trackers...), m.Private}, nil
}

// Scrape asks trackers, all at once, how many peers the targets have (BEP 15, 48), and the DHT (BEP 33). It returns a
// row for each tracker and infohash, in the order of the targets and their trackers; a tracker that fails costs
// the others nothing. At most 100 trackers of a target are asked.
func (c *Client) Scrape(ctx context.Context, targets []ScrapeTarget, opts ScrapeOptions) []ScrapeRow {
	s := &scraper{c: c, opts: opts, trackers: newTrackerClient(c.net), asks: map[string]*scrapeAsks{}}
	defer s.trackers.close()
	// Somebody waits for this: better one packet too many than half a minute.
	s.trackers.udpWaits = []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second}
	for i, t := range targets {
		s.plan(i, t)
	}
	s.run(ctx)
	for i := range s.rows {
		s.rows[i].judge(opts.MinSeeders)
	}
	return s.rows
}

// A scraper is one call of Scrape.
type scraper struct {
	c        *Client
	opts     ScrapeOptions
	trackers *trackerClient
	rows     []ScrapeRow            // each is written by the goroutine that asks for it
	asks     map[string]*scrapeAsks // by tracker
}

// A scrapeAsks is what one tracker is asked: a row or more for each infohash.
type scrapeAsks struct {
	tracker string
	hashes  []InfoHash
	rows    map[InfoHash][]int
}

// plan makes the rows of a target.
func (s *scraper) plan(target int, t ScrapeTarget) {
	trackers := s.opts.Trackers
	if !s.c.cfg.NoTrackers {
		trackers = slices.Concat(trackers, t.Trackers)
	}
	seen := map[string]bool{}
	for _, raw := range trackers {
		raw = strings.TrimSpace(raw)
		raw = raw[:min(len(raw), maxTrackerURL+1)] // one too long is refused, and need not be shown
		if seen[raw] || len(seen) >= maxTrackers {
			continue
		}
		seen[raw] = true
		s.add(target, t, raw)
	}
	if s.opts.DHT {
		s.add(target, t, ScrapeDHT)
	}
}

// add makes the rows of a target and a tracker.
func (s *scraper) add(target int, t ScrapeTarget, tracker string) {
	row := ScrapeRow{Target: target, Tracker: tracker, Seeders: -1, Completed: -1, Leechers: -1, Peers: -1}
	if tracker == ScrapeDHT && t.Private {
		row.Err = errorf(Usage, "searching the DHT: a private torrent is no business of it")
	}
	if !t.InfoHash.IsZero() {
		row.InfoHash = t.InfoHash
		s.addRow(row)
	}
	if !t.InfoHashV2.IsZero() {
		row.InfoHash, row.InfoHashV2 = InfoHash{}, t.InfoHashV2
		s.addRow(row)
	}
}

func (s *scraper) addRow(row ScrapeRow) {
	s.rows = append(s.rows, row)
	if row.Err != nil {
		return
	}
	a, h := s.asks[row.Tracker], row.wire()
	if a == nil {
		a = &scrapeAsks{tracker: row.Tracker, rows: map[InfoHash][]int{}}
		s.asks[row.Tracker] = a
	}
	if a.rows[h] == nil {
		a.hashes = append(a.hashes, h)
	}
	a.rows[h] = append(a.rows[h], len(s.rows)-1)
}

// run asks everybody.
func (s *scraper) run(ctx context.Context) {
	slots := make(chan struct{}, maxAsked)
	var all sync.WaitGroup
	for _, a := range s.asks {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := s.limit(ctx)
			defer cancel()
			if a.tracker == ScrapeDHT {
				s.askDHT(ctx, a)
				return
			}
			s.ask(ctx, a)
		})
	}
	all.Wait()
}

// limit gives a tracker the time it has.
func (s *scraper) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.opts.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, s.opts.Timeout, errNoAnswer)
}

// ask asks one tracker, a batch after the other. One that fails is not asked again.
func (s *scraper) ask(ctx context.Context, a *scrapeAsks) {
	u, err := parseTrackerURL(a.tracker)
	for rest := a.hashes; len(rest) > 0; {
		began := time.Now()
		batch := rest
		var found map[InfoHash]swarmCount
		if err == nil {
			batch = rest[:min(len(rest), scrapeBatch(u))]
			found, err = s.trackers.scrape(ctx, u, batch)
		}
		rest = rest[len(batch):]
		latency := time.Since(began)
		for _, h := range batch {
			n, ok := found[h]
			if !ok {
				n = uncounted
			}
			for _, i := range a.rows[h] {
				r := &s.rows[i]
				r.Seeders, r.Completed, r.Leechers, r.Latency, r.Err = n.Seeders, n.Completed, n.Leechers, latency, err
			}
		}
	}
}

// askDHT asks the DHT about all infohashes at once, through a node that is there for that alone.
func (s *scraper) askDHT(ctx context.Context, a *scrapeAsks) {
	began := time.Now()
	d, err := s.startDHT(ctx)
	if err == nil {
		defer d.close()
	}
	slots := make(chan struct{}, maxAsked)
	var all sync.WaitGroup
	for _, h := range a.hashes {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			n, err := dhtCount{}, err
			if err == nil {
				n, err = d.scrape(ctx, h)
			}
			for _, i := range a.rows[h] {
				r := &s.rows[i]
				r.Latency, r.Err = time.Since(began), err
				if err == nil {
					r.Peers = n.Peers
				}
				if n.Counted {
					r.Seeders, r.Leechers = n.Seeders, n.Leechers
				}
			}
		})
	}
	all.Wait()
}

func (s *scraper) startDHT(ctx context.Context) (*dhtNode, error) {
	t := s.c.net
	pc, err := t.listenPacket(ctx, "udp"+t.family())
	if err != nil {
		return nil, errorf(Network, "starting DHT: %w", err)
	}
	return newDHT(ctx, t, pc, dhtConfig{Nodes: s.c.cfg.DHTNodes, CacheFile: s.c.cfg.DHTCache, ReadOnly: true})
}

// judge decides whether what was said will do.
func (r *ScrapeRow) judge(minSeeders int) {
	who := "tracker"
	if r.Tracker == ScrapeDHT {
		who = "DHT"
	}
	switch n := (swarmCount{r.Seeders, r.Completed, r.Leechers}); {
	case r.Err != nil:
	case n.nobody() && r.Peers <= 0:
		r.Err = errorf(UnknownHash, "%s knows nobody who has or had this torrent", who)
	case minSeeders <= 0:
	case r.Seeders < 0:
		r.Err = errorf(NotFound, "%s does not say how many seeders there are", who)
	case r.Seeders < minSeeders:
		r.Err = errorf(NotFound, "%s counts %d of the %d seeders wanted", who, r.Seeders, minSeeders)
	}
}

// named is Err with the name of the tracker.
func (r *ScrapeRow) named() error {
	u, err := parseTrackerURL(r.Tracker)
	if err != nil {
		return r.Err // it is about the URL, or the DHT
	}
	return errorf(CodeOf(r.Err), "scraping %s: %w", trackerName(u), r.Err)
}

// ScrapeVerdict is what the rows of one target come to: nil when one of them has no error. Else it is NotFound when
// somebody counts too few seeders, UnknownHash when somebody answered, or Network; and Usage when there was nobody to ask.
func ScrapeVerdict(rows []ScrapeRow) error {
	count := map[Code]int{}
	var best *ScrapeRow
	for i := range rows {
		r := &rows[i]
		code := CodeOf(r.Err)
		count[code]++
		if best == nil || code == NotFound && (CodeOf(best.Err) != NotFound || r.Seeders > best.Seeders) {
			best = r
		}
	}
	switch {
	case best == nil:
		return errorf(Usage, "no tracker to ask").withHint("name one with --tracker URL, or ask the DHT with --dht")
	case count[OK] > 0:
		return nil
	case count[NotFound] > 0 || len(rows) == 1:
		return best.named()
	case count[UnknownHash] == len(rows):
		return errorf(UnknownHash, "none of %d answers knows anybody who has or had this torrent", len(rows))
	case count[UnknownHash] > 0:
		return errorf(UnknownHash, "none of %d answers knows anybody who has or had this torrent; %d did not answer", count[UnknownHash], len(rows)-count[UnknownHash])
	}
	code := CodeOf(best.Err)
	if count[code] != len(rows) {
		code = Network
	}
	return errorf(code, "none of %d questions was answered; the first: %w", len(rows), best.named())
}
