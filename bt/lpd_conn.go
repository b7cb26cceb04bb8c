package bt

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A lpdConn is a socket in one multicast group, on all interfaces of the session.
type lpdConn struct {
	transport *transport
	group     *net.UDPAddr
	v4        *ipv4.PacketConn // this or v6 is nil
	v6        *ipv6.PacketConn
	mu        sync.Mutex      // for joined
	joined    map[string]bool // by interface name
}

func listenLPD(t *transport, group *net.UDPAddr) (*lpdConn, error) {
	pc, err := t.listenMulticast(group)
	if err != nil {
		return nil, err
	}
	c := &lpdConn{transport: t, group: group, joined: make(map[string]bool)}
	if group.IP.To4() != nil {
		c.v4 = ipv4.NewPacketConn(pc)
		c.v4.SetControlMessage(ipv4.FlagDst, true) // not everywhere; see receive
		c.v4.SetMulticastLoopback(true)
	} else {
		c.v6 = ipv6.NewPacketConn(pc)
		c.v6.SetControlMessage(ipv6.FlagDst, true)
		c.v6.SetMulticastLoopback(true)
	}
	if c.join(); len(c.joined) == 0 {
		pc.Close()
		return nil, errors.New("no interface takes part in multicast")
	}
	return c, nil
}

// join joins the group on interfaces that are new.
func (c *lpdConn) join() []net.Interface {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.transport.multicastInterfaces()
	for _, ifi := range list {
		if c.joined[ifi.Name] {
			continue
		}
		var err error
		if c.v4 != nil {
			err = c.v4.JoinGroup(&ifi, c.group)
		} else {
			err = c.v6.JoinGroup(&ifi, c.group)
		}
		if err == nil {
			c.joined[ifi.Name] = true
		}
	}
	return list
}

// send sends m on every interface. It is called from one goroutine.
func (c *lpdConn) send(m lpdMessage) {
	packet := m.packet(c.group.String())
	for _, ifi := range c.join() {
		var err error
		from, bound := c.source(ifi)
		if c.v4 != nil {
			var cm *ipv4.ControlMessage
			if bound {
				cm = &ipv4.ControlMessage{Src: from.AsSlice(), IfIndex: ifi.Index}
			}
			if err = c.v4.SetMulticastInterface(&ifi); err == nil {
				_, err = c.v4.WriteTo(packet, cm, c.group)
			}
		} else {
			var cm *ipv6.ControlMessage
			if bound {
				cm = &ipv6.ControlMessage{Src: from.AsSlice(), IfIndex: ifi.Index}
			}
			if err = c.v6.SetMulticastInterface(&ifi); err == nil {
				_, err = c.v6.WriteTo(packet, cm, c.group)
			}
		}
		if err != nil {
			c.transport.log.Debug("announcing on the local network", "interface", ifi.Name, "err", err)
		}
	}
}

// source is what packets must come from on an interface; not bound leaves it to the system.
func (c *lpdConn) source(ifi net.Interface) (from netip.Addr, bound bool) {
	// It must be where we listen, or nobody can connect.
	if from = c.transport.listenIP; from.IsValid() && !from.IsUnspecified() {
		return from, true
	}
	// Linux has no source of its own for multicast over loopback.
	if from = netip.IPv6Loopback(); c.v4 != nil {
		from = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return from, ifi.Flags&net.FlagLoopback != 0
}

// receive reads one packet that was sent to the group; the socket gets what is sent to its port otherwise too. Where
// the system does not tell the destination, all are taken.
func (c *lpdConn) receive(b []byte) (n int, from netip.AddrPort, err error) {
	for {
		var src net.Addr
		var dst net.IP
		if c.v4 != nil {
			var cm *ipv4.ControlMessage
			if n, cm, src, err = c.v4.ReadFrom(b); cm != nil {
				dst = cm.Dst
			}
		} else {
			var cm *ipv6.ControlMessage
			if n, cm, src, err = c.v6.ReadFrom(b); cm != nil {
				dst = cm.Dst
			}
		}
		if err != nil {
			return 0, from, err
		}
		if udp, ok := src.(*net.UDPAddr); ok && (dst == nil || dst.IsMulticast()) {
			return n, unmapPort(udp.AddrPort()), nil
		}
	}
}

func (c *lpdConn) close() {
	if c.v4 != nil {
		c.v4.Close()
		return
	}
	c.v6.Close()
}
