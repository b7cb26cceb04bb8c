package bt

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// The actions of BEP 15.
const (
	udpConnect  uint32 = 0
	udpAnnounce uint32 = 1
	udpScrape   uint32 = 2
	udpError    uint32 = 3
)

const (
	udpProtocol     = 0x41727101980
	udpConnLifetime = time.Minute // BEP 15
	maxUDPConns     = 1000        // remembered
)

// A udpConnID is what a tracker gave us to show that packets come from where they say.
type udpConnID struct {
	id   uint64
	born time.Time
}

var errNoAnswer = errors.New("tracker did not answer")

// announceUDP announces over UDP (BEP 15, 41).
func (c *trackerClient) announceUDP(ctx context.Context, u *url.URL, req announceRequest) (*announceReply, error) {
	var all *announceReply
	err := c.askUDP(ctx, u, udpQuestion{udpAnnounce, announceBody(u, req), req.Sent}, func(body []byte, is4 bool) error {
		r, err := parseUDPAnnounce(body, is4)
		switch {
		case err != nil:
			return err
		case all == nil:
			all = r
			return nil
		}
		for _, p := range r.Peers {
			all.Peers = addPeer(all.Peers, p)
		}
		all.Seeders = max(all.Seeders, r.Seeders)
		all.Leechers = max(all.Leechers, r.Leechers)
		return nil
	})
	return all, err
}

// A udpQuestion is what a tracker is asked once it knows where we are.
type udpQuestion struct {
	action uint32
	body   []byte
	sent   func() // is called when it is about to go out; or nil
}

// askUDP asks a tracker over IPv4 and IPv6 at once where it has both, since each family has peers of its own. take is
// called for each answer, one after the other; an answer that it takes makes askUDP a success.
func (c *trackerClient) askUDP(ctx context.Context, u *url.URL, q udpQuestion, take func(body []byte, is4 bool) error) error {
	addrs, err := c.udpAddrs(ctx, u)
	if err != nil {
		return shortenCause(ctx, err)
	}
	type result struct {
		body []byte
		is4  bool
		err  error
	}
	// When one family has answered the other gets a moment more: a machine without IPv6 must not wait for it.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, len(addrs))
	for _, a := range addrs {
		go func() {
			reply, err := c.askUDPAddr(ctx, a, q)
			results <- result{reply, a.Addr().Is4(), err}
		}()
	}
	taken := false
	for range addrs {
		r := <-results
		if r.err == nil {
			r.err = take(r.body, r.is4)
		}
		switch {
		case r.err != nil && err == nil:
			err = r.err
		case r.err == nil && !taken:
			taken = true
			defer time.AfterFunc(time.Second, cancel).Stop()
		}
	}
	if taken {
		return nil
	}
	return shortenCause(ctx, err)
}

// udpAddrs is one address of each family that a tracker has.
func (c *trackerClient) udpAddrs(ctx context.Context, u *url.URL) (out []netip.AddrPort, err error) {
	if c.transport.noUDP() {
		return nil, errors.New("UDP cannot go through the proxy")
	}
	addrs, err := c.transport.resolve(ctx, u.Host)
	if err != nil {
		return nil, err
	}
	var have4, have6 bool
	for _, a := range addrs {
		have := &have6
		if a.Addr().Is4() {
			have = &have4
		}
		if c.transport.lanOnly && !isLocal(a.Addr()) {
			err = errorf(Network, "connecting to %s: only local addresses are allowed", a)
			continue
		}
		if refused := c.transport.checkServer(a.Addr()); refused != nil {
			err = refused
			continue
		}
		if *have || !usablePeer(a) || u.Scheme == "udp4" && !a.Addr().Is4() || u.Scheme == "udp6" && a.Addr().Is4() {
			continue
		}
		*have = true
		out = append(out, a)
	}
	switch {
	case len(out) > 0:
		return out, nil
	case err != nil:
		return nil, err
	}
	return nil, errors.New("tracker has no usable address")
}

// A udpExchange is one conversation with one tracker address, over a socket of its own.
type udpExchange struct {
	pc  net.PacketConn
	to  netip.AddrPort
	buf []byte
}

