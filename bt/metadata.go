package bt

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// MetadataOptions say where to look for the metainfo of a source, and for how long.
type MetadataOptions struct {
	LoadOptions
	Peers    []string
	Trackers []string
	Timeout  time.Duration // 0 = no limit
	Progress func(Progress)
}

// FetchMetainfo gets the metainfo of any source: reads the file or URL, or asks the swarm of a magnet. A magnet that
// nobody answers within opts.Timeout is NoMetadata, or NoPeers when there was nobody at all.
func (c *Client) FetchMetainfo(ctx context.Context, src *Source, opts MetadataOptions) (*Metainfo, error) {
	m, err := c.known(ctx, src, "", opts.LoadOptions)
	if m != nil || err != nil {
		return m, err
	}
	w, err := c.join(ctx, joinOptions{Magnet: src.Magnet, Peers: opts.Peers, Trackers: opts.Trackers})
	if err != nil {
		return nil, err
	}
	defer w.close()
	return w.fetchMetadata(ctx, opts.Timeout, opts.Progress)
}

// known gets the metainfo without asking peers: from the source itself, or from an earlier run's memory in the folder
// resume. It is nil for a magnet that is not known yet.
func (c *Client) known(ctx context.Context, src *Source, resume string, opts LoadOptions) (*Metainfo, error) {
	if src.Magnet == nil {
		if opts.HTTP == nil {
			opts.HTTP = c.HTTP()
		}
		return src.Load(ctx, opts)
	}
	if resume == "" {
		return nil, nil
	}
	b, err := os.ReadFile(memoryPath(resume, src.Magnet.short()))
	if err != nil {
		return nil, nil
	}
	m, err := ParseMetainfo(b)
	if err != nil || !src.Magnet.names(m) || m.lacksLayers() {
		return nil, nil // damaged: ask the swarm again
	}
	src.Magnet.addTo(m)
	return m, nil
}

// memoryPath is where the metainfo of a magnet is remembered, so that the same download is offline the next time.
func memoryPath(resume string, h InfoHash) string {
	return filepath.Join(resume, h.String()+".torrent")
}

// rememberMetainfo saves the metainfo of a magnet for the next run, under the infohash that the magnet has: that of a
// hybrid may be either. It is a convenience: errors are only logged.
func rememberMetainfo(g *Magnet, m *Metainfo, resume string, log *slog.Logger) {
	if resume == "" {
		return
	}
	err := os.MkdirAll(resume, 0o700)
	if err == nil {
		err = m.Save(memoryPath(resume, g.short()))
	}
	if err != nil {
		log.Warn("metainfo not remembered", "err", err)
	}
}

// short is the infohash that goes over the wire.
func (g *Magnet) short() InfoHash {
	if g.InfoHash.IsZero() {
		return g.InfoHashV2.Short()
	}
	return g.InfoHash
}

// names reports whether m is the metainfo of the magnet: whether each hash that the magnet has is that of m.
func (g *Magnet) names(m *Metainfo) bool {
	return (g.InfoHash.IsZero() || g.InfoHash == m.InfoHash || g.InfoHash == m.InfoHashV2.Short()) &&
		(g.InfoHashV2.IsZero() || g.InfoHashV2 == m.InfoHashV2)
}

// addTo adds the trackers and webseeds of the magnet to a metainfo, which has none when peers sent it.
func (g *Magnet) addTo(m *Metainfo) {
	known := map[string]bool{}
	for _, tier := range m.Trackers {
		for _, u := range tier {
			known[u] = true
		}
	}
	for _, u := range m.Webseeds {
		known[u] = true
	}
	for _, u := range g.Trackers {
		if !known[u] {
			m.Trackers = append(m.Trackers, []string{u})
		}
	}
	for _, u := range g.Webseeds {
		if !known[u] {
			m.Webseeds = append(m.Webseeds, u)
		}
	}
}

// fetchMetadata waits for peers to send the info dictionary, and the piece layers where they are needed, reporting
// progress meanwhile.
func (w *swarm) fetchMetadata(ctx context.Context, timeout time.Duration, report func(Progress)) (*Metainfo, error) {
	if err := w.hopeless(); err != nil {
		return nil, err
	}
	errLate := errors.New("metadata timeout")
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errLate)
		defer cancel()
	}
	seen := false
	for {
		tick, cancel := context.WithTimeoutCause(ctx, tickEvery, errTick)
		m, err := w.metainfo(tick)
		if err == nil && m.lacksLayers() {
			m, err = w.layers(tick, m)
		}
		cancel()
		s := w.stats()
		seen = seen || s.peers > 0
		if report != nil {
			report(Progress{State: "metadata", Peers: s.peers, ETA: -1, Trackers: w.trackerStatus()})
		}
		switch {
		case errors.Is(err, errTick):
		case errors.Is(err, errLate) && w.haveInfo():
			return nil, errorf(NoMetadata, "no peer sent the hashes of the pieces within %v", timeout).
				withHint("another --peer or --tracker may help")
		case errors.Is(err, errLate) && seen:
			return nil, errorf(NoMetadata, "no peer sent the metadata within %v", timeout).
				withHint("those found know no more than the hash: another --peer or --tracker may help")
		case errors.Is(err, errLate):
			return nil, errorf(NoPeers, "found no peer within %v", timeout).withHint(w.noPeersHint())
		default:
			return m, err
		}
	}
}

// layers waits for peers to send the piece layers of m (BEP 52): without them nothing on disk can be judged, and the
// library does not ask for pieces whose hashes come late. Nothing tells when they are there.
func (w *swarm) layers(ctx context.Context, m *Metainfo) (*Metainfo, error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, tickEvery) {
		full, err := m.WithPieceLayers(w.lib.Metainfo().PieceLayers)
		if err == nil && !full.lacksLayers() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.m = full
			return full, nil
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}
