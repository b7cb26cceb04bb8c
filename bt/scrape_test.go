package bt

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"shoal/bt/bttest"
)

func scrapeClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	cfg.Listen = "127.0.0.1"
	c, err := NewClient(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A row for each tracker and infohash, in order, and one question for what several sources ask.
func TestScrapeRows(t *testing.T) {
	tracker := bttest.NewTracker(t)
	v1, v2 := testHashes(1)[0], InfoHashV2{2, 19: 7, 31: 9}
	tracker.AddPeer(v1, netip.MustParseAddrPort("127.0.0.1:7002"))
	tracker.AddPeer(v2.Short(), netip.MustParseAddrPort("127.0.0.1:7002"))
	c := scrapeClient(t, Config{})
	rows := c.Scrape(t.Context(), []ScrapeTarget{
		{InfoHash: v1, InfoHashV2: v2, Trackers: []string{tracker.HTTP, " " + tracker.HTTP, "http://127.0.0.1/x", "foo:bar"}},
		{InfoHash: v1},
		{InfoHashV2: InfoHashV2{3}},
	}, ScrapeOptions{Trackers: []string{tracker.UDP}, Timeout: 20 * time.Second})
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintln(r.Target, r.Tracker, r.InfoHash.IsZero(), r.InfoHashV2 == v2, r.Seeders, r.Completed, r.Leechers, r.Peers, CodeOf(r.Err)))
		if r.Err == nil && r.Latency <= 0 {
			t.Errorf("%+v took no time", r)
		}
	}
	want := fmt.Sprintln(0, tracker.UDP, false, false, 1, 0, 0, -1, OK) +
		fmt.Sprintln(0, tracker.UDP, true, true, 1, 0, 0, -1, OK) +
		fmt.Sprintln(0, tracker.HTTP, false, false, 1, 0, 0, -1, OK) +
		fmt.Sprintln(0, tracker.HTTP, true, true, 1, 0, 0, -1, OK) +
		fmt.Sprintln(0, "http://127.0.0.1/x", false, false, -1, -1, -1, -1, BadInput) +
		fmt.Sprintln(0, "http://127.0.0.1/x", true, true, -1, -1, -1, -1, BadInput) +
		fmt.Sprintln(0, "foo:bar", false, false, -1, -1, -1, -1, BadInput) +
		fmt.Sprintln(0, "foo:bar", true, true, -1, -1, -1, -1, BadInput) +
		fmt.Sprintln(1, tracker.UDP, false, false, 1, 0, 0, -1, OK) +
		fmt.Sprintln(2, tracker.UDP, true, false, 0, 0, 0, -1, UnknownHash)
	if strings.Join(got, "") != want {
		t.Errorf("got\n%swant\n%s", strings.Join(got, ""), want)
	}
}

// More than fit into a packet or a URL.
func TestScrapeMany(t *testing.T) {
	tracker := bttest.NewTracker(t)
	var targets []ScrapeTarget
	for i, h := range testHashes(200) {
		targets = append(targets, ScrapeTarget{InfoHash: h})
		if i%2 == 0 {
			tracker.AddPeer(h, netip.MustParseAddrPort("127.0.0.1:7002"))
		}
	}
	rows := scrapeClient(t, Config{}).Scrape(t.Context(), targets, ScrapeOptions{Trackers: []string{tracker.HTTP, tracker.UDP}})
	if len(rows) != 400 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if (r.Err == nil) != (r.Target%2 == 0) || r.Err != nil && CodeOf(r.Err) != UnknownHash {
			t.Errorf("%+v", r)
		}
	}
}

