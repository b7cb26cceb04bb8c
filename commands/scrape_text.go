package commands

import (
	"context"
	"fmt"
	"io"
	"time"

	"shoal/bt"
	"shoal/commands/internal/ui"
)

// A scrapeDoc is the result of scrape.
type scrapeDoc struct {
	Results []scrapeItem `json:"results"`
}

// A scrapeItem is what one tracker says of one infohash; it has no tracker when there was none to ask.
type scrapeItem struct {
	Source     string   `json:"source"`
	Tracker    string   `json:"tracker,omitempty"`
	InfoHash   string   `json:"infohash,omitempty"`
	InfoHashV2 string   `json:"infohash_v2,omitempty"`
	Seeders    *int     `json:"seeders,omitempty"`
	Completed  *int     `json:"completed,omitempty"`
	Leechers   *int     `json:"leechers,omitempty"`
	Peers      *int     `json:"peers,omitempty"`
	Seconds    *float64 `json:"seconds,omitempty"`
	failure
}

// add adds the rows of a source; verdict is what they come to.
func (d *scrapeDoc) add(ctx context.Context, source string, rows []bt.ScrapeRow, verdict failure) {
	if len(rows) == 0 {
		d.Results = append(d.Results, scrapeItem{Source: source, failure: verdict})
	}
	for _, r := range rows {
		item := scrapeItem{
			Source: source, Tracker: r.Tracker, Seeders: known(r.Seeders), Completed: known(r.Completed),
			Leechers: known(r.Leechers), Peers: known(r.Peers), failure: failureOf(ctx, r.Err),
		}
		if !r.InfoHash.IsZero() {
			item.InfoHash = r.InfoHash.String()
		}
		if !r.InfoHashV2.IsZero() {
			item.InfoHashV2 = r.InfoHashV2.String()
		}
		seconds := r.Latency.Round(time.Microsecond).Seconds()
		item.Seconds = &seconds
		d.Results = append(d.Results, item)
	}
}

// known is nil for a number that was not told.
func known(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

func (d *scrapeDoc) show(out *ui.Output) error {
	return out.Result(d, func(w io.Writer) error { return d.write(w) })
}

// write writes a table of what was asked, if anything was.
func (d *scrapeDoc) write(w io.Writer) error {
	header := false
	for _, r := range d.Results {
		if r.Tracker == "" {
			continue
		}
		if !header {
			fmt.Fprintf(w, "%7s  %9s  %8s  %7s  %-40s  %s\n", "seeders", "completed", "leechers", "latency", "infohash", "tracker")
			header = true
		}
		tracker := ui.Quote(r.Tracker)
		switch {
		case r.Code != bt.OK:
			tracker += ": " + ui.Quote(r.Message)
		case r.Peers != nil && *r.Peers > 0:
			tracker += ": " + ui.Count(*r.Peers, "address") + " known"
		}
		fmt.Fprintf(w, "%7s  %9s  %8s  %7s  %s  %s\n", column(r.Seeders), column(r.Completed), column(r.Leechers),
			fmt.Sprintf("%.3fs", *r.Seconds), r.InfoHash+r.InfoHashV2, tracker)
	}
	return nil
}

// column is a number, or a dash for one that was not told.
func column(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}
