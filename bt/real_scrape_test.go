package bt_test

import (
	"path/filepath"
	"testing"
	"time"

	"shoal/bt"
	"shoal/bt/bttest"
)

// scrapeUntil scrapes until the only row is as good as ok says: the other side counts when it pleases.
func scrapeUntil(t *testing.T, cfg bt.Config, h bt.InfoHash, opts bt.ScrapeOptions, ok func(bt.ScrapeRow) bool) {
	t.Helper()
	opts.Timeout = 10 * time.Second
	var rows []bt.ScrapeRow
	c := session(t, cfg)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last rows: %+v", rows)
		}
	})
	bttest.Eventually(t, "counting the swarm", func() bool {
		rows = c.Scrape(t.Context(), []bt.ScrapeTarget{{InfoHash: h}}, opts)
		return len(rows) == 1 && ok(rows[0])
	})
}

func aSeed(r bt.ScrapeRow) bool { return r.Err == nil && r.Seeders == 1 && r.Leechers == 0 }

func TestRealScrapeOpenTracker(t *testing.T) {
	t.Parallel()
	m, _, path := single(t, 100_000, bt.CreateOptions{})
	httpURL, udpURL := bttest.OpenTracker(t, [20]byte(m.InfoHash), [20]byte{7})
	for _, u := range []string{httpURL, udpURL} {
		rows := session(t, bt.Config{}).Scrape(t.Context(), []bt.ScrapeTarget{{InfoHash: bt.InfoHash{7}}},
			bt.ScrapeOptions{Trackers: []string{u}})
		if len(rows) != 1 || bt.CodeOf(rows[0].Err) != bt.UnknownHash {
			t.Errorf("%s of nobody: %+v", u, rows)
		}
	}
	seeded(t, session(t, bt.Config{}), m, path, bt.SeedOptions{Trackers: []string{httpURL}})
	for _, u := range []string{httpURL, udpURL} {
		scrapeUntil(t, bt.Config{}, m.InfoHash, bt.ScrapeOptions{Trackers: []string{u}}, aSeed)
	}
}

func TestRealScrapeNodeTracker(t *testing.T) {
	t.Parallel()
	m, _, path := single(t, 100_000, bt.CreateOptions{})
	httpURL, wsURL := bttest.NodeTracker(t)
	seeded(t, session(t, bt.Config{}), m, path, bt.SeedOptions{Trackers: []string{httpURL}})
	for _, u := range []string{httpURL, wsURL} {
		scrapeUntil(t, bt.Config{}, m.InfoHash, bt.ScrapeOptions{Trackers: []string{u}}, aSeed)
	}
	rows := session(t, bt.Config{}).Scrape(t.Context(), []bt.ScrapeTarget{{InfoHash: bt.InfoHash{7}}, {InfoHash: m.InfoHash}},
		bt.ScrapeOptions{Trackers: []string{wsURL}})
	if len(rows) != 2 || bt.CodeOf(rows[0].Err) != bt.UnknownHash || !aSeed(rows[1]) {
		t.Errorf("%+v", rows)
	}
}

// A libtorrent session keeps for the DHT what another one announces as a seed.
func TestRealScrapeDHT(t *testing.T) {
	t.Parallel()
	bttest.Need(t, "libtorrent")
	dht := []string{"enable_dht=1", "dht_restrict_routing_ips=0", "dht_restrict_search_ips=0", "dht_enforce_node_id=0",
		"dht_prefer_verified_node_ids=0", "alert_mask=2147483647"}
	_, other, otherPath := single(t, 1000, bt.CreateOptions{Source: "of the node"})
	node := bttest.LibtorrentWith(t, other, filepath.Dir(otherPath), "", append(dht, "dht_bootstrap_nodes="+dhtNode(t))...)
	m, torrent, path := single(t, 100_000, bt.CreateOptions{})
	bttest.LibtorrentWith(t, torrent, filepath.Dir(path), "", append(dht, "dht_bootstrap_nodes="+node.Addr)...).WaitComplete(t)
	scrapeUntil(t, bt.Config{DHTNodes: []string{node.Addr}}, m.InfoHash, bt.ScrapeOptions{DHT: true}, func(r bt.ScrapeRow) bool {
		return r.Err == nil && r.Seeders+r.Leechers == 1
	})
}