// Trackers that lie, hang and send garbage do not stop the others, and end when their time is over.
func TestScrapeHostile(t *testing.T) {
	honest := bttest.NewTracker(t)
	h := testHashes(1)[0]
	honest.AddPeer(h, netip.MustParseAddrPort("127.0.0.1:7002"))
	target := ScrapeTarget{InfoHash: h}
	for i, b := range bttest.HTTPTrackers() {
		s := b.Start(t, nil)
		target.Trackers = append(target.Trackers, s.URL+"announce")
		if i%3 == 0 {
			target.Trackers = append(target.Trackers, "ws"+strings.TrimPrefix(s.URL, "http"))
		}
	}
	for _, b := range bttest.UDPTrackers() {
		target.Trackers = append(target.Trackers, b.Start(t).URL)
	}
	target.Trackers = append(target.Trackers, honest.HTTP, honest.UDP)
	began := time.Now()
	rows := scrapeClient(t, Config{}).Scrape(t.Context(), []ScrapeTarget{target}, ScrapeOptions{Timeout: 4 * time.Second})
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	if len(rows) != len(target.Trackers) {
		t.Fatalf("%d rows of %d trackers", len(rows), len(target.Trackers))
	}
	for i, r := range rows {
		// What is honest up to the announce answers a scrape with numbers, too.
		if good := i >= len(rows)-2; good != (r.Err == nil) && (good || !strings.HasPrefix(r.Tracker, "udp:")) {
			t.Errorf("%s: %d %d %d, %v", r.Tracker, r.Seeders, r.Completed, r.Leechers, r.Err)
		}
		if r.Err != nil && len(r.Err.Error()) > 5000 {
			t.Errorf("%s has much to say: %d bytes", r.Tracker, len(r.Err.Error()))
		}
	}
	if err := ScrapeVerdict(rows); err != nil {
		t.Error(err)
	}
}

func TestScrapeMinSeeders(t *testing.T) {
	tracker := bttest.NewTracker(t)
	h := testHashes(1)
	tracker.AddPeer(h[0], netip.MustParseAddrPort("127.0.0.1:7002"))
	c := scrapeClient(t, Config{})
	for least, want := range []Code{OK, OK, NotFound} {
		rows := c.Scrape(t.Context(), []ScrapeTarget{{InfoHash: h[0]}}, ScrapeOptions{Trackers: []string{tracker.HTTP, "udp://127.0.0.1:1"},
			MinSeeders: least, Timeout: 300 * time.Millisecond})
		if err := ScrapeVerdict(rows); CodeOf(err) != want {
			t.Errorf("%d wanted: %v", least, err)
		}
	}
}

func TestScrapeVerdict(t *testing.T) {
	row := func(code Code, seeders int) ScrapeRow {
		r := ScrapeRow{Seeders: seeders}
		if code != OK {
			r.Err = errorf(code, "%s with %d", code, seeders)
		}
		return r
	}
	ok, few, more, unknown, down, bad := row(OK, 3), row(NotFound, 1), row(NotFound, 2), row(UnknownHash, -1), row(Network, -1), row(BadInput, -1)
	for name, c := range map[string]struct {
		rows []ScrapeRow
		code Code
		text string
	}{
		"nobody to ask": {nil, Usage, "no tracker to ask"},
		"one is enough": {[]ScrapeRow{down, unknown, few, ok}, OK, ""},
		"too few":       {[]ScrapeRow{unknown, few, more, down}, NotFound, "not-found with 2"},
		"alone":         {[]ScrapeRow{down}, Network, "network with -1"},
		"unknown":       {[]ScrapeRow{unknown, unknown}, UnknownHash, "none of 2 answers"},
		"some unknown":  {[]ScrapeRow{unknown, down}, UnknownHash, "none of 1 answers knows anybody who has or had this torrent; 1 did not"},
		"all down":      {[]ScrapeRow{down, bad}, Network, "none of 2 questions"},
		"no such URL":   {[]ScrapeRow{bad, bad}, BadInput, "none of 2 questions"},
	} {
		err := ScrapeVerdict(c.rows)
		if CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %s, %v", name, CodeOf(err), err)
		}
	}
}

func TestScrapeIsInterrupted(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	silent := bttest.UDPTrackers()[0].Start(t)
	go func() { <-silent.Struck(); cancel(stop) }()
	rows := scrapeClient(t, Config{}).Scrape(ctx, []ScrapeTarget{{InfoHash: testHash}}, ScrapeOptions{Trackers: []string{silent.URL}})
	if len(rows) != 1 || !errors.Is(rows[0].Err, stop) {
		t.Errorf("%+v", rows)
	}
}
