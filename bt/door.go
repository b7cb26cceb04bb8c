package bt

import (
	"net/netip"

	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// A doorkeeper decides about the peer connections of a torrent that is not for everybody: a Meeting, or Data.
type doorkeeper interface {
	// meet is told of a connection once its handshake is done, before a message went either way. The library's lock is
	// held: nothing may call the library or wait.
	meet(pc *torrent.PeerConn) door
}

// A door is what stands between one connection and the library. Its methods are called with the library's lock held.
type door interface {
	hello(d *pp.ExtendedHandshakeMessage) // may change what the library learns of the peer's extensions
	message(m *pp.Message)                // may keep a message from the library, see mute
	closed()
}

// mute makes a message one that the library passes over.
func mute(m *pp.Message) { *m = pp.Message{Keepalive: true} }

// shut is the door of a connection that is refused. The library cannot be told so: it is closed soon after, and until
// then neither side hears anything of the other that matters.
type shut struct{}

func refuse(pc *torrent.PeerConn) door {
	pc.LocalLtepProtocolMap = &torrent.LocalLtepProtocolMap{}
	go pc.Close() // takes the lock
	return shut{}
}

func (shut) hello(*pp.ExtendedHandshakeMessage) {}
func (shut) message(m *pp.Message)              { mute(m) }
func (shut) closed()                            {}

// door is that of a connection, nil when it has none.
func (c *Client) door(pc *torrent.PeerConn) door {
	if d, ok := c.doors.Load(pc); ok {
		return d.(door)
	}
	return nil
}

// keepDoor makes k the keeper of a torrent that is about to be added.
func (c *Client) keepDoor(h InfoHash, k doorkeeper) error {
	if c.cfg.Encryption != EncryptionRequire {
		return errorf(Usage, "joining %s: the session must require encryption", h)
	}
	if _, taken := c.keepers.LoadOrStore(h, k); taken {
		return errorf(Busy, "joining %s: the session has it already", h)
	}
	return nil
}

// guardLibrary has the doors asked at each event of the library's that matters to them.
func (c *Client) guardLibrary(on *torrent.Callbacks) {
	on.PeerConnAdded = append(on.PeerConnAdded, func(pc *torrent.PeerConn) {
		if k, ok := c.keepers.Load(InfoHash(pc.Torrent().InfoHash())); ok {
			c.doors.Store(pc, k.(doorkeeper).meet(pc))
		}
	})
	on.ReadExtendedHandshake = func(pc *torrent.PeerConn, d *pp.ExtendedHandshakeMessage) {
		if door := c.door(pc); door != nil {
			door.hello(d)
		}
	}
	next := on.ReadMessage
	on.ReadMessage = func(pc *torrent.PeerConn, m *pp.Message) {
		next(pc, m)
		if door := c.door(pc); door != nil && !m.Keepalive {
			door.message(m)
		}
	}
	left := on.PeerConnClosed
	on.PeerConnClosed = func(pc *torrent.PeerConn) {
		left(pc)
		if d, ok := c.doors.LoadAndDelete(pc); ok {
			d.(door).closed()
		}
	}
}

// incoming reports whether the peer dialled.
func incoming(pc *torrent.PeerConn) bool { return pc.Discovery == torrent.PeerSourceIncoming }

// remoteAddr is where the other end of a connection is; not valid when only a proxy knows.
func remoteAddr(pc *torrent.PeerConn) netip.AddrPort {
	ap, err := netip.ParseAddrPort(pc.RemoteAddr.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return unmapPort(ap)
}
