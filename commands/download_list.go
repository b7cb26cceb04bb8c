package commands

import (
	"cmp"
	"context"

	"shoal/bt"
)

// runList shows what a download would fetch.
func runList(ctx context.Context, g *globals, requests []request, opts downloadOptions) error {
	var sources []string
	for _, r := range requests {
		sources = append(sources, r.source)
	}
	reader := newMetainfoReader(g, &opts.networkOptions, opts.metadataTimeout)
	doc, worst := reader.readAll(ctx, sources, opts.failFast, func(i int, src *bt.Source, m *bt.Metainfo) (*torrentInfo, error) {
		picks := requests[i].picks
		if len(picks) == 0 && src.Magnet != nil {
			picks = src.Magnet.Select
		}
		picked, err := bt.Selection{Indexes: picks, Include: opts.include, Exclude: opts.exclude}.Match(m)
		if err != nil {
			return nil, err
		}
		return newTorrentInfo(m, picked), nil
	})
	view := metainfoView{files: true}
	return cmp.Or(view.show(g.output(), doc), shownStatus(worst))
}
