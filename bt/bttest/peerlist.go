package bttest

import (
	"encoding/binary"
	"net/http"
	"net/netip"

	"shoal/bt/bttest/internal/wire"
)

// PeerList starts an honest HTTP tracker that knows just the given peers (host:port, IPv4) and returns its announce URL.
func PeerList(t T, peers ...string) string {
	t.Helper()
	reply := wire.Bencode(wire.Dict{"interval": 5, "peers": compactList(t, peers...)})
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(reply) }) + "/announce"
}

// compactList is addresses as trackers and PEX write them (BEP 23).
func compactList(t T, peers ...string) []byte {
	t.Helper()
	var b []byte
	for _, p := range peers {
		addr, err := netip.ParseAddrPort(p)
		if err != nil {
			t.Fatalf("peer %q: %v", p, err)
		}
		b = append(b, addr.Addr().AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, addr.Port())
	}
	return b
}
