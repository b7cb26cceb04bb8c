package bt

import (
	"github.com/anacrolix/torrent"
	pp "github.com/anacrolix/torrent/peer_protocol"
)

// guardMessage drops what the library does not bear: for each extended handshake (BEP 10) after the first it sets PEX
// up anew, and a goroutine of the earlier one is stuck for good. The library's lock is held.
func guardMessage(pc *torrent.PeerConn, m *pp.Message) {
	if m.Type == pp.Extended && m.ExtendedID == pp.HandshakeExtendedID && pc.PeerExtensionIDs != nil {
		*m = pp.Message{Keepalive: true}
	}
}
