package bt

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Local peer discovery (BEP 14): peers on one network tell each other by multicast what they have.

const (
	lpdPort      = 6771
	lpdGroup4    = "239.192.152.143"
	lpdGroup6    = "ff15::efc0:988f"
	lpdInterval  = 5 * time.Minute // between announces of one torrent
	lpdLeast     = time.Minute     // even when it is removed and added again
	lpdMaxPacket = 1400            // bytes, sent or read
	lpdPerPacket = 20              // infohashes sent in one packet
	lpdPerMinute = 30              // packets heeded from one source
	lpdSources   = 1024            // sources heeded in a minute
)

// A lpd announces the torrents it is given and reports peers that announce them. Private torrents must not be given.
type lpd struct {
	transport *transport
	port      uint16 // where peers reach us
	cookie    string // tells our own packets
	conns     []*lpdConn
	wake      chan struct{}
	done      chan struct{}
	wg        sync.WaitGroup
	closeOnce sync.Once

	mu       sync.Mutex
	torrents map[InfoHash]func(netip.AddrPort) // guarded by mu, as all below
	sent     map[InfoHash]time.Time
	sources  map[netip.Addr]int // packets in the minute since
	since    time.Time
}

// newLPD starts local peer discovery on the session's interfaces for a listening port. It is an error (Network) when
// neither IPv4 nor IPv6 multicast can be had.
func newLPD(t *transport, port uint16) (*lpd, error) { return newLPDOn(t, port, lpdPort) }

func newLPDOn(t *transport, port uint16, groupPort int) (*lpd, error) {
	if t.noUDP() {
		return nil, errorf(Network, "starting local peer discovery: multicast cannot go through the proxy")
	}
	l := &lpd{transport: t, port: port, cookie: rand.Text(), wake: make(chan struct{}, 1), done: make(chan struct{}),
		torrents: make(map[InfoHash]func(netip.AddrPort)), sent: make(map[InfoHash]time.Time)}
	var firstErr error
	for _, group := range []string{lpdGroup4, lpdGroup6} {
		c, err := listenLPD(t, &net.UDPAddr{IP: net.ParseIP(group), Port: groupPort})
		if err == nil {
			l.conns = append(l.conns, c)
		} else if firstErr == nil {
			firstErr = err
		}
	}
	if len(l.conns) == 0 {
		return nil, errorf(Network, "starting local peer discovery: %w", firstErr)
	}
	for _, c := range l.conns {
		l.wg.Go(func() { l.read(c) })
	}
	l.wg.Go(l.announceLoop)
	return l, nil
}

// add announces a torrent from now on, and calls onPeer for each peer that announces it. onPeer must not block.
func (l *lpd) add(h InfoHash, onPeer func(netip.AddrPort)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.torrents[h] = onPeer
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// remove forgets a torrent. onPeer may be running still.
func (l *lpd) remove(h InfoHash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.torrents, h)
}

// close stops it all, and returns after the last goroutine.
func (l *lpd) close() {
	l.closeOnce.Do(func() {
		close(l.done)
		for _, c := range l.conns {
			c.close()
		}
	})
	l.wg.Wait()
}

func (l *lpd) announceLoop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-timer.C:
		case <-l.wake:
		}
		hashes, next := l.due(time.Now())
		for ; len(hashes) > 0; hashes = hashes[min(lpdPerPacket, len(hashes)):] {
			for _, c := range l.conns {
				c.send(lpdMessage{l.port, hashes[:min(lpdPerPacket, len(hashes))], l.cookie})
			}
		}
		timer.Reset(next)
	}
}

// due is what to announce now, and when to look again.
func (l *lpd) due(now time.Time) (hashes []InfoHash, next time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = lpdInterval
	for h, at := range l.sent {
		wait := lpdInterval
		if _, ok := l.torrents[h]; !ok {
			wait = lpdLeast
		}
		if now.Sub(at) >= wait {
			delete(l.sent, h)
		} else {
			next = min(next, wait-now.Sub(at))
		}
	}
	for h := range l.torrents {
		if _, ok := l.sent[h]; !ok {
			l.sent[h] = now
			hashes = append(hashes, h)
		}
	}
	return hashes, next
}

