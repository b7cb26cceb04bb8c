package bt

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// A Web is a web server of a session, for what that seeds: .torrents, and data with ranges (BEP 19), and nothing else.
// It keeps to the session's addresses, and to its upload limit.
type Web struct {
	c       *Client
	at      net.Listener
	server  *webServer
	service *http.Server
	wg      sync.WaitGroup
}

// ListenWeb starts a web server at ADDRESS:PORT. Without ADDRESS it is that of the session, or all; port 0 is any that is
// free. Network when it cannot listen there, Usage when the session has a proxy.
func (c *Client) ListenWeb(ctx context.Context, addr string) (*Web, error) {
	at, _, err := c.net.listenService(ctx, addr, false)
	if err != nil {
		return nil, fmt.Errorf("starting the web server: %w", err)
	}
	w := &Web{c: c, at: at, server: newWebServer(c.up)}
	w.service = newHTTPServer(w.server)
	w.wg.Go(func() { _ = w.service.Serve(limited(at)) }) // Close ends it
	return w, nil
}

// Add gives out a seeding until Remove. It returns the URL of the .torrent.
func (w *Web) Add(s *Seeding) (torrent string) {
	addrs := w.c.net.reachable(w.at.Addr())
	webseeds := make([]string, len(addrs))
	for i, a := range addrs {
		webseeds[i] = fmt.Sprintf("http://%s/%s/", a, webName(s.m))
	}
	s.webseeds.Store(&webseeds)
	w.server.add(s.m, &webItem{files: s.files, torrent: s.publish().Bytes(), sent: &s.sent,
		copies: newWebCopies(s.m, s.copies.noteFetcher)})
	return fmt.Sprintf("http://%s/%s.torrent", addrs[0], webName(s.m))
}

// Remove ends what Add began.
func (w *Web) Remove(s *Seeding) {
	s.webseeds.Store(nil)
	w.server.remove(s.m)
}

// Close ends the web server, and the connections that it has.
func (w *Web) Close() error {
	err := w.service.Close()
	w.at.Close()
	w.wg.Wait()
	return err
}

// publish is the metainfo as others are to have it: with the trackers and web servers that may be known, and ours.
func (s *Seeding) publish() *Metainfo {
	pub := *s.m
	pub.Trackers, pub.Webseeds = nil, nil
	if w := s.webseeds.Load(); w != nil {
		pub.Webseeds = append(pub.Webseeds, *w...)
	}
	if cfg := &s.c.cfg; !cfg.LANOnly && !cfg.NoTrackers {
		pub.Trackers = s.m.Trackers
	}
	if !s.c.cfg.NoWebseeds {
		pub.Webseeds = append(pub.Webseeds, s.m.Webseeds...)
	}
	return &pub
}
