package bt

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/anacrolix/log"
	"github.com/anacrolix/upnp"
)

// Times of port mapping.
const (
	mapLease  = 2 * time.Hour    // what the router is asked for
	mapRenew  = 50 * time.Minute // and when it is asked again
	mapRetry  = 5 * time.Minute  // after nobody has answered
	mapLookup = 2 * time.Second  // for routers that speak UPnP
)

// portMapper keeps the port of a session open at the router, by NAT-PMP (RFC 6886) or else by UPnP, until it is closed. It
// does so for meetings that may be joined from everywhere (docs/shares.md §5.1); --upnp has the library do it.
type portMapper struct {
	port   int
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// wantPorts asks the router for the port of the session, the first time that somebody far away is to be met.
func (c *Client) wantPorts(s *session) {
	if !c.cfg.TryUPnP || c.cfg.UPnP || c.cfg.LANOnly || c.cfg.Interface != "" || c.cfg.Proxy != "" || c.cfg.Listen != "" || s.port == 0 {
		return // it would not keep to what was asked for, or there is nothing to open
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ports != nil || s.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &portMapper{port: s.port, log: c.log, cancel: cancel}
	s.ports = m
	m.done.Go(func() { m.run(ctx) })
}

// close gives the port back, if that is quick.
func (m *portMapper) close() {
	if m != nil {
		m.cancel()
		m.done.Wait()
	}
}

func (m *portMapper) run(ctx context.Context) {
	var undo func()
	for {
		wait := mapRetry
		if now := m.open(ctx); now != nil {
			undo, wait = now, mapRenew
		}
		select {
		case <-time.After(wait):
			continue
		case <-ctx.Done():
		}
		if undo != nil {
			undo()
		}
		return
	}
}

// open maps the port once; what it returns gives it back. nil: no router does it.
func (m *portMapper) open(ctx context.Context) (undo func()) {
	if gateway, ok := defaultGateway(); ok {
		external, err := natPMP(ctx, gateway, uint16(m.port), mapLease)
		if err == nil {
			m.log.Info("the router forwards the port", "by", "NAT-PMP", "port", m.port, "external", external)
			return func() { _, _ = natPMP(context.Background(), gateway, uint16(m.port), 0) }
		}
		m.log.Debug("the router does not speak NAT-PMP", "err", err)
	}
	found := make(chan []upnp.Device, 1)
	go func() { // it cannot be interrupted, and ends by itself
		found <- upnp.Discover(0, mapLookup, log.Default.WithFilterLevel(log.Disabled))
	}()
	var mapped []upnp.Device
	select {
	case <-ctx.Done():
		return nil
	case all := <-found:
		for _, d := range all {
			if m.mapBy(d) {
				mapped = append(mapped, d)
			}
		}
	}
	if len(mapped) == 0 {
		return nil
	}
	return func() {
		for _, d := range mapped {
			_ = d.DeletePortMapping(upnp.TCP, m.port)
		}
	}
}

// mapBy has a router forward the port by UPnP. Some know no leases.
func (m *portMapper) mapBy(d upnp.Device) bool {
	external, err := d.AddPortMapping(upnp.TCP, m.port, m.port, libraryName, mapLease)
	if err != nil {
		external, err = d.AddPortMapping(upnp.TCP, m.port, m.port, libraryName, 0)
	}
	if err != nil {
		m.log.Info("the router does not forward the port", "err", err)
		return false
	}
	m.log.Info("the router forwards the port", "by", "UPnP", "port", m.port, "external", external)
	return true
}