func (l *lpd) read(c *lpdConn) {
	buf := make([]byte, lpdMaxPacket+1)
	for {
		n, from, err := c.receive(buf)
		select {
		case <-l.done:
			return
		default:
		}
		if err != nil {
			// An interface may be down for a while; a short rest keeps this from spinning.
			select {
			case <-l.done:
				return
			case <-time.After(time.Second):
			}
			continue
		}
		if n <= lpdMaxPacket {
			l.heed(buf[:n], from)
		}
	}
}

// heed reports what a packet says about torrents of ours.
func (l *lpd) heed(packet []byte, from netip.AddrPort) {
	if bytes.Contains(packet, []byte(l.cookie)) {
		return // our own
	}
	if !l.allow(from.Addr(), time.Now()) || l.transport.policy.refuses(from.Addr()) != "" {
		return
	}
	m, ok := parseLPD(packet)
	if !ok {
		return
	}
	peer := netip.AddrPortFrom(from.Addr(), m.port)
	if !usablePeer(peer) {
		return
	}
	for _, h := range m.hashes {
		l.mu.Lock()
		onPeer := l.torrents[h]
		l.mu.Unlock()
		if onPeer != nil {
			onPeer(peer)
		}
	}
}

// allow counts a packet against its source.
func (l *lpd) allow(source netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.sources = now, make(map[netip.Addr]int)
	}
	n, known := l.sources[source]
	if n >= lpdPerMinute || !known && len(l.sources) >= lpdSources {
		return false
	}
	l.sources[source] = n + 1
	return true
}

// A lpdMessage is one BT-SEARCH.
type lpdMessage struct {
	port   uint16
	hashes []InfoHash
	cookie string
}

func (m lpdMessage) packet(group string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "BT-SEARCH * HTTP/1.1\r\nHost: %s\r\nPort: %d\r\n", group, m.port)
	for _, h := range m.hashes {
		fmt.Fprintf(&b, "Infohash: %s\r\n", strings.ToUpper(h.String()))
	}
	fmt.Fprintf(&b, "cookie: %s\r\n\r\n\r\n", m.cookie)
	return []byte(b.String())
}

// parseLPD reads a packet of a stranger. One odd line spoils all of it.
func parseLPD(b []byte) (m lpdMessage, ok bool) {
	if len(b) > lpdMaxPacket {
		return m, false
	}
	lines := bytes.Split(b, []byte("\n"))
	if !bytes.HasPrefix(lines[0], []byte("BT-SEARCH * HTTP/1.")) {
		return m, false
	}
	for _, line := range lines[1:] {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		key, value, found := strings.Cut(string(line), ":")
		if !found {
			return m, false
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "port":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil {
				return m, false
			}
			m.port = uint16(n)
		case "infohash":
			var h InfoHash
			if len(value) != 40 {
				return m, false
			}
			if _, err := hex.Decode(h[:], []byte(value)); err != nil {
				return m, false
			}
			m.hashes = append(m.hashes, h)
		case "cookie":
			m.cookie = value
		}
	}
	return m, m.port != 0 && len(m.hashes) > 0
}

// multicastInterfaces are the interfaces that local discovery uses: the chosen one, the one that has the listen
// address, or all that can do multicast.
func (t *transport) multicastInterfaces() (out []net.Interface) {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, ifi := range all {
		chosen := ifi.Flags&net.FlagMulticast != 0
		if t.listenIP.IsValid() && !t.listenIP.IsUnspecified() {
			chosen = interfaceHas(ifi, t.listenIP)
		}
		if t.device != "" {
			chosen = ifi.Name == t.device
		}
		if chosen && ifi.Flags&net.FlagUp != 0 {
			out = append(out, ifi)
		}
	}
	return out
}

func interfaceHas(ifi net.Interface, a netip.Addr) bool {
	addrs, _ := ifi.Addrs()
	for _, addr := range addrs {
		if p, err := netip.ParsePrefix(addr.String()); err == nil && p.Addr().Unmap() == a.WithZone("") {
			return true
		}
	}
	return false
}

// listenMulticast opens a UDP socket on a port shared with whoever else listens to the group.
func (t *transport) listenMulticast(group *net.UDPAddr) (net.PacketConn, error) {
	network := "udp6"
	if group.IP.To4() != nil {
		network = "udp4"
	}
	if f := t.family(); f != "" && !strings.HasSuffix(network, f) {
		return nil, fmt.Errorf("the listen address is of the other family")
	}
	lc := net.ListenConfig{Control: t.control}
	return lc.ListenPacket(context.Background(), network, group.String())
}