// askUDPAddr asks one address, again when an answer does not come in time.
func (c *trackerClient) askUDPAddr(ctx context.Context, to netip.AddrPort, q udpQuestion) ([]byte, error) {
	network := "udp6"
	if to.Addr().Is4() {
		network = "udp4"
	}
	pc, err := c.transport.listenPacket(ctx, network)
	if err != nil {
		return nil, err
	}
	defer pc.Close()
	defer context.AfterFunc(ctx, func() { pc.SetReadDeadline(time.Unix(1, 0)) })()
	x := &udpExchange{pc: pc, to: to, buf: make([]byte, 64<<10)}
	err = errNoAnswer
	for _, wait := range c.udpWaits {
		var reply []byte
		if reply, err = c.tryUDP(ctx, x, q, wait); err == nil {
			return reply, nil
		}
		if refused := (*trackerError)(nil); errors.As(err, &refused) || ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, err
}

// tryUDP connects if need be and asks, waiting a while for each answer.
func (c *trackerClient) tryUDP(ctx context.Context, x *udpExchange, q udpQuestion, wait time.Duration) ([]byte, error) {
	id, cached := c.connID(x.to)
	if !cached {
		connect := binary.BigEndian.AppendUint64(nil, udpProtocol)
		answer, err := x.ask(ctx, connect, udpConnect, nil, wait)
		if err != nil {
			return nil, err
		}
		if len(answer) < 8 {
			return nil, errors.New("tracker answers too short a packet")
		}
		id = binary.BigEndian.Uint64(answer)
		c.setConnID(x.to, &udpConnID{id, time.Now()})
	}
	if q.sent != nil {
		q.sent()
	}
	answer, err := x.ask(ctx, binary.BigEndian.AppendUint64(nil, id), q.action, q.body, wait)
	if err != nil {
		// Whatever it was, it may have been the connection id.
		c.setConnID(x.to, nil)
		if cached && ctx.Err() == nil {
			return c.tryUDP(ctx, x, q, wait)
		}
		return nil, err
	}
	return answer, nil
}

func (c *trackerClient) connID(to netip.AddrPort) (uint64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn, ok := c.conns[to]
	return conn.id, ok && time.Since(conn.born) < udpConnLifetime
}

func (c *trackerClient) setConnID(to netip.AddrPort, conn *udpConnID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case conn == nil:
		delete(c.conns, to)
		return
	case len(c.conns) >= maxUDPConns:
		clear(c.conns)
	}
	c.conns[to] = *conn
}

// ask sends head, action, a transaction id and body, and waits for the answer: the first packet from the tracker's
// address with our transaction id and either our action or an error.
func (x *udpExchange) ask(ctx context.Context, head []byte, action uint32, body []byte, wait time.Duration) ([]byte, error) {
	var tx [4]byte
	rand.Read(tx[:])
	packet := append(binary.BigEndian.AppendUint32(head, action), tx[:]...)
	x.pc.SetReadDeadline(time.Now().Add(wait))
	if ctx.Err() != nil { // ctx may have ended before this deadline replaced its own
		return nil, context.Cause(ctx)
	}
	if _, err := x.pc.WriteTo(append(packet, body...), net.UDPAddrFromAddrPort(x.to)); err != nil {
		return nil, err
	}
	for {
		n, from, err := x.pc.ReadFrom(x.buf)
		var netErr net.Error
		if errors.As(err, &netErr) && netErr.Timeout() {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, errNoAnswer
		}
		if err != nil {
			return nil, err
		}
		b := x.buf[:n]
		udp, ok := from.(*net.UDPAddr)
		if !ok || unmapPort(udp.AddrPort()) != x.to || len(b) < 8 || [4]byte(b[4:8]) != tx {
			continue // not from whom we asked, or not to what
		}
		switch binary.BigEndian.Uint32(b) {
		case action:
			return b[8:], nil
		case udpError:
			return nil, &trackerError{Reason: string(b[8:min(len(b), 1008)])}
		}
	}
}

// announceBody is an announce after its transaction id, with the URL's path and query as options (BEP 41).
func announceBody(u *url.URL, req announceRequest) []byte {
	b := append(req.InfoHash[:], req.PeerID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(req.Downloaded))
	b = binary.BigEndian.AppendUint64(b, uint64(req.Left))
	b = binary.BigEndian.AppendUint64(b, uint64(req.Uploaded))
	b = binary.BigEndian.AppendUint32(b, uint32(req.Event))
	b = binary.BigEndian.AppendUint32(b, 0) // our address: the one this comes from
	b = binary.BigEndian.AppendUint32(b, req.Key)
	b = binary.BigEndian.AppendUint32(b, uint32(req.NumWant))
	b = binary.BigEndian.AppendUint16(b, req.Port)
	for data := u.RequestURI(); len(data) > 0 && data != "/"; {
		n := min(len(data), 255)
		b = append(append(b, 2, byte(n)), data[:n]...)
		data = data[n:]
	}
	return b
}

func parseUDPAnnounce(b []byte, is4 bool) (*announceReply, error) {
	if len(b) < 12 {
		return nil, fmt.Errorf("tracker answers an announce of %d bytes", len(b)+8)
	}
	r := &announceReply{
		Interval: seconds(int64(int32(binary.BigEndian.Uint32(b)))),
		Leechers: countOf(int64(int32(binary.BigEndian.Uint32(b[4:])))),
		Seeders:  countOf(int64(int32(binary.BigEndian.Uint32(b[8:])))),
	}
	size := 18
	if is4 {
		size = 6
	}
	r.Peers = compactPeers(nil, b[12:], size)
	return r, nil
}
