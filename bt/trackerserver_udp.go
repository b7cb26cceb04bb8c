package bt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

const udpScrape uint32 = 2 // an action, as those of a client

const (
	udpServerPacket = 2048 // bytes; the longest request is a scrape of 74 torrents
	udpServerPeers4 = 200  // in one answer, which then fits in a packet of 1,400 bytes
	udpServerPeers6 = 70
)

// serveUDP answers packets (BEP 15) until the socket is closed.
func (t *trackerServer) serveUDP(pc net.PacketConn, refuses func(netip.Addr) string) {
	buf := make([]byte, udpServerPacket)
	for {
		n, from, err := pc.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		udp, ok := from.(*net.UDPAddr)
		if err != nil || !ok {
			continue // such as what ICMP says of an earlier answer
		}
		client := unmapPort(udp.AddrPort())
		if refuses(client.Addr()) != "" {
			continue
		}
		if reply := t.udpReply(buf[:n], client); reply != nil {
			_, _ = pc.WriteTo(reply, from) // packets may be lost
		}
	}
}

// udpReply is the answer to a packet, nil for none. Whoever has not shown that packets reach it gets no more bytes than
// it sent.
func (t *trackerServer) udpReply(b []byte, from netip.AddrPort) []byte {
	if len(b) < 16 {
		return nil
	}
	be := binary.BigEndian
	action, tx := be.Uint32(b[8:]), b[12:16]
	if action == udpConnect {
		if be.Uint64(b) != udpProtocol {
			return nil
		}
		return be.AppendUint64(append(be.AppendUint32(nil, udpConnect), tx...), t.connID(from.Addr(), t.epoch()))
	}
	id := be.Uint64(b)
	if epoch := t.epoch(); id != t.connID(from.Addr(), epoch) && id != t.connID(from.Addr(), epoch-1) {
		return refuseUDP(b, "connection id")
	}
	switch {
	case action == udpAnnounce && len(b) >= 98:
		return t.announceUDP(b, from)
	case action == udpScrape && len(b) >= 36:
		return t.scrapeUDP(b)
	}
	return refuseUDP(b, "no such request")
}

// epoch counts the periods in which connection ids are given out. One is good until the end of the next.
func (t *trackerServer) epoch() int64 { return t.cfg.Now().Unix() / int64(2*time.Minute/time.Second) }

// connID is what a client gets when it connects. It is not remembered: only we can compute it. Ports do not count, since
// many a client has a socket for each request.
func (t *trackerServer) connID(client netip.Addr, epoch int64) uint64 {
	h := hmac.New(sha256.New, t.secret[:])
	a := client.As16()
	h.Write(a[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(epoch)))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// refuseUDP is an error packet, nil when it would be longer than the request.
func refuseUDP(request []byte, why string) []byte {
	if 8+len(why) > len(request) {
		return nil
	}
	return append(append(binary.BigEndian.AppendUint32(nil, udpError), request[12:16]...), why...)
}

func (t *trackerServer) announceUDP(b []byte, from netip.AddrPort) []byte {
	be := binary.BigEndian
	a := serverAnnounce{InfoHash: InfoHash(b[16:36]), PeerID: [20]byte(b[36:56]), Left: be.Uint64(b[64:]),
		NumWant: int(int32(be.Uint32(b[92:]))), Peer: netip.AddrPortFrom(from.Addr(), be.Uint16(b[96:]))}
	if e := be.Uint32(b[80:]); e <= uint32(eventStopped) {
		a.Event = announceEvent(e)
	}
	if a.Peer.Port() == 0 {
		return refuseUDP(b, "no port")
	}
	r, ok := t.announce(a)
	if !ok {
		return refuseUDP(b, errNotServed)
	}
	out := append(be.AppendUint32(nil, udpAnnounce), b[12:16]...)
	out = be.AppendUint32(out, uint32(r.Interval/time.Second))
	out = be.AppendUint32(out, uint32(r.Leechers))
	out = be.AppendUint32(out, uint32(r.Seeds))
	limit := udpServerPeers6
	if from.Addr().Is4() {
		limit = udpServerPeers4
	}
	return appendCompact(out, r.Peers, from.Addr().Is4(), limit)
}

func (t *trackerServer) scrapeUDP(b []byte) []byte {
	be := binary.BigEndian
	out := append(be.AppendUint32(nil, udpScrape), b[12:16]...)
	n := 0
	for rest := b[16:]; len(rest) >= 20 && n < serverMaxScrape; rest = rest[20:] {
		n++
		c, _ := t.scrape(InfoHash(rest[:20]))
		for _, v := range []int{c.seeds, c.completed, c.leechers} {
			out = be.AppendUint32(out, uint32(v))
		}
	}
	return out
}
